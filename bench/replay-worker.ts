/**
 * The baseline of the journal benchmarks: the same statements on the same tables and indexes, in the batch sizes that the
 * engine had, from a worker thread, without the engine. Reads what the engine stored, then stores it again.
 */
import { copyFileSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'

interface Work {
  /** What the engine wrote. */
  readonly source: string
  /** A fresh database with the same schema, empty. */
  readonly target: string
  readonly empty: string
  /** Records per commit, in turn; used again from the start when there are more records. */
  readonly batchSizes: readonly number[]
}

const { source, target, empty, batchSizes } = workerData as Work
copyFileSync(empty, target)

const from = new DatabaseSync(source, { readOnly: true })
const columns = (table: string): string[] =>
  from
    .prepare(`SELECT name FROM pragma_table_info('${table}')`)
    .all()
    .map((row) => String(row['name']))
const rows = (table: string, order: string): SQLInputValue[][] => {
  const statement = from.prepare(`SELECT * FROM ${table} ORDER BY ${order}`)
  statement.setReturnArrays(true)
  return statement.all() as unknown as SQLInputValue[][]
}
const runColumns = columns('runs')
const journalColumns = columns('journal')
const runs = new Map(rows('runs', 'rid').map((row) => [row[0] as number, row]))
const payloads = new Map(rows('run_payloads', 'rid').map((row) => [row[0] as number, row]))
const journal = rows('journal', 'rowid')
const lastOf = new Map(journal.map((row, index) => [row[0] as number, index]))
from.close()

const db = new DatabaseSync(target)
db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000')
const insert = (table: string, names: readonly string[]) =>
  db.prepare(`INSERT INTO ${table} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`)
const insertRun = insert('runs', runColumns)
const insertPayload = insert('run_payloads', columns2('run_payloads'))
const insertRecord = insert('journal', journalColumns)
const endRun = db.prepare('UPDATE runs SET status = ?, outputs = ?, finished_at = ? WHERE rid = ?')
const owner = db.prepare('SELECT epoch FROM owner WHERE id = 1')
const begin = db.prepare('BEGIN IMMEDIATE')
const commit = db.prepare('COMMIT')
const at = (name: string): number => runColumns.indexOf(name)

function columns2(table: string): string[] {
  return db
    .prepare(`SELECT name FROM pragma_table_info('${table}')`)
    .all()
    .map((row) => String(row['name']))
}

const began = performance.now()
const seen = new Set<number>()
let next = 0
for (let batch = 0; next < journal.length; batch++) {
  const size = Math.max(1, batchSizes[batch % batchSizes.length] ?? 1)
  begin.run()
  owner.get()
  for (let i = 0; i < size && next < journal.length; i++, next++) {
    const record = journal[next]!
    const rid = record[0] as number
    if (!seen.has(rid)) {
      seen.add(rid)
      const row = [...runs.get(rid)!]
      row[at('status')] = 'running'
      row[at('outputs')] = null
      row[at('finished_at')] = null
      insertRun.run(...row)
      insertPayload.run(...payloads.get(rid)!)
    }
    insertRecord.run(...record)
    if (lastOf.get(rid) === next) {
      const row = runs.get(rid)!
      endRun.run(row[at('status')]!, row[at('outputs')]!, row[at('finished_at')]!, rid)
    }
  }
  commit.run()
}
const elapsed = performance.now() - began
db.close()
parentPort!.postMessage({ records: journal.length, milliseconds: elapsed })
