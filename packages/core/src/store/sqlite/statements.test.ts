/** Every statement that runs often must be served by an index: a scan would be felt only when there is much data. */
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'

import type { RunStatus } from '../store.ts'
import { migrateTables } from './migrations.ts'
import { countStatement, listStatement, patchStatement, READ, WRITE } from './statements.ts'

const db = new DatabaseSync(':memory:')
migrateTables(db, 'memory')

/** Statements that read a whole (small) table, or an index from its beginning, on purpose. */
const SCANS_ALLOWED: ReadonlySet<string> = new Set([
  'WRITE.queued',
  'WRITE.doomed',
  'WRITE.lastEvent',
  'WRITE.ownerEpoch',
  'READ.dueMessages',
  'READ.flows',
  'READ.schedules',
  'READ.tokens',
  'WRITE.endedFlows',
  'READ.endedFlows',
  'READ.lastEvent',
])

function planOf(sql: string): string[] {
  return db
    .prepare(`EXPLAIN QUERY PLAN ${sql}`)
    .all()
    .map((row) => String(row['detail']))
}

const isQuery = (sql: string) => /^\s*(SELECT|UPDATE|DELETE|INSERT|WITH)/.test(sql)

const all = [
  ...Object.entries(WRITE).map(([name, sql]) => [`WRITE.${name}`, sql] as const),
  ...Object.entries(READ).map(([name, sql]) => [`READ.${name}`, sql] as const),
  ['patch', patchStatement(['status', 'finished_at'])] as const,
].filter(([name, sql]) => isQuery(sql) && !SCANS_ALLOWED.has(name))

test.each(all)('%s scans no table', (_name, sql) => {
  const scans = planOf(sql).filter((line) => line.startsWith('SCAN') && !/json_each|VIRTUAL|CONSTANT/.test(line))
  expect(scans).toEqual([])
})

test('the queue is read in its order, without sorting it', () => {
  expect(planOf(WRITE.queued)).toEqual(['SCAN runs USING INDEX runs_queued'])
  expect(planOf(WRITE.holders)[0]).toContain('USING INDEX runs_keyed')
  expect(planOf(READ.dueTimers)).toEqual([expect.stringContaining('USING COVERING INDEX runs_waiting')])
  expect(planOf(READ.interrupted)[0]).toContain('runs_status')
})

test('flows with ended runs are found by jumping along their index', () => {
  const plan = planOf(READ.endedFlows).filter((line) => line.includes('runs'))
  expect(plan.join('; ')).toContain('runs_ended (tenant=? AND flow>?)')
  expect(plan.join('; ')).toContain('runs_ended (tenant>?)')
})

const unusual: readonly RunStatus[] = ['queued', 'running', 'waiting', 'failed', 'cancelled']
const indexOf = (status: RunStatus | null, by: { readonly flow?: boolean; readonly parent?: boolean }) =>
  planOf(listStatement({ flow: by.flow ?? false, parent: by.parent ?? false, status }))[0]

test.each(unusual)('a list of %s runs uses the index of statuses, or of parents', (status) => {
  expect(indexOf(status, {})).toContain('runs_status')
  expect(indexOf(status, { flow: true })).toContain('runs_status')
  expect(indexOf(status, { parent: true })).toContain('runs_parent')
  expect(planOf(countStatement([status], true))[0]).toContain('COVERING INDEX runs_status')
})

test.each([null, 'succeeded'] as const)(
  'a list of runs (%s) is in the order of the table, or of its index',
  (status) => {
    expect(indexOf(status, {})).toContain('PRIMARY KEY')
    expect(indexOf(status, { flow: true })).toContain('runs_flow')
    expect(indexOf(status, { parent: true })).toContain('runs_parent')
  },
)
