/** Collects the evidence of a data folder after the last process has ended: rows, journals, and what replay makes of them. */
import { existsSync, readFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { idempotencyKey } from '@plugwork/core'
import { parseAddress } from '@plugwork/core/node'
import pg from 'pg'
import type { JournalRecord, RunRow, Runtime, Store } from '@plugwork/core/node'
import type { RunEvidence } from './invariants.ts'
import type { EffectEntry } from './oracle.ts'

export function readEffects(file: string): EffectEntry[] {
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n')
  return lines.filter((line) => line.endsWith('}')).map((line) => JSON.parse(line) as EffectEntry)
}

async function journalOf(store: Store, rid: number): Promise<JournalRecord[]> {
  const all: JournalRecord[] = []
  for (;;) {
    const page = await store.readJournal(rid, (all.at(-1)?.seq ?? -1) + 1, 1000)
    all.push(...page)
    if (page.length < 1000) return all
  }
}

/** Durations of `wait: 20ms` steps stand in their path's step; the flow's source says how long. */
function timedWaits(runtime: Runtime, row: RunRow, source: string | undefined): Promise<RunEvidence['waits']> {
  const asked = new Map<string, number>()
  for (const match of (source ?? '').matchAll(/- id: (\w+)\n\s+wait: (\d+)ms/g)) asked.set(match[1]!, Number(match[2]))
  if (asked.size === 0) return Promise.resolve([])
  return runtime.get(row.tenant, row.id).then((detail) =>
    (detail?.steps ?? []).flatMap((step) => {
      const askedMs = step.id === null ? undefined : asked.get(step.id)
      if (askedMs === undefined || step.startedAt === null || step.endedAt === null) return []
      return [{ path: step.path, askedMs, startedAt: step.startedAt, endedAt: step.endedAt }]
    }),
  )
}

/** Epochs of the records of each run, in their order. */
export type Epochs = ReadonlyMap<number, readonly number[]>

export function fileEpochs(file: string): Epochs {
  const database = new DatabaseSync(file, { readOnly: true })
  try {
    return byRun(database.prepare('SELECT rid, epoch FROM journal ORDER BY rid, seq').all())
  } finally {
    database.close()
  }
}

export async function databaseEpochs(databaseUrl: string): Promise<Epochs> {
  const { url, schema } = parseAddress(databaseUrl)
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return byRun((await client.query(`SELECT rid, epoch FROM "${schema}".journal ORDER BY rid, seq`)).rows)
  } finally {
    await client.end()
  }
}

function byRun(rows: readonly { readonly [column: string]: unknown }[]): Epochs {
  const runs = new Map<number, number[]>()
  for (const { rid, epoch } of rows) {
    const epochs = runs.get(Number(rid)) ?? []
    epochs.push(Number(epoch))
    runs.set(Number(rid), epochs)
  }
  return runs
}

export async function collectRuns(
  store: Store,
  runtime: Runtime,
  epochs: Epochs,
  sources: ReadonlyMap<string, string>,
): Promise<RunEvidence[]> {
  const found: RunEvidence[] = []
  let before: number | undefined
  for (;;) {
    const page = await store.listRuns({ tenant: 'default', limit: 200, before })
    for (const row of page) {
      const root = row.rootRid === null ? row : ((await store.getRun(row.rootRid)) ?? row)
      found.push({
        row,
        records: await journalOf(store, row.rid),
        verify: await runtime.verify(row.tenant, row.id),
        keyOf: (path) => idempotencyKey({ rootRunId: root.id, runId: row.id }, path),
        epochs: epochs.get(row.rid) ?? [],
        waits: await timedWaits(runtime, row, sources.get(row.flow)),
      })
    }
    if (page.length < 200) break
    before = page.at(-1)!.rid
  }
  return found
}
