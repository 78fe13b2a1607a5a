/** The plain writes of one group commit, gathered as the arrays of its statement. A run is listed once: its writes are merged. */
import { COMMITTED, RECORD_WIDTH, unpackRun } from '../sqlite/messages.ts'
import type { AcceptOp, AppendOp, FlatPatch, FlatRecords, SmallOp } from '../sqlite/messages.ts'
import type { Column } from './database.ts'
import { rowOf } from './rows-to-insert.ts'
import { PATCH_BITS, type TablesContext } from './run-tables.ts'
import { commitStatement, NEW_RUN, PATCHED, type Shape } from './statements.ts'

interface Written {
  readonly rid: number
  readonly ops: AppendOp[]
  readonly from: number | null
  records: number
  /** Of a write without records. */
  readonly nonce: string | null
  mask: number
  readonly values: Column[]
}

type Values = unknown[][]

export class Group {
  readonly #context: TablesContext
  readonly #written = new Map<number, Written>()
  readonly #accepts = new Map<string, AcceptOp>()
  readonly #rids = new Map<string, number>()
  readonly #records = columns(RECORD_WIDTH + 2)
  readonly #firstRecords = columns(RECORD_WIDTH + 2)
  readonly #snapshots = columns(3)
  readonly #consumes = columns(2)
  readonly #blobs = columns(3)
  #patches = false

  constructor(context: TablesContext) {
    this.#context = context
  }

  has(lane: number | string): boolean {
    return typeof lane === 'number' ? this.#written.has(lane) : this.#accepts.has(lane)
  }

  /** Adds a write; false when it cannot be in the same statement as what is there (it then comes in the next). */
  add(op: AppendOp | AcceptOp, nextSeq: number | null): boolean {
    return op[0] === 0 ? this.#addAppend(op, nextSeq) : this.#addAccept(op)
  }

  statement(): { readonly text: string; readonly values: unknown[]; readonly name: string } {
    const shape: Shape = {
      patches: this.#patches,
      accepts: this.#accepts.size > 0,
      snapshots: this.#snapshots[0]?.length !== 0,
      consumes: this.#consumes[0]?.length !== 0,
      blobs: this.#blobs[0]?.length !== 0,
    }
    const runs = columns(5 + (shape.patches ? 1 + PATCHED.length : 0))
    for (const { rid, from, records, nonce, mask, values } of this.#written.values()) {
      const row: unknown[] = [rid, this.#context.known.epochOf(rid) ?? null, from, records, nonce]
      push(runs, shape.patches ? [...row, mask, ...values] : row)
    }
    const values: unknown[] = [this.#context.epoch, this.#context.channel, ...runs, ...this.#records]
    if (shape.snapshots) values.push(...this.#snapshots)
    if (shape.consumes) values.push(...this.#consumes)
    if (shape.blobs) values.push(...this.#blobs)
    if (shape.accepts) values.push(...this.#newRuns())
    const text = commitStatement(shape)
    const name = `commit-${Object.values(shape).map(Number).join('')}`
    return { text, values, name }
  }

  /** The operations that the answer of the statement names. */
  landed(rows: readonly (readonly Column[])[]): ReadonlySet<SmallOp> {
    const landed = new Set<SmallOp>()
    for (const [kind, number, id] of rows) {
      if (kind === 0) for (const op of this.#written.get(number as number)?.ops ?? []) landed.add(op)
      if (kind !== 1) continue
      const op = this.#accepts.get(id as string)
      if (op === undefined) continue
      this.#rids.set(id as string, number as number)
      landed.add(op)
    }
    return landed
  }

  answerOf(op: SmallOp): unknown {
    if (op[0] !== 1) return COMMITTED
    const rid = this.#rids.get(op[2][0]) ?? 0
    return op[3] === null ? { kind: 'created', rid, status: 'queued', cancelled: [], messages: [] } : rid
  }

  #addAppend(op: AppendOp, nextSeq: number | null): boolean {
    const [, , rid, , nonce, records, patch, rest] = op
    const known = this.#written.get(rid)
    const first = (records[0] as number | undefined) ?? null
    if (known !== undefined) {
      // Merged only where one follows the other without a gap; anything else takes its turn alone.
      if (first === null || known.records === 0 || known.from === null || rest !== null) return false
      if (known.from + known.records !== first) return false
    }
    const written = known ?? {
      rid,
      ops: [],
      from: first ?? nextSeq,
      records: 0,
      nonce: first === null ? nonce : null,
      mask: 0,
      values: PATCHED.map(() => null),
    }
    this.#written.set(rid, written)
    written.ops.push(op)
    written.records += records.length / RECORD_WIDTH
    pushRecords(this.#records, rid, records, nonce)
    if (patch !== null) this.#patch(written, patch)
    if (rest === null) return true
    if (rest.snapshot) push(this.#snapshots, [rid, rest.snapshot.seq, rest.snapshot.state])
    for (const id of rest.consumes) push(this.#consumes, [id, rid])
    for (const { hash, size } of rest.blobs) push(this.#blobs, [hash, rid, size])
    return true
  }

  #patch(written: Written, patch: FlatPatch): void {
    this.#patches = true
    for (let i = 0; i < patch.length; i += 2) {
      const bit = PATCH_BITS.get(patch[i] as string) ?? 0
      written.mask |= 1 << bit
      written.values[bit] = patch[i + 1] as Column
    }
  }

  #addAccept(op: AcceptOp): boolean {
    const id = op[2][0]
    if (this.#accepts.has(id)) return false
    this.#accepts.set(id, op)
    const start = op[3]
    if (start !== null) pushRecords(this.#firstRecords, id, start[0], start[3])
    return true
  }

  #newRuns(): Values {
    const runs = columns(NEW_RUN.length)
    const payloads = columns(4)
    for (const op of this.#accepts.values()) {
      const flat = unpackRun(op[2])
      const [records, patch, , nonce] = op[3] ?? [[], null, null, null]
      const status = op[3] === null ? 'queued' : 'running'
      const row = rowOf({ flat, status, patch, records: records.length / RECORD_WIDTH, nonce })
      push(
        runs,
        NEW_RUN.map(([column]) => row[column]),
      )
      push(payloads, [flat.id, flat.trigger, flat.inputs, flat.facts])
    }
    return [...runs, ...payloads, ...this.#firstRecords]
  }
}

function pushRecords(into: Values, run: number | string, records: FlatRecords, nonce: string | null): void {
  for (let i = 0; i < records.length; i += RECORD_WIDTH) {
    into[0]?.push(run)
    for (let k = 0; k < RECORD_WIDTH; k++) into[k + 1]?.push(records[i + k])
    into[RECORD_WIDTH + 1]?.push(i === 0 ? nonce : null)
  }
}

function columns(count: number): Values {
  return Array.from({ length: count }, () => [])
}

function push(into: Values, row: readonly unknown[]): void {
  for (const [i, value] of row.entries()) into[i]?.push(value)
}
