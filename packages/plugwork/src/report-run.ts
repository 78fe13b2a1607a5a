/** What a command prints of a run: outputs, trace, error, and how to go on. */
import type { JsonObject, StepTrace } from '@plugwork/core'
import type { RunDetail } from '@plugwork/core/node'
import type { Context } from './context.ts'
import { EXIT } from './exit.ts'
import { isEnded, type Followed } from './follow.ts'
import { duration, timestamp } from './render/text.ts'
import { errorText, traceLines } from './render/trace.ts'

export interface ReportOptions {
  readonly json?: boolean
  readonly trace?: boolean
  /** Options that further commands need to find the same store: ` --project shop`. */
  readonly where: string
}

/** Prints the outcome and answers the exit code. */
export function reportFollowed(context: Context, followed: Followed, options: ReportOptions): number {
  const { run } = followed
  if (options.json) context.json(run === null ? null : runDocument(run, options.trace === true))
  else if (run !== null) {
    if (options.trace) printTrace(context, run)
    printOutcome(context, run, followed.kind === 'interrupted')
  }
  if (followed.kind === 'ended') return followed.run.status === 'succeeded' ? EXIT.done : EXIT.failed
  if (run !== null && !isEnded(run)) for (const line of howToGoOn(run, options.where)) context.note(line)
  if (followed.kind === 'interrupted') return EXIT.interrupted
  return run?.reason === 'needs_attention' || run?.reason === 'nondeterminism' ? EXIT.failed : EXIT.done
}

/** `{ id, status, outputs, error?, steps? }`. */
export function runDocument(run: RunDetail, steps: boolean): object {
  return {
    id: run.id,
    flow: run.flow,
    status: run.status,
    ...(run.reason === null ? {} : { reason: run.reason }),
    outputs: run.outputs,
    ...(run.error === null ? {} : { error: run.error }),
    ...(steps ? { steps: run.steps } : {}),
  }
}

function printTrace(context: Context, run: RunDetail): void {
  const { bold, dim } = context.style
  context.print(`${bold(run.flow)} ${dim(run.id)}`)
  for (const line of traceLines(run.steps, { style: context.style, width: context.columns })) context.print(line)
  context.print('')
}

function printOutcome(context: Context, run: RunDetail, interrupted: boolean): void {
  context.note(outcomeLine(context, run, interrupted))
  if (run.error !== null) context.note(`  ${errorText(run.error)}${run.error.step ? ` in step ${run.error.step}` : ''}`)
  if (run.outputs !== null) printOutputs(context, run.outputs)
}

/** `✔ Hello succeeded in 12 ms`. */
function outcomeLine(context: Context, run: RunDetail, interrupted: boolean): string {
  const { good, bad, warn, bold } = context.noteStyle
  const took =
    run.startedAt !== null && run.finishedAt !== null ? ` in ${duration(run.finishedAt - run.startedAt)}` : ''
  if (interrupted && !isEnded(run)) return `${warn('◷')} ${bold(run.flow)} was interrupted and can go on`
  switch (run.status) {
    case 'succeeded':
      return `${good('✔')} ${bold(run.flow)} succeeded${took}`
    case 'failed':
      return `${bad('✘')} ${bold(run.flow)} failed${took}`
    case 'cancelled':
      return `${warn('⊘')} ${bold(run.flow)} was cancelled${took}`
    case 'waiting':
      return `${warn('◷')} ${bold(run.flow)} waits${WAITS[run.reason ?? ''] ?? ''}`
    case 'queued':
    case 'running':
      return `${warn('◷')} ${bold(run.flow)} is not finished`
  }
}

const WAITS: { readonly [reason: string]: string } = {
  timer: ' for a time to come',
  event: ' for an event',
  approval: ' for an approval',
  webhook: ' for a call',
  child: ' for a sub-flow',
  needs_attention: ': a step needs a decision',
  nondeterminism: ': its journal does not fit its flow',
}

/** Texts as they are, everything else as JSON. */
export function printOutputs(context: Context, outputs: JsonObject): void {
  const { accent } = context.style
  for (const [name, value] of Object.entries(outputs)) {
    const text = typeof value === 'string' ? value : JSON.stringify(value, null, 2)
    context.print(`${accent(`${name}:`)} ${text}`)
  }
}

/** Commands that move a run on that has not ended. */
export function howToGoOn(run: RunDetail, where: string): string[] {
  const first: StepTrace | undefined = run.steps.find(isWaiting)
  const command = `plugwork runs`
  switch (run.status === 'waiting' ? run.reason : 'interrupted') {
    case 'approval':
      return [`To decide:  ${command} signal ${run.id} ${first?.id ?? 'STEP'} --approve${where}   (or --reject)`]
    case 'webhook':
    case 'event':
      return [
        `To answer:  ${command} signal ${run.id} ${first?.id ?? 'STEP'} --data '{}'${where}`,
        `or serve the project with \`plugwork start\`, which takes the call or the event.`,
      ]
    case 'timer': {
      const at = run.row.wakeAt === null ? '' : ` at ${timestamp(run.row.wakeAt)}`
      return [`It goes on${at} while \`plugwork start\` serves the project, or by hand:`, resume(run, where)]
    }
    case 'needs_attention':
      return [
        ...(first?.error ? [`  ${errorText(first.error)}`] : []),
        `To decide:  ${command} resolve ${run.id} ${first?.path ?? 'STEP'} --retry${where}   (or --output JSON, or --fail)`,
      ]
    case 'nondeterminism':
      return [`To see why: ${command} verify ${run.id}${where}`]
    default:
      return [resume(run, where)]
  }
}

function resume(run: RunDetail, where: string): string {
  return `To go on:   plugwork runs resume ${run.id}${where}`
}

/** A step that somebody or something has to answer; blocks around it only wait for it. */
function isWaiting({ status, kind }: StepTrace): boolean {
  return status === 'needs_attention' || (status === 'waiting' && kind === 'wait')
}
