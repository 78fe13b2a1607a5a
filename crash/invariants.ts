/** The invariants, over three independent records: acknowledgements, the oracle's log, the journal. Pure functions. */
import type { JournalRecord, RunRow } from '@plugwork/core/node'
import type { EffectEntry } from './oracle.ts'

export interface Acknowledged {
  /** Run ids that the API answered with 2xx, and the flow and input that were asked for. */
  readonly starts: readonly { readonly id: string; readonly flow: string; readonly n: number; readonly key: string }[]
  readonly signals: readonly { readonly run: string; readonly name: string; readonly dedupe: string }[]
}

export interface RunEvidence {
  readonly row: RunRow
  readonly records: readonly JournalRecord[]
  /** Differences between the stored run and the one derived from its journal. */
  readonly verify: readonly string[]
  /** Idempotency key of a step path of this run. */
  readonly keyOf: (path: string) => string
  readonly epochs: readonly number[]
  /** Waits for a time that have ended: how long they were asked to take, and from when to when they did, ms. */
  readonly waits: readonly {
    readonly path: string
    readonly askedMs: number
    readonly startedAt: number
    readonly endedAt: number
  }[]
}

export interface Evidence {
  readonly acknowledged: Acknowledged
  readonly effects: readonly EffectEntry[]
  readonly runs: readonly RunEvidence[]
  /** Epoch ms of every kill. */
  readonly kills: readonly number[]
  /** Outputs of a run that was never killed, by flow and input. */
  readonly reference: ReadonlyMap<string, string>
  /** Epoch ms at which the last process was stopped. */
  readonly endedAt: number
}

/** How long what is due may wait for a process that serves, ms. */
const DUE_MS = 3_000

export interface Violation {
  readonly invariant: string
  readonly what: string
}

export const referenceKey = (flow: string, n: number): string => `${flow}(${n})`

/** JSON with sorted keys, so that equal outputs are equal texts. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}

export function checkInvariants(evidence: Evidence): Violation[] {
  const violations: Violation[] = []
  const broken = (invariant: string, what: string): void => void violations.push({ invariant, what })
  const byId = new Map(evidence.runs.map((run) => [run.row.id, run]))
  const effectsByKey = Map.groupBy(evidence.effects, (effect) => effect.key)

  for (const start of evidence.acknowledged.starts) {
    const run = byId.get(start.id)
    if (!run) broken('I1', `run ${start.id} of ${start.flow} was acknowledged and does not exist`)
    else if (run.row.flow !== start.flow) broken('I1', `run ${start.id} is of ${run.row.flow}, not ${start.flow}`)
  }
  for (const [key, same] of Map.groupBy(evidence.acknowledged.starts, (start) => start.key)) {
    const ids = new Set(same.map((start) => start.id))
    if (ids.size > 1) broken('I1', `idempotency key ${key} made ${ids.size} runs: ${[...ids].join(', ')}`)
  }
  for (const signal of evidence.acknowledged.signals) {
    const run = byId.get(signal.run)
    const seen = run?.records.filter((record) => record.kind === 'signal' && record.data.includes(signal.dedupe)).length
    if (seen === 0) broken('I1', `signal ${signal.dedupe} to ${signal.run} was acknowledged and never reached the run`)
    if (seen !== undefined && seen > 1) broken('I9', `signal ${signal.dedupe} was consumed ${seen} times`)
  }

  // Signals of one name stand here in the order in which they were sent, each after the answer to the one before.
  for (const [of, sent] of Map.groupBy(evidence.acknowledged.signals, ({ run, name }) => `${name} to ${run}`)) {
    const records = byId.get(sent[0]!.run)?.records ?? []
    const places = sent.map(({ dedupe }) => records.findIndex((r) => r.kind === 'signal' && r.data.includes(dedupe)))
    const found = places.filter((place) => place >= 0)
    if (found.some((place, i) => place < (found[i - 1] ?? 0))) broken('I9', `signals ${of} came out of order`)
  }

  for (const { row, records, verify, keyOf, epochs, waits } of evidence.runs) {
    const completions = records.filter((record) => record.completes)
    const starts = firstStarts(records)
    for (const [path, startedAt] of starts) {
      const early = (effectsByKey.get(keyOf(path)) ?? []).find((effect) => effect.begun < startedAt)
      if (early)
        broken(
          'I2',
          `an effect of ${row.id} ${path} began ${startedAt - early.begun} ms before the record that starts it`,
        )
    }
    for (const wait of waits) {
      const tookMs = wait.endedAt - wait.startedAt
      if (tookMs < wait.askedMs)
        broken('I8', `run ${row.id} ${wait.path}: early, after ${tookMs} ms of ${wait.askedMs}`)
      // The journal may be wrong about the time: what the end of the wait has set free did not begin before it.
      for (const [path, at] of starts) {
        const effect = (effectsByKey.get(keyOf(path)) ?? []).find((one) => one.at < wait.startedAt + wait.askedMs)
        if (at === wait.endedAt && effect) {
          const ms = effect.at - wait.startedAt
          broken('I8', `run ${row.id} ${wait.path}: early, ${path} began after ${ms} ms of ${wait.askedMs}`)
        }
      }
    }
    const paths = new Set<string>()
    for (const record of completions) {
      if (paths.has(record.path)) broken('I2', `run ${row.id} completed ${record.path} twice`)
      paths.add(record.path)
      const effects = effectsByKey.get(keyOf(record.path)) ?? []
      for (const effect of effects) {
        if (effect.begun > record.at) broken('I2', `an effect of ${row.id} ${record.path} began after its completion`)
      }
      if (record.kind === 'completed' && effects.length === 0) {
        broken('I3', `${row.id} ${record.path} is completed and the oracle never saw it`)
      }
      const attempts = records.filter((r) => r.path === record.path && (r.kind === 'failed' || r.completes)).length
      const kills = evidence.kills.filter((at) => at >= row.createdAt && at <= (row.finishedAt ?? Infinity)).length
      if (effects.length > attempts + kills) {
        broken('I3', `${row.id} ${record.path}: ${effects.length} effects for ${attempts} attempts and ${kills} kills`)
      }
    }
    for (let i = 1; i < epochs.length; i++) {
      if (epochs[i]! < epochs[i - 1]!) broken('I4', `run ${row.id}: epoch ${epochs[i]} after ${epochs[i - 1]}`)
    }
    records.forEach((record, index) => {
      if (record.seq !== records[0]!.seq + index) broken('I5', `run ${row.id}: hole before record ${record.seq}`)
    })
    for (const difference of verify) broken('I5', `run ${row.id}: ${difference}`)
    if (row.status !== 'succeeded') {
      broken('I6', `run ${row.id} of ${row.flow} is ${row.status} (${row.reason ?? row.error?.message ?? 'no reason'})`)
    }
    if (row.status === 'queued') broken('I7', `run ${row.id} was ready and not taken`)
    if (row.status === 'running') broken('I7', `run ${row.id} is no process's any more and was not taken over`)
    if (row.status === 'waiting' && row.wakeAt !== null && row.wakeAt < evidence.endedAt - DUE_MS) {
      broken('I8', `run ${row.id} was due ${evidence.endedAt - row.wakeAt} ms before the end and did not wake`)
    }
    const n = row.inputs['n']
    const expected = typeof n === 'number' ? evidence.reference.get(referenceKey(row.flow, n)) : undefined
    if (expected !== undefined && row.status === 'succeeded' && canonical(row.outputs) !== expected) {
      broken('I10', `run ${row.id} of ${row.flow}(${String(n)}) gave ${canonical(row.outputs)}, not ${expected}`)
    }
  }
  return violations
}

/** When each effect was started first, as the journal has it. */
function firstStarts(records: readonly JournalRecord[]): Map<string, number> {
  const first = new Map<string, number>()
  for (const record of records) {
    const { started } = JSON.parse(record.data) as { started?: readonly { do: string; path: string }[] }
    for (const entry of started ?? []) {
      if (entry.do === 'effect' && !first.has(entry.path)) first.set(entry.path, record.at)
    }
  }
  return first
}
