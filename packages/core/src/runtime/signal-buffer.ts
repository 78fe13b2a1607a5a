/**
 * Bounds the signals that a run keeps for waits that have not begun. A sender with a wrong name, or one that never stops,
 * is told; without that a run's state would grow with every signal that nobody takes.
 */
import type { BlobStore } from '../blob/blob-store.ts'
import { waits, type RunState, type Signal } from '../engine/state.ts'
import type { Json } from '../json.ts'
import type { LoadedRun, RunRow, Store, StoredMessage } from '../store/store.ts'
import { replayStored } from './journal.ts'
import { isOffloaded } from './offload.ts'
import type { Programs } from './programs.ts'
import type { Worker } from './worker.ts'

/** Signals that one run keeps at most. */
export const MAX_SIGNALS = 1_000
/** Characters of JSON that their data have at most; a single signal may be larger. */
export const MAX_SIGNAL_CHARACTERS = 4 * 1024 * 1024

export interface SignalBufferOptions {
  readonly store: Store
  readonly blobs: BlobStore
  readonly programs: Programs
  readonly worker: Worker
}

export interface SignalToSend {
  readonly name: string
  readonly outcome: Signal['outcome']
  readonly data: Json
}

/** Room for one signal, to be given back when the signal is stored or was not. Refused with what to tell the sender. */
export type SignalRoom =
  { readonly kind: 'room'; release(): void } | { readonly kind: 'full'; readonly message: string }

interface Load {
  readonly count: number
  readonly characters: number
}

const NOTHING: Load = { count: 0, characters: 0 }

export class SignalBuffer {
  readonly #options: SignalBufferOptions
  /** Signals of each run that are on their way to the store. */
  readonly #sending = new Map<number, Load>()

  constructor(options: SignalBufferOptions) {
    this.#options = options
  }

  async reserve(row: RunRow, signal: SignalToSend): Promise<SignalRoom> {
    const { rid } = row
    const size: Load = { count: 1, characters: JSON.stringify(signal.data).length }
    // Before anything is read, so that of many senders at once each counts the others.
    const others = this.#sending.get(rid) ?? NOTHING
    this.#sending.set(rid, plus(others, size))
    const release = (): void => {
      const left = minus(this.#sending.get(rid) ?? NOTHING, size)
      if (left.count > 0) this.#sending.set(rid, left)
      else this.#sending.delete(rid)
    }
    try {
      const message = await this.#refusal(row, signal, { others, size })
      if (message === null) return { kind: 'room', release }
      release()
      return { kind: 'full', message }
    } catch (error) {
      release()
      throw error
    }
  }

  /** Why there is no room; null when there is. */
  async #refusal(
    row: RunRow,
    signal: SignalToSend,
    { others, size }: { readonly others: Load; readonly size: Load },
  ): Promise<string | null> {
    const coming = plus(others, size)
    const { kept, state } = await this.#kept(row, coming)
    if (fits(plus(kept, coming)) || kept.count + coming.count === 1) return null
    if (others.count === 0 && state !== null && isAwaited(state, signal)) return null
    const open = state === null ? [] : waits(state).map(({ name, path }) => `"${name ?? path}"`)
    const { count, characters } = plus(kept, others)
    return (
      `Run ${row.id} keeps ${count} signals (${characters} characters of data) that no step of it has taken; the most is ` +
      `${MAX_SIGNALS} signals and ${MAX_SIGNAL_CHARACTERS} characters. It waits for ` +
      `${open.length === 0 ? 'no signal now' : open.join(', ')}. Check the name "${signal.name}", or send the signal when ` +
      'the run waits for it.'
    )
  }

  /** What the run keeps (or, if even that leaves room for what is coming, more), and its state if that had to be read. */
  async #kept(row: RunRow, coming: Load): Promise<{ readonly kept: Load; readonly state: RunState | null }> {
    const { store, worker, programs } = this.#options
    const active = worker.find(row.rid)
    if (active !== null) return { kept: buffered(active.state), state: active.state }
    const stored = await store.load(row.rid)
    if (stored === null) return { kept: NOTHING, state: null }
    const inbox = unread(stored.messages)
    const atMost = plus(inbox, largest(stored))
    if (fits(plus(atMost, coming))) return { kept: atMost, state: null }
    const { program } = await programs.byHash(row.flowHash, row.flow)
    const outcome = await replayStored(this.#options, program, stored)
    const state = outcome.kind === 'replayed' ? outcome.state : null
    return { kept: plus(buffered(state), inbox), state }
  }
}

function fits({ count, characters }: Load): boolean {
  return count <= MAX_SIGNALS && characters <= MAX_SIGNAL_CHARACTERS
}

/** More than the state can keep: as many signals as records, as much as snapshot and records have. */
function largest({ row, snapshot, records }: LoadedRun): Load {
  const texts = [...(snapshot === null ? [] : [snapshot.state]), ...records.map(({ data }) => data)]
  if (texts.some(isOffloaded)) return { count: Infinity, characters: Infinity }
  return { count: row.nextSeq - 1, characters: texts.reduce((sum, text) => sum + text.length, 0) }
}

function buffered(state: RunState | null): Load {
  if (state === null) return NOTHING
  const signals = Object.values(state.signals).flat()
  return { count: signals.length, characters: signals.reduce((sum, { data }) => sum + JSON.stringify(data).length, 0) }
}

function unread(messages: readonly StoredMessage[]): Load {
  const signals = messages.filter(({ kind }) => kind === 'signal')
  const characters = signals.reduce((sum, { payload }) => sum + JSON.stringify(payload).length, 0)
  return { count: signals.length, characters }
}

/** Whether an open wait takes the signal, so that it is not kept. Of an event that has to match that is not known. */
function isAwaited(state: RunState, { name, outcome }: SignalToSend): boolean {
  return waits(state).some((wait) => {
    if (wait.name !== name && wait.path !== name) return false
    return wait.kind === 'webhook' || (wait.kind === 'approval' && outcome !== 'received')
  })
}

function plus(a: Load, b: Load): Load {
  return { count: a.count + b.count, characters: a.characters + b.characters }
}

function minus(a: Load, b: Load): Load {
  return { count: a.count - b.count, characters: a.characters - b.characters }
}
