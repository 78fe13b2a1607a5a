/** A run's steps as a tree: what ran, how long it took, what went in and what came out. */
import { stripVTControlCharacters } from 'node:util'
import type { ErrorInfo, StepTrace } from '@plugwork/core'
import type { Style } from './style.ts'
import { duration, inline } from './text.ts'

export interface TraceOptions {
  readonly style: Style
  /** Columns that values may fill; `Infinity` does not shorten them. */
  readonly width: number
  /** Leaves out inputs, outputs and log lines. */
  readonly brief?: boolean
}

/** A step, a branch or an iteration, with what is inside. */
interface Node {
  readonly label: string
  step: StepTrace | null
  readonly children: Map<string, Node>
}

/** Lines of the tree, in the order in which the steps began. */
export function traceLines(steps: readonly StepTrace[], options: TraceOptions): string[] {
  const root: Node = { label: '', step: null, children: new Map() }
  for (const step of steps) place(root, step)
  return [...root.children.values()].flatMap((child, index, all) =>
    nodeLines(child, '', index === all.length - 1, options),
  )
}

/** `loop[3]/then/send` -> `loop`, `[3]`, `then`, `send`. Branch segments such as `case[0]` stay whole. */
function segments(path: string): string[] {
  return path.split('/').flatMap((segment) => {
    const match = /^(.*?)((?:\[\d+\])+)$/.exec(segment)
    if (!match || /^(case|branch)$/.test(match[1]!)) return [segment]
    return [match[1]!, ...match[2]!.match(/\[\d+\]/g)!]
  })
}

function place(root: Node, step: StepTrace): void {
  let node = root
  for (const label of segments(step.path)) {
    let child = node.children.get(label)
    if (!child) {
      child = { label, step: null, children: new Map() }
      node.children.set(label, child)
    }
    node = child
  }
  node.step = step
}

function nodeLines(node: Node, indent: string, last: boolean, options: TraceOptions): string[] {
  const { dim } = options.style
  const children = [...node.children.values()]
  const inner = indent + (last ? '   ' : '│  ')
  const rail = inner + (children.length > 0 ? '│  ' : '   ')
  const details = node.step && !options.brief ? stepDetails(node.step, options, rail.length) : []
  return [
    dim(indent + (last ? '└─ ' : '├─ ')) + heading(node, options.style),
    ...details.map((line) => dim(rail) + line),
    ...children.flatMap((child, index) => nodeLines(child, inner, index === children.length - 1, options)),
  ]
}

function heading(node: Node, style: Style): string {
  const { step, label } = node
  if (step === null) return style.dim(label)
  const name = step.name === null ? '' : ` ${step.name}`
  const took = step.startedAt !== null && step.endedAt !== null ? `  ${duration(step.endedAt - step.startedAt)}` : ''
  const attempts = step.attempts > 1 ? `  ${step.attempts} attempts` : ''
  const status = QUIET.has(step.status) ? '' : `  ${step.status.replace('_', ' ')}`
  return `${mark(step.status, style)} ${style.bold(label)}${style.dim(`  ${step.kind}${name}${took}${attempts}${status}`)}`
}

const QUIET: ReadonlySet<StepTrace['status']> = new Set(['succeeded', 'failed'])

/** The sign of a status. */
export function mark(status: StepTrace['status'] | 'queued', style: Style): string {
  switch (status) {
    case 'succeeded':
      return style.good('✔')
    case 'failed':
      return style.bad('✘')
    case 'handled':
      return style.warn('✘')
    case 'waiting':
    case 'needs_attention':
      return style.warn('◷')
    case 'retrying':
      return style.warn('↻')
    case 'cancelled':
      return style.warn('⊘')
    case 'skipped':
      return style.dim('–')
    case 'running':
    case 'queued':
      return style.accent('▸')
  }
}

function stepDetails(step: StepTrace, options: TraceOptions, indent: number): string[] {
  const { accent, bad, dim } = options.style
  const width = Math.max(24, options.width - indent - 6)
  const lines: string[] = []
  if (!isEmpty(step.input)) lines.push(`${accent('in ')}  ${inline(step.input, width)}`)
  for (const log of step.logs) {
    const data = log.data === undefined || log.data === null ? '' : ` ${inline(log.data, width)}`
    const text = stripVTControlCharacters(log.message).replaceAll('\n', ' ')
    lines.push(`${dim(log.level === 'info' ? 'log' : log.level.slice(0, 3))}  ${`${text}${data}`.slice(0, width)}`)
  }
  if (!isEmpty(step.output)) lines.push(`${accent('out')}  ${inline(step.output, width)}`)
  if (step.error) lines.push(`${bad('err')}  ${errorText(step.error)}`)
  if (step.childRunId) lines.push(`${accent('run')}  ${step.childRunId}`)
  return lines
}

function isEmpty(value: unknown): boolean {
  return value === null || value === undefined || (typeof value === 'object' && Object.keys(value).length === 0)
}

/** `message (code)`, with what caused it. */
export function errorText(error: ErrorInfo): string {
  const cause = error.cause ? `, after: ${errorText(error.cause)}` : ''
  return `${stripVTControlCharacters(error.message).replaceAll(/\s*\n\s*/g, ' ')} (${error.code})${cause}`
}
