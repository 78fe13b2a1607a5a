/** Collects the evidence of a data folder after the last process has ended: rows, journals, and what replay makes of them. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { idempotencyKey } from '@plugwork/core'
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

export async function collectRuns(
  store: Store,
  runtime: Runtime,
  dataDir: string,
  sources: ReadonlyMap<string, string>,
): Promise<RunEvidence[]> {
  const found: RunEvidence[] = []
  const database = new DatabaseSync(join(dataDir, 'plugwork.db'), { readOnly: true })
  const epochsOf = database.prepare('SELECT epoch FROM journal WHERE rid = ? ORDER BY seq')
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
        epochs: epochsOf.all(row.rid).map((record) => Number(record['epoch'])),
        waits: await timedWaits(runtime, row, sources.get(row.flow)),
      })
    }
    if (page.length < 200) break
    before = page.at(-1)!.rid
  }
  database.close()
  return found
}
