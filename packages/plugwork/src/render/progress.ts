/**
 * Progress of a run on stderr. On a terminal running steps spin below the finished ones; elsewhere each step is one plain
 * line when it ends.
 */
import { clearLine, cursorTo, moveCursor } from 'node:readline'
import type { StepTrace } from '@plugwork/core'
import type { RunNotice } from '@plugwork/core/node'
import type { Context } from '../context.ts'
import { duration } from './text.ts'
import { errorText, mark } from './trace.ts'

export interface Progress {
  show(notice: RunNotice): void
  /** A line above what spins. */
  say(line: string): void
  /** Takes down what spins; lines stay. */
  end(): void
}

const SPINNER = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
const FRAME_MS = 90
/** More than these spin in one line together. */
const MAX_LINES = 6

/** `steps: false` shows what runs now, and leaves finished steps to the trace that follows. */
export function createProgress(context: Context, options: { readonly steps: boolean }): Progress {
  return context.interactive ? new LiveProgress(context, options.steps) : plainProgress(context, options.steps)
}

export const silentProgress: Progress = { show: () => {}, say: () => {}, end: () => {} }

function plainProgress(context: Context, steps: boolean): Progress {
  return {
    show(notice) {
      if (steps && notice.type === 'step' && hasEnded(notice.step)) context.note(finishedLine(context, notice.step))
    },
    say: (line) => context.note(line),
    end: () => {},
  }
}

function hasEnded(step: StepTrace): boolean {
  return step.status !== 'running' && step.status !== 'skipped'
}

function finishedLine(context: Context, step: StepTrace): string {
  const style = context.noteStyle
  const took = step.startedAt !== null && step.endedAt !== null ? duration(step.endedAt - step.startedAt) : step.status
  const name = step.name === null ? step.kind : `${step.kind} ${step.name}`
  const error = step.error && step.status !== 'succeeded' ? `  ${style.bad(errorText(step.error))}` : ''
  return `${mark(step.status, style)} ${step.path}${style.dim(`  ${name}  ${took}`)}${error}`
}

class LiveProgress implements Progress {
  readonly #context: Context
  readonly #steps: boolean
  readonly #running = new Map<string, StepTrace>()
  readonly #timer: NodeJS.Timeout
  #frame = 0
  #drawn = 0

  constructor(context: Context, steps: boolean) {
    this.#context = context
    this.#steps = steps
    this.#timer = setInterval(() => this.#draw(), FRAME_MS)
    this.#timer.unref()
  }

  show(notice: RunNotice): void {
    if (notice.type !== 'step') return
    const { step } = notice
    if (step.status === 'running') {
      this.#running.set(step.path, step)
      return
    }
    this.#running.delete(step.path)
    if (this.#steps && hasEnded(step)) this.say(finishedLine(this.#context, step))
  }

  say(line: string): void {
    this.#erase()
    this.#context.note(line)
    this.#draw()
  }

  end(): void {
    clearInterval(this.#timer)
    this.#erase()
    this.#running.clear()
  }

  #draw(): void {
    this.#erase()
    const { stderr, noteStyle } = this.#context
    const spinner = noteStyle.accent(SPINNER[this.#frame++ % SPINNER.length]!)
    const running = [...this.#running.values()]
    const lines = running.slice(0, MAX_LINES).map((step) => {
      const took = step.startedAt === null ? '' : duration(Date.now() - step.startedAt)
      const attempt = step.attempts > 1 ? `  attempt ${step.attempts}` : ''
      const text = `${step.path}  ${step.name ?? step.kind}  ${took}${attempt}`
      return `${spinner} ${text.slice(0, Math.max(10, this.#context.columns - 4))}`
    })
    if (running.length > MAX_LINES) lines.push(`${spinner} and ${running.length - MAX_LINES} more`)
    for (const line of lines) stderr.write(`${line}\n`)
    this.#drawn = lines.length
  }

  #erase(): void {
    const { stderr } = this.#context
    for (; this.#drawn > 0; this.#drawn--) {
      moveCursor(stderr, 0, -1)
      cursorTo(stderr, 0)
      clearLine(stderr, 0)
    }
  }
}
