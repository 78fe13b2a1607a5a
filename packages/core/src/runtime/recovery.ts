/**
 * Brings a stored run back into memory: its flow version, its large values, its state from the snapshot and the records
 * since. What cannot be brought back is held, with a reason that says what to do; it is never guessed.
 */
import type { BlobStore } from '../blob/blob-store.ts'
import type { StartFacts } from '../engine/event.ts'
import type { Nondeterminism } from '../engine/replay.ts'
import { inFlight, wakeAt, type RunState } from '../engine/state.ts'
import { PlugworkError, type ErrorInfo } from '../error.ts'
import type { LoadedRun, Store, StoredMessage } from '../store/store.ts'
import { toErrorInfo } from './error-info.ts'
import type { InputChecker } from './inputs.ts'
import { replayStored } from './journal.ts'
import { restore } from './offload.ts'
import type { LoadedFlow, Programs } from './programs.ts'
import { RunActor } from './run-actor.ts'
import { factsOf, identityOf, startFacts } from './run-facts.ts'
import type { RunShell } from './run-shell.ts'

/** A run that cannot be brought back: it waits, with this reason and error, until somebody does something about it. */
export class RunHeldError extends Error {
  readonly reason: 'needs_attention' | 'nondeterminism'
  readonly info: ErrorInfo

  constructor(reason: 'needs_attention' | 'nondeterminism', info: ErrorInfo) {
    super(info.message)
    this.name = 'RunHeldError'
    this.reason = reason
    this.info = info
  }
}

export interface RecoveryOptions {
  readonly store: Store
  readonly blobs: BlobStore
  readonly programs: Programs
  readonly inputs: InputChecker
}

/** The stored run as an actor, at the state of its last durable record. Throws `RunHeldError`. */
export async function reviveRun(shell: RunShell, options: RecoveryOptions, stored: LoadedRun): Promise<Revived> {
  const { row } = stored
  const facts = factsOf(stored)
  try {
    const loaded = await options.programs.byHash(row.flowHash, row.flow)
    const subflows = await loadSubflows(options, facts.subflows)
    const { state, characters } = await restoreState(options, loaded, stored)
    const run = new RunActor({
      shell,
      identity: identityOf(row, facts, row),
      loaded,
      subflows,
      rid: row.rid,
      epoch: options.store.epoch,
      nextSeq: row.nextSeq,
      state,
      row: {
        status: row.status,
        reason: row.reason,
        wakeAt: row.wakeAt,
        held: row.error !== null,
        crashCount: row.crashCount,
        journal: { records: stored.records.length, characters, snapshot: stored.snapshot?.state.length ?? 0 },
      },
    })
    run.subscriptions.restore(stored.subscriptions)
    const messages = await Promise.all(
      stored.messages.map(async (message) => {
        return { ...message, payload: await restoreObject(message.payload, options.blobs) }
      }),
    )
    if (state !== null) return { run, messages, start: null }
    const inputs = await restoreObject(row.inputs, options.blobs)
    return { run, messages, start: startFacts({ ...row, inputs, facts: stored.facts }) }
  } catch (error) {
    if (isPermanent(error)) throw new RunHeldError('needs_attention', toErrorInfo(error, { code: 'run_unreadable' }))
    throw error
  }
}

/** What a revived run goes on with; read before it is in memory, so that nothing reaches it half-way. */
export interface Revived {
  readonly run: RunActor
  readonly messages: readonly StoredMessage[]
  /** Of a run that has not begun. */
  readonly start: StartFacts | null
}

/** Has a revived run go on: with what was interrupted, with its inbox, with the timers that have become due. */
export function resumeRun({ run, messages, start }: Revived, now: number): void {
  if (run.state === null) {
    if (start !== null) run.feed({ type: 'start', at: now, facts: start })
  } else if (inFlight(run.state).some((step) => step.kind !== 'child')) {
    run.feed({ type: 'takeover', at: now })
  }
  for (const message of messages) run.receive(message)
  const wake = run.state === null ? null : wakeAt(run.state)
  if (wake !== null && wake <= now) run.feed({ type: 'timer', at: now })
  run.subscriptions.offer()
  run.touch()
}

/** Makes the flow versions ready that sub-flows of a run are pinned to. */
export async function loadSubflows(
  { programs, inputs }: Pick<RecoveryOptions, 'programs' | 'inputs'>,
  hashes: { readonly [flow: string]: string },
): Promise<ReadonlyMap<string, LoadedFlow>> {
  const loaded = new Map<string, LoadedFlow>()
  for (const [flow, hash] of Object.entries(hashes)) {
    const version = await programs.byHash(hash, flow)
    await inputs.prepare(version.plan)
    loaded.set(hash, version)
  }
  return loaded
}

/** A JSON object of a row with its large values. */
export async function restoreObject<T extends object>(object: T, blobs: BlobStore, upTo?: number): Promise<T> {
  if (!Object.hasOwn(object, '$blobs')) return object
  const options = upTo === undefined ? {} : { upTo }
  return JSON.parse(await restore(JSON.stringify(object), blobs, options)) as T
}

/** The run at its last durable record; a null state for one that has not begun. Throws `RunHeldError`. */
async function restoreState(
  options: RecoveryOptions,
  loaded: LoadedFlow,
  stored: LoadedRun,
): Promise<{ readonly state: RunState | null; readonly characters: number }> {
  if (stored.snapshot === null && stored.records.length === 0) return { state: null, characters: 0 }
  const characters = stored.records.reduce((sum, record) => sum + record.data.length, 0)
  const outcome = await replayStored(options, loaded.program, stored)
  if (outcome.kind === 'nondeterminism') throw diverged(outcome.nondeterminism)
  return { state: outcome.state, characters }
}

function diverged({ seq, expected, got }: Nondeterminism): RunHeldError {
  const message =
    `Replaying the journal, record ${seq} should have: ${expected}; computed was: ${got}. The run is held, nothing is ` +
    'executed. Go back to the version of Plugwork that ran it, or replay the run as a new one.'
  return new RunHeldError('nondeterminism', { code: 'nondeterminism', message, data: { seq, expected, got } })
}

/** Errors that trying again cannot cure: what the run needs is missing or damaged. */
function isPermanent(error: unknown): boolean {
  return error instanceof PlugworkError && !error.retryable && !error.code.startsWith('store_')
}
