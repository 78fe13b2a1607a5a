import { randomUUID } from 'node:crypto'

import type { BlobStore } from '../blob/blob-store.ts'
import type { Command } from '../engine/command.ts'
import type { JsonObject } from '../json.ts'
import type { BlobRow, JournalRecord, NewEvent, NewMessage, NewRun, RunPatch, RunWrite } from '../store/store.ts'
import { isLarge, mayNeedOffload, offload, offloadWhole } from './offload.ts'

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/**
 * What the decisions of one run since its last write have produced: records to be stored, and the commands that are
 * carried out once they are. Stored whole or not at all.
 */
export class Batch {
  readonly records: Mutable<JournalRecord>[] = []
  readonly commands: Command[] = []
  /** Messages of the inbox that these records consume. */
  readonly consumes: number[] = []
  children: NewRun[] | null = null
  events: NewEvent[] | null = null
  subscribe: { path: string; event: string; after?: number }[] | null = null
  unsubscribe: string[] | null = null
  messages: NewMessage[] | null = null
  childMessages: { parentPath: string; message: Omit<NewMessage, 'rid'> }[] | null = null
  patch: Mutable<RunPatch> | null = null
  snapshot: { seq: number; state: string } | null = null
  /** Of a batch without records: the number that the run's next one will have. */
  nextSeq: number | null = null
  /** How often the write has failed. */
  failures = 0
  /** The run's row gets a large value (outputs, or those of an ended child for its parent). */
  largeRow = false
  /** Whether an abort is among the commands. */
  aborts = false
  /** The run leaves the memory when this is durable. */
  settles = false
  #blobs: BlobRow[] | null = null
  /** When the oldest of them was put last. */
  #blobsAt: number | null = null
  #nonce: string | null = null

  /** Whether values of it have to go to the blob store first. */
  get large(): boolean {
    if (this.largeRow || (this.snapshot !== null && mayNeedOffload(this.snapshot.state))) return true
    return this.records.some((record) => mayNeedOffload(record.data))
  }

  /** Whether there is nothing to write. */
  get empty(): boolean {
    if (this.records.length > 0 || this.patch !== null || this.consumes.length > 0) return false
    return this.snapshot === null && this.subscribe === null && this.messages === null
  }

  /** Moves large values to the blob store, at the time `now`. Doing it again, after a failure, moves what is left. */
  async offload(blobs: BlobStore, now: number): Promise<void> {
    this.#blobsAt ??= now
    // Kept as they come: a failure later on must not lose those that values refer to already.
    const rows = (this.#blobs ??= [])
    const move = async (text: string): Promise<string> => {
      if (!mayNeedOffload(text)) return text
      const moved = await offload(text, blobs)
      rows.push(...moved.blobs)
      return moved.text
    }
    const moveObject = async (object: JsonObject): Promise<JsonObject> => {
      return isLarge(object) ? (JSON.parse(await move(JSON.stringify(object))) as JsonObject) : object
    }
    for (const record of this.records) record.data = await move(record.data)
    if (this.snapshot !== null) await this.#offloadSnapshot(this.snapshot, blobs, rows)
    if (this.patch?.outputs) this.patch.outputs = await moveObject(this.patch.outputs)
    for (const [i, child] of (this.children ?? []).entries()) {
      this.children![i] = { ...child, inputs: await moveObject(child.inputs) }
    }
    for (const [i, message] of (this.messages ?? []).entries()) {
      this.messages![i] = { ...message, payload: await moveObject(message.payload) }
    }
  }

  /** Whether it has put blobs, before that time, which no stored write refers to yet. */
  hasBlobsFrom(before: number): boolean {
    return this.#blobs !== null && this.#blobs.length > 0 && this.#blobsAt !== null && this.#blobsAt <= before
  }

  /** Puts its blobs once more, so that they do not count as orphans. Throws `blob_missing` for one that is gone. */
  async renewBlobs(blobs: BlobStore, now: number): Promise<void> {
    for (const { hash } of this.#blobs ?? []) await blobs.put(await blobs.get(hash))
    this.#blobsAt = now
  }

  async #offloadSnapshot(snapshot: { state: string }, blobs: BlobStore, rows: BlobRow[]): Promise<void> {
    if (!mayNeedOffload(snapshot.state)) return
    // Of a parked run value by value: those that an earlier snapshot had are stored already. In the middle of a long loop
    // that would only cost memory, and the next snapshot is twice as large anyway.
    const moved = await (this.settles ? offload(snapshot.state, blobs) : offloadWhole(snapshot.state, blobs))
    snapshot.state = moved.text
    rows.push(...moved.blobs)
  }

  /** The write, but for whose it is. */
  body(): Omit<RunWrite, 'rid' | 'epoch'> {
    const write: Mutable<Omit<RunWrite, 'rid' | 'epoch'>> = { records: this.records }
    if (this.patch !== null) write.run = this.patch
    if (this.snapshot !== null) write.snapshot = this.snapshot
    if (this.children !== null) write.children = this.children
    if (this.events !== null) write.events = this.events
    if (this.subscribe !== null) write.subscribe = this.subscribe
    if (this.unsubscribe !== null) write.unsubscribe = this.unsubscribe
    if (this.messages !== null) write.messages = this.messages
    if (this.childMessages !== null) write.childMessages = this.childMessages
    if (this.consumes.length > 0) write.consumes = this.consumes
    if (this.#blobs !== null && this.#blobs.length > 0) write.blobs = this.#blobs
    return write
  }

  /** The write; the same nonce each time, by which the store knows one that has landed already. */
  write(rid: number, epoch: number): RunWrite {
    this.#nonce ??= nonce(epoch, this.records.length > 0)
    const write = { ...this.body(), rid, epoch, nonce: this.#nonce }
    return this.nextSeq === null ? write : { ...write, nextSeq: this.nextSeq }
  }
}

/**
 * Distinct for each write of a run. It stands in the journal, so it is short where the number of the first record tells
 * writes apart as well: chance is needed only against another write in the same place, which must not pass for this one.
 */
function nonce(epoch: number, hasRecords: boolean): string {
  return hasRecords ? `${epoch}-${Math.floor(Math.random() * 2 ** 40).toString(36)}` : `${epoch}-${randomUUID()}`
}
