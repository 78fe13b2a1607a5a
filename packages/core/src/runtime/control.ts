/**
 * What somebody does to a run from outside. Every request becomes a message in the run's inbox, durable before it is
 * answered; the run takes it from there, at once if it is in memory, else when it is brought back.
 */
import { timingSafeEqual } from 'node:crypto'

import { needsAttention } from '../engine/state.ts'
import { waitToken } from '../engine/key.ts'
import type { Json, JsonSchema } from '../json.ts'
import { TERMINAL, type RunRow, type Store } from '../store/store.ts'
import type { Programs } from './programs.ts'
import type { InputChecker } from './inputs.ts'
import { message, type MessageKind, type MessagePayloads } from './messages.ts'
import { factsOf } from './run-facts.ts'
import type { ControlOutcome, Runtime } from './runtime.ts'
import type { SignalBuffer } from './signal-buffer.ts'
import type { StateReader } from './state-reader.ts'
import type { Worker } from './worker.ts'

type Arguments<Name extends keyof Runtime> = Parameters<Runtime[Name]>

export interface ControlOptions {
  readonly store: Store
  readonly worker: Worker
  readonly programs: Programs
  readonly inputs: InputChecker
  readonly states: StateReader
  readonly signals: SignalBuffer
}

const NOT_FOUND: ControlOutcome = { kind: 'not_found' }

export class Control {
  readonly #store: Store
  readonly #worker: Worker
  readonly #options: ControlOptions
  readonly #signals: SignalBuffer

  constructor(options: ControlOptions) {
    this.#signals = options.signals
    this.#options = options
    this.#store = options.store
    this.#worker = options.worker
  }

  async cancel(...[tenant, id, { force, reason, actor }]: Arguments<'cancel'>): Promise<ControlOutcome> {
    const row = await this.#store.findRun(tenant, id)
    if (row === null) return NOT_FOUND
    if (TERMINAL.has(row.status)) return ended(row, 'cancelled')
    // Cancelling twice is once, unless the run has come further: then an earlier request may have come to nothing.
    const dedupe = `cancel:${force}:${row.nextSeq}`
    return this.#send(row, 'cancel', { force, ...optional({ reason, actor }) }, dedupe)
  }

  async signal(...[tenant, id, signal]: Arguments<'signal'>): Promise<ControlOutcome> {
    const row = await this.#store.findRun(tenant, id)
    if (row === null) return NOT_FOUND
    if (TERMINAL.has(row.status)) return ended(row, 'signalled')
    const { name, outcome, data, actor, dedupe } = signal
    const problems = outcome === 'rejected' ? [] : await this.#signalProblems(row, name, data)
    if (problems.length > 0) {
      const message = `The data for the wait "${name}" of run ${id} do not fit its schema: ${problems.join(' ')}`
      return { kind: 'refused', code: 'signal_invalid', message }
    }
    const room = await this.#signals.reserve(row, { name, outcome, data })
    if (room.kind === 'full') return { kind: 'refused', code: 'signals_full', message: room.message }
    try {
      // A name space of its own: what a sender calls his signal must not count as a cancel or a child's end.
      const key = dedupe === undefined ? undefined : `signal:${dedupe}`
      return await this.#send(row, 'signal', { name, outcome, data, ...optional({ actor }) }, key)
    } finally {
      room.release()
    }
  }

  async resolve(...[tenant, id, step, decision, actor]: Arguments<'resolve'>): Promise<ControlOutcome> {
    const row = await this.#store.findRun(tenant, id)
    if (row === null) return NOT_FOUND
    if (TERMINAL.has(row.status)) return ended(row, 'resolved')
    const state = await this.#options.states.read(row)
    const held = state === null ? [] : needsAttention(state)
    const path =
      held.find((one) => one.path === step)?.path ?? onlyOne(held.filter((one) => lastName(one.path) === step))
    if (path === undefined) {
      const list = held.map((one) => one.path).join(', ')
      const message =
        held.length === 0
          ? `No step of run ${id} needs attention; its status is ${row.status}${row.reason === null ? '' : ` (${row.reason})`}.`
          : `The step "${step}" of run ${id} does not need attention; these do: ${list}.`
      return { kind: 'refused', code: held.length === 0 ? 'run_not_held' : 'step_unknown', message }
    }
    const output = decision.kind === 'output' ? { output: decision.output } : {}
    return this.#send(row, 'resolve', { path, decision: decision.kind, ...output, ...optional({ actor }) })
  }

  /** The run is queued again with the retry in its inbox: it takes its turn, and its concurrency slot, like a new one. */
  async retry(...[tenant, id, actor]: Arguments<'retry'>): Promise<ControlOutcome> {
    const row = await this.#store.findRun(tenant, id)
    if (row === null) return NOT_FOUND
    if (row.parentRid !== null) {
      const message = `Run ${id} is a sub-flow's; its outcome has gone to its parent. Retry the parent run.`
      return { kind: 'refused', code: 'run_not_failed', message }
    }
    if (row.status !== 'failed') {
      const message = `Run ${id} is ${row.status}; only a failed run can be retried in place. Replay it as a new run.`
      return { kind: 'refused', code: 'run_not_failed', message }
    }
    const state = await this.#options.states.read(row)
    if (state?.exited === true) {
      const message = `Run ${id} ended itself with \`exit\`, so there is nothing to retry. Replay it as a new run.`
      return { kind: 'refused', code: 'run_not_failed', message }
    }
    const at = this.#worker.clock.now()
    const outcome = await this.#store.append({
      rid: row.rid,
      epoch: this.#store.epoch,
      nonce: `retry-${row.nextSeq}`,
      records: [],
      run: {
        status: 'queued',
        reason: null,
        wakeAt: null,
        outputs: null,
        error: null,
        finishedAt: null,
        crashCount: 0,
      },
      messages: [message('retry', { rid: row.rid, at, dedupe: `retry:${row.nextSeq}` }, optional({ actor }))],
    })
    if (outcome.kind === 'fenced') return fenced(id)
    this.#worker.own(row.rid)
    this.#worker.queueGrew([row.rid])
    return { kind: 'done', id }
  }

  async adopt(...[tenant, id]: Arguments<'adopt'>): Promise<ControlOutcome> {
    const row = await this.#store.findRun(tenant, id)
    if (row === null) return NOT_FOUND
    if (TERMINAL.has(row.status)) return ended(row, 'resumed')
    await this.#adoptTree(row)
    return { kind: 'done', id }
  }

  async #adoptTree(row: RunRow): Promise<void> {
    this.#worker.own(row.rid)
    const children = await this.#store.listRuns({
      tenant: row.tenant,
      parentRid: row.rid,
      status: ['queued', 'running', 'waiting'],
      limit: 10_000,
    })
    for (const child of children) await this.#adoptTree(child)
    if (this.#worker.find(row.rid) !== null) return
    if (row.status === 'queued') this.#worker.queueGrew([row.rid])
    else {
      const { rid } = row
      if (row.crashCount > 0) {
        await this.#store.append({ rid, epoch: this.#store.epoch, records: [], run: { crashCount: 0 } })
      }
      this.#worker.wake(rid)
    }
  }

  async resumeToken(...[runId, wait, token]: Arguments<'resumeToken'>): ReturnType<Runtime['resumeToken']> {
    const row = await this.#store.findRun(null, runId)
    if (row === null) return 'invalid'
    const stored = await this.#store.load(row.rid)
    if (stored === null || !sameText(waitToken(factsOf(stored).token, wait), token)) return 'invalid'
    if (TERMINAL.has(row.status)) return 'expired'
    const state = await this.#options.states.read(row)
    return state === null ? 'valid' : this.#options.states.tokenStanding(stored, state, wait)
  }

  async #signalProblems(row: RunRow, name: string, data: Json): Promise<readonly string[]> {
    const { program } = await this.#options.programs.byHash(row.flowHash, row.flow)
    const node = (program.byId.get(name) ?? []).find((one) => one.kind === 'wait') ?? program.byPath.get(name)
    if (node?.kind !== 'wait') return []
    const { wait } = node.plan
    const schema: JsonSchema | undefined =
      wait.kind === 'approval' ? wait.form : wait.kind === 'webhook' ? wait.schema : undefined
    return schema === undefined ? [] : this.#options.inputs.problems(schema, data)
  }

  async #send<Kind extends MessageKind>(
    row: RunRow,
    kind: Kind,
    payload: MessagePayloads[Kind],
    dedupe?: string,
  ): Promise<ControlOutcome> {
    const { rid } = row
    this.#worker.own(rid)
    const at = this.#worker.clock.now()
    await this.#worker.send(message(kind, dedupe === undefined ? { rid, at } : { rid, at, dedupe }, payload))
    return { kind: 'done', id: row.id }
  }
}

function ended(row: RunRow, what: string): ControlOutcome {
  const message = `Run ${row.id} has ended (${row.status}); it cannot be ${what} any more.`
  return { kind: 'refused', code: 'run_ended', message }
}

function fenced(id: string): ControlOutcome {
  const message = `Another process owns the store now, so run ${id} was not changed. Ask that process.`
  return { kind: 'refused', code: 'store_lost', message }
}

/** The id of the step at the end of a path: `send` of `loop[3]/send@2`. */
function lastName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1).replace(/@\d+$/, '')
}

function onlyOne(found: readonly { readonly path: string }[]): string | undefined {
  return found.length === 1 ? found[0]?.path : undefined
}

function optional<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never
}

/** Compares without telling by its time how much is right. */
function sameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}
