/** Starting runs: check, store, begin. A run exists when the store has said so; what comes before leaves no trace. */
import type { BlobStore } from '../blob/blob-store.ts'
import type { EncodedRecord } from '../engine/record.ts'
import { replay } from '../engine/replay.ts'
import { PlugworkError } from '../error.ts'
import type { JsonObject } from '../json.ts'
import { replacedMessage } from '../store/concurrency-messages.ts'
import type { AcceptOutcome, NewRun } from '../store/store.ts'
import type { Batch } from './batch.ts'
import type { InputChecker } from './inputs.ts'
import { isLarge, offload } from './offload.ts'
import type { LoadedFlow, Programs } from './programs.ts'
import { loadSubflows } from './recovery.ts'
import { NO_ROW, RunActor } from './run-actor.ts'
import { factsOf, identityOf, newRun, startFacts, type NewRunOptions, type RunFactory } from './run-facts.ts'
import type { StartOutcome, StartRun } from './runtime.ts'
import type { Worker } from './worker.ts'

export interface StarterOptions {
  readonly worker: Worker
  readonly programs: Programs
  readonly inputs: InputChecker
  readonly factory: RunFactory
  readonly blobs: BlobStore
  readonly maxOpen: number
  /** Newest event that is known; a new run's waits see what comes after it. */
  readonly eventMark: () => number
}

const NO_PINS: { readonly [flow: string]: string } = {}
const NO_SUBFLOWS: ReadonlyMap<string, LoadedFlow> = new Map()

/** A run that is ready to be stored. */
export interface PreparedRun {
  readonly run: NewRun
  readonly loaded: LoadedFlow
  readonly subflows: ReadonlyMap<string, LoadedFlow>
}

export class Starter {
  readonly #options: StarterOptions

  constructor(options: StarterOptions) {
    this.#options = options
  }

  async start(request: StartRun): Promise<StartOutcome> {
    const { worker, programs, inputs } = this.#options
    if (worker.stopping)
      throw new PlugworkError('stopping', 'The process is stopping. Start the run again in a moment.', {
        retryable: true,
      })
    const loaded = programs.current(request.tenant, request.flow)
    if (loaded === null) return { kind: 'unknown_flow' }
    if (!inputs.isReady(loaded.plan)) await inputs.prepare(loaded.plan)
    const checked = inputs.check(loaded.plan, request.inputs)
    if (checked.kind === 'invalid') return { kind: 'invalid_inputs', problems: checked.problems }
    if (worker.active + worker.queued >= this.#options.maxOpen)
      return { kind: 'full', retryAfterSeconds: this.#retryAfter() }
    const { tenant, trigger, user, priority, idempotencyKey } = request
    return this.#accept(
      await this.prepare({
        tenant,
        loaded,
        inputs: checked.inputs,
        trigger,
        ...(user === undefined ? {} : { user }),
        ...(priority === undefined ? {} : { priority }),
        ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
      }),
    )
  }

  /** Makes the row of a run whose inputs have been checked; all flow versions that it needs are stored. */
  async prepare(options: Omit<NewRunOptions, 'subflows' | 'eventMark' | 'now'>): Promise<PreparedRun> {
    const { worker, factory, programs, inputs } = this.#options
    const { tenant, loaded } = options
    const pins = await this.#pin(tenant, loaded)
    const now = worker.clock.now()
    const run = newRun(factory, { ...options, subflows: pins, eventMark: this.#options.eventMark(), now })
    return { run, loaded, subflows: pins === NO_PINS ? NO_SUBFLOWS : await loadSubflows({ programs, inputs }, pins) }
  }

  /** Stores a run that begins with the records of another, and goes on from there. */
  async acceptFork(prepared: PreparedRun, prefix: readonly EncodedRecord[]): Promise<void> {
    const replayed = replay(prepared.loaded.program, prefix)
    if (replayed.kind === 'nondeterminism' || replayed.state === null) {
      throw new PlugworkError('internal_unreachable', 'A copied journal does not replay; please report this.')
    }
    const actor = this.#actor(prepared)
    actor.adopt(prefix, replayed.state, replayed.commandsInFlight)
    const outcome = await this.#store(prepared, actor)
    if (outcome.kind !== 'accepted') throw new PlugworkError('internal_unreachable', 'A replay was not accepted.')
  }

  /** Stores a run, and begins it if there is room. */
  async #accept(prepared: PreparedRun): Promise<StartOutcome> {
    const { worker, blobs } = this.#options
    if (!worker.hasRoom || worker.stopping) {
      const run = await withoutLargeInputs(prepared.run, blobs)
      return this.#notBegun(run, await worker.store.accept(run))
    }
    const actor = this.#actor(prepared)
    actor.feed({ type: 'start', at: prepared.run.createdAt, facts: startFacts(prepared.run) })
    return this.#store(prepared, actor)
  }

  async #store(prepared: PreparedRun, actor: RunActor): Promise<StartOutcome> {
    const { worker, blobs } = this.#options
    worker.reserve(prepared.run.id)
    let admitted = false
    try {
      const batch = actor.takeFirst()
      const run = await withoutLargeInputs(prepared.run, blobs)
      if (batch.large) await batch.offload(blobs, worker.clock.now())
      const outcome = await worker.store.accept(run, batch.body())
      if (outcome.kind !== 'created' || outcome.status !== 'running') {
        actor.drop('The run was not begun.')
        return this.#notBegun(run, outcome)
      }
      admitted = true
      this.#begin(actor, batch, outcome)
      return { kind: 'accepted', id: run.id, rid: outcome.rid }
    } finally {
      if (!admitted) worker.release(prepared.run.id)
    }
  }

  #actor({ run, loaded, subflows }: PreparedRun): RunActor {
    const { worker } = this.#options
    return new RunActor({
      shell: worker,
      identity: identityOf(run, factsOf(run), { parentRid: null, rootRid: null }),
      loaded,
      subflows,
      rid: NO_ROW,
      epoch: worker.store.epoch,
      nextSeq: 1,
      state: null,
      row: { status: 'queued', reason: null, wakeAt: null, held: false, crashCount: 0 },
    })
  }

  /** Hashes of all flows that a run may start as sub-flows, at any depth; their versions are stored. */
  async #pin(tenant: string, loaded: LoadedFlow): Promise<{ readonly [flow: string]: string }> {
    const { programs } = this.#options
    if (!programs.isStored(loaded.hash)) await programs.store(loaded)
    if (loaded.plan.subflows.length === 0) return NO_PINS
    const pins: { [flow: string]: string } = {}
    const open = [...loaded.plan.subflows]
    for (let flow = open.pop(); flow !== undefined; flow = open.pop()) {
      if (Object.hasOwn(pins, flow)) continue
      const version = programs.current(tenant, flow)
      // Not there now: the step fails with `subflow_unknown` when it is reached.
      if (version === null) continue
      pins[flow] = version.hash
      await programs.store(version)
      open.push(...version.plan.subflows)
    }
    return pins
  }

  #begin(actor: RunActor, batch: Batch, outcome: Extract<AcceptOutcome, { kind: 'created' }>): void {
    const { worker } = this.#options
    worker.admit(actor, outcome.rid)
    actor.accepted(outcome)
    if (batch.children !== null) worker.queueChildren(actor)
  }

  #notBegun(run: NewRun, outcome: AcceptOutcome): StartOutcome {
    switch (outcome.kind) {
      case 'existing':
        return { kind: 'existing', id: outcome.row.id, rid: outcome.row.rid }
      case 'concurrency_full':
        return { kind: 'concurrency_full', holders: outcome.holders }
      case 'created':
        this.#options.worker.queueGrew([outcome.rid])
        if (outcome.cancelled.length > 0)
          this.#options.worker.inBackground(this.#cancelReplaced(run, outcome.cancelled))
        return { kind: 'accepted', id: run.id, rid: outcome.rid }
    }
  }

  /** The store has asked the runs that held the key to cancel; those that are in memory are told. */
  async #cancelReplaced(run: NewRun, rids: readonly number[]): Promise<void> {
    const { worker } = this.#options
    for (const rid of rids) {
      await worker.send(replacedMessage(rid, run))
    }
  }

  /** Until the queue has shrunk by a tenth, at the pace so far; between 1 and 60 seconds. */
  #retryAfter(): number {
    const { worker, maxOpen } = this.#options
    const perSecond = worker.endsPerSecond
    return perSecond === 0 ? 10 : Math.min(60, Math.max(1, Math.ceil(maxOpen / 10 / perSecond)))
  }
}

/** Large inputs go to the blob store; the row refers to them. */
async function withoutLargeInputs(run: NewRun, blobs: BlobStore): Promise<NewRun> {
  if (!isLarge(run.inputs)) return run
  const moved = await offload(JSON.stringify(run.inputs), blobs)
  return { ...run, inputs: JSON.parse(moved.text) as JsonObject, blobs: moved.blobs }
}
