/** `plugwork runs …`: looking at runs, and deciding about them. */
import { type ControlOutcome, type RunDetail, type RunRow, type RunStatus } from '@plugwork/core/node'
import { PlugworkError } from '@plugwork/core/error'
import type { Context } from '../context.ts'
import { EXIT, UsageError } from '../exit.ts'
import { followRun, isEnded, type Followed, type Following, type FollowOptions } from '../follow.ts'
import { jsonOption, readInputs, type InputOptions } from '../inputs.ts'
import { openSession, type OpenSessionOptions } from '../open-session.ts'
import { findProjectFolder, namedFolder, openFolder, type ProjectFolder } from '../project-folder.ts'
import { whereOptions } from '../render/path.ts'
import { showStore } from '../render/path.ts'
import { count, duration, table, timestamp } from '../render/text.ts'
import { errorText, mark, traceLines } from '../render/trace.ts'
import { howToGoOn, printOutputs, reportFollowed } from '../report-run.ts'
import type { Session } from '../session.ts'
import { loadProjectOf } from './run.ts'

export interface StoreFlags {
  readonly project?: string
  readonly dataDir?: string
  readonly databaseUrl?: string
  readonly json?: boolean
}

interface Opened {
  readonly session: Session
  readonly folder: ProjectFolder
  /** Options that further commands need to find the same store. */
  readonly where: string
}

/** The project that a command without a file works on. */
export function folderOf(context: Context, flags: StoreFlags): ProjectFolder {
  const directory =
    flags.project === undefined ? findProjectFolder(context.workingDirectory) : namedFolder(context, flags.project)
  return openFolder(context, directory, { dataDir: flags.dataDir, databaseUrl: flags.databaseUrl })
}

async function open(context: Context, flags: StoreFlags, intent: OpenSessionOptions['intent']): Promise<Opened> {
  const folder = folderOf(context, flags)
  const project = intent === 'look' ? {} : { project: () => loadProjectOf(context, folder) }
  const session = await openSession(context, { folder, intent, ...project })
  return { session, folder, where: whereOptions(context, folder, flags) }
}

export interface ListFlags extends StoreFlags {
  readonly flow?: string
  readonly status: readonly string[]
  readonly since?: string
  readonly limit: number
}

const STATUSES: readonly RunStatus[] = ['queued', 'running', 'waiting', 'succeeded', 'failed', 'cancelled']

export async function list(context: Context, flags: ListFlags): Promise<number> {
  const status = flags.status.map((name) => {
    const known = STATUSES.find((candidate) => candidate === name)
    if (known === undefined) throw new UsageError(`There is no status ${name}.`, `Statuses: ${STATUSES.join(', ')}.`)
    return known
  })
  const since = flags.since === undefined ? undefined : sinceTime(flags.since)
  const { session, folder } = await open(context, flags, 'look')
  await using _closed = session
  const runs = await session.list({
    limit: flags.limit,
    ...(flags.flow === undefined ? {} : { flow: flags.flow }),
    ...(status.length === 0 ? {} : { status }),
    ...(since === undefined ? {} : { since }),
  })
  if (flags.json) context.json({ runs: runs.map(rowDocument) })
  else if (runs.length === 0) context.note(context.noteStyle.dim(`No runs in ${showStore(context, folder)}.`))
  else context.print(table(await Promise.all(runs.map((run) => rowCells(context, run, session)))))
  return EXIT.done
}

function sinceTime(text: string): number {
  const match = /^(\d+)\s*(m|h|d)$/.exec(text)
  const units: { readonly [unit: string]: number } = { m: 60_000, h: 3_600_000, d: 86_400_000 }
  if (match) return Date.now() - Number(match[1]) * units[match[2]!]!
  const time = Date.parse(text)
  if (Number.isNaN(time))
    throw new UsageError(`${text} is no time.`, 'Write `30m`, `12h`, `7d`, or a date such as 2026-01-31.')
  return time
}

function rowDocument(run: RunRow): object {
  const { id, flow, status, reason, createdAt, startedAt, finishedAt, error, trigger } = run
  const time = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString())
  return {
    id,
    flow,
    status,
    ...(reason === null ? {} : { reason }),
    created_at: time(createdAt),
    started_at: time(startedAt),
    finished_at: time(finishedAt),
    trigger,
    ...(error === null ? {} : { error }),
  }
}

async function rowCells(context: Context, run: RunRow, session: Session): Promise<readonly string[]> {
  const { style } = context
  const interrupted = await isInterrupted(run, session)
  const status = interrupted ? 'interrupted' : run.status
  const reason =
    !interrupted && run.status === 'waiting' && run.reason !== null ? ` (${run.reason.replace('_', ' ')})` : ''
  const took = run.startedAt !== null && run.finishedAt !== null ? duration(run.finishedAt - run.startedAt) : ''
  return [
    style.dim(run.id),
    timestamp(run.createdAt),
    `${mark(run.status, style)} ${status}${reason}`,
    style.bold(run.flow),
    took,
    run.error === null ? '' : style.bad(run.error.message.slice(0, 60)),
  ]
}

/** Nobody works on it: its process was killed while it ran, or left it in order (`stopped`). */
async function isInterrupted(run: Pick<RunRow, 'status' | 'reason' | 'epoch'>, session: Session): Promise<boolean> {
  if (session.server !== null) return false
  const isLeft = run.status === 'running' || (run.status === 'waiting' && run.reason === 'stopped')
  return isLeft && !(await session.isElsewhere(run))
}

export async function show(
  context: Context,
  name: string,
  flags: StoreFlags & { readonly full?: boolean },
): Promise<number> {
  const { session, where } = await open(context, flags, 'look')
  await using _closed = session
  const run = await foundRun(session, name)
  if (flags.json) {
    const { row: _, ...rest } = run
    context.json(rest)
    return EXIT.done
  }
  const { bold, dim, bad } = context.style
  const took =
    run.startedAt !== null && run.finishedAt !== null ? ` in ${duration(run.finishedAt - run.startedAt)}` : ''
  const interrupted = await isInterrupted(run.row, session)
  const reason = run.status === 'waiting' && run.reason !== null ? ` (${run.reason.replace('_', ' ')})` : ''
  const state = interrupted ? 'interrupted' : `${run.status}${reason}`
  context.print(`${mark(run.status, context.style)} ${bold(run.flow)} ${state}${took}`)
  context.print(dim(`${run.id}  ${timestamp(run.createdAt)}  by ${String(run.row.trigger['kind'] ?? 'unknown')}`))
  const width = flags.full ? Number.POSITIVE_INFINITY : context.columns
  for (const line of traceLines(run.steps, { style: context.style, width })) context.print(line)
  if (run.error !== null) context.print(`${bad('error')} ${errorText(run.error)}`)
  if (run.outputs !== null) printOutputs(context, run.outputs)
  if (!isEnded(run)) for (const line of howToGoOn(run, where)) context.note(line)
  return EXIT.done
}

/** A run by its id, the beginning of it, or `last`. */
export async function foundRun(session: Session, name: string): Promise<RunDetail> {
  const run = await session.get(await fullId(session, name))
  if (run === null) throw new PlugworkError('run_unknown', `There is no run ${name} here.`)
  return run
}

const RECENT = 200

async function fullId(session: Session, name: string): Promise<string> {
  if (name.length === 36) return name
  const recent = await session.list({ limit: name === 'last' ? 1 : RECENT })
  const matching = name === 'last' ? recent : recent.filter((run) => run.id.startsWith(name))
  if (matching.length === 1) return matching[0]!.id
  if (matching.length === 0) throw new PlugworkError('run_unknown', `There is no run ${name} here.`)
  const ids = matching.slice(0, 5).map((run) => `  ${run.id}  ${run.flow}`)
  throw new UsageError(`${count(matching.length, 'run')} begin with ${name}:\n${ids.join('\n')}`)
}

type ActFlags = StoreFlags & FollowOptions

/** Carries out an operation and follows what comes of it, unless a server does the work. */
async function act(
  context: Context,
  name: string,
  flags: ActFlags,
  operation: (session: Session, id: string) => Promise<ControlOutcome>,
  intent: 'work' | 'decide' = 'work',
): Promise<number> {
  const { session, where } = await open(context, flags, intent)
  await using _closed = session
  const id = await fullId(session, name)
  const outcome = await operation(session, id)
  if (outcome.kind === 'not_found') throw new PlugworkError('run_unknown', `There is no run ${name} here.`)
  if (outcome.kind === 'refused') throw new PlugworkError(outcome.code, outcome.message)
  const followed = await followDecided(context, session, outcome.id, { ...flags, where })
  return reportFollowed(context, followed, { ...flags, where })
}

/** Another command that works on the run ends with it, and its socket too: there only the state now can be told. */
async function followDecided(context: Context, session: Session, id: string, options: Following): Promise<Followed> {
  if (session.server?.address !== null) return followRun(context, session, id, options)
  const run = await foundRun(session, id)
  context.note(context.noteStyle.dim(`Done; process ${session.server.pid} works on the run.`))
  return { kind: isEnded(run) ? 'ended' : 'parked', run }
}

export async function resume(context: Context, id: string, flags: ActFlags): Promise<number> {
  return act(context, id, flags, (session, full) => session.adopt(full))
}

export async function retry(context: Context, id: string, flags: ActFlags): Promise<number> {
  return act(context, id, flags, (session, full) => session.retry(full))
}

export interface CancelFlags extends ActFlags {
  readonly force?: boolean
  readonly reason?: string
}

export async function cancel(context: Context, id: string, flags: CancelFlags): Promise<number> {
  const { force = false, reason } = flags
  const code = await act(
    context,
    id,
    flags,
    (session, full) => session.cancel(full, { force, ...(reason === undefined ? {} : { reason }) }),
    'decide',
  )
  // The run was to end as cancelled, and has: that is success here.
  return code === EXIT.failed ? EXIT.done : code
}

export interface ResolveFlags extends ActFlags {
  readonly retry?: boolean
  readonly output?: string
  readonly fail?: boolean
}

export async function resolve(context: Context, id: string, step: string, flags: ResolveFlags): Promise<number> {
  const decision = readDecision(flags)
  return act(context, id, flags, (session, full) => session.resolve(full, step, decision), 'decide')
}

function readDecision(flags: ResolveFlags): Parameters<Session['resolve']>[2] {
  if (flags.retry) return { kind: 'retry' }
  if (flags.fail) return { kind: 'fail' }
  if (flags.output !== undefined) return { kind: 'output', output: jsonOption('--output', flags.output) }
  throw new UsageError('What to do with the step is missing.', 'Give one of --retry, --output JSON, --fail.')
}

export interface SignalFlags extends ActFlags {
  readonly approve?: boolean
  readonly reject?: boolean
  readonly data?: string
  readonly as?: string
}

export async function signal(context: Context, id: string, wait: string, flags: SignalFlags): Promise<number> {
  const data = flags.data === undefined ? null : jsonOption('--data', flags.data)
  const outcome = flags.approve ? 'approved' : flags.reject ? 'rejected' : 'received'
  const actor = flags.as === undefined ? {} : { actor: flags.as }
  return act(
    context,
    id,
    flags,
    (session, full) => session.signal(full, { name: wait, outcome, data, ...actor }),
    'decide',
  )
}

export interface ReplayFlags extends ActFlags, InputOptions {
  readonly from: string
  readonly stepInput?: string
  readonly sameVersion?: boolean
}

export async function replay(context: Context, id: string, flags: ReplayFlags): Promise<number> {
  return act(context, id, flags, async (session, full) => {
    const old = await foundRun(session, full)
    const edited = flags.input.length > 0 || flags.inputs !== undefined
    // Inputs that are not given stay as they were.
    const inputs = edited ? { ...old.row.inputs, ...(await readInputs(context, flags, [])) } : undefined
    return session.replay(full, {
      from: flags.from,
      ...(inputs === undefined ? {} : { inputs }),
      ...(flags.stepInput === undefined ? {} : { stepInput: objectOption(flags.stepInput) }),
      ...(flags.sameVersion ? { sameVersion: true } : {}),
    })
  })
}

function objectOption(text: string) {
  const value = jsonOption('--step-input', text)
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw new UsageError('--step-input must be a JSON object: the inputs of the step by name.')
}

export async function verify(context: Context, name: string, flags: StoreFlags): Promise<number> {
  const { session } = await open(context, flags, 'look')
  await using _closed = session
  const id = await fullId(session, name)
  const differences = await session.verify(id)
  if (flags.json) context.json({ id, differences })
  else if (differences.length === 0) context.print(`${context.style.good('✔')} ${id}: run and journal agree`)
  else for (const line of differences) context.print(`${context.style.bad('✘')} ${line}`)
  return differences.length === 0 ? EXIT.done : EXIT.failed
}
