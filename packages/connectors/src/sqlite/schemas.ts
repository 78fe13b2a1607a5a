/** Shapes of the sqlite connector: what a connection is configured with, what its actions take and answer. */
import { parseDuration, type Json } from '@plugwork/core'
import { z } from 'zod'
import type { Statement } from './protocol.ts'

const DEFAULT_MAX_ROWS = 10_000

const timeout = z.union([z.number().nonnegative(), z.string()]).refine((value) => {
  const ms = parseDuration(value)
  return ms !== null && ms <= 600_000
}, 'must be a duration of at most 10 minutes, such as 5s, or a number of seconds')

export const sqliteConfig = z.strictObject({
  database: z
    .string()
    .min(1)
    .describe('Path of the file, inside the project folder, or `:memory:`. Its folder is made where it is missing.'),
  read_only: z.boolean().default(false).describe('Refuses every write.'),
  timeout: timeout.default(5).describe('How long a lock of another process is waited for: `5s`, or seconds.'),
  journal_mode: z
    .enum(['wal', 'delete', 'truncate', 'persist', 'memory'])
    .optional()
    .describe("Sets the file's journal mode. `wal` lets others read while one writes. Default: as the file is."),
  exactly_once: z
    .boolean()
    .default(true)
    .describe(
      'Writes leave their idempotency key in the table `_plugwork_applied`, so that a repeated attempt does nothing.',
    ),
  pragmas: z
    .strictObject({
      foreign_keys: z.boolean().optional(),
      recursive_triggers: z.boolean().optional(),
      synchronous: z.enum(['normal', 'full', 'extra']).optional(),
      cache_size: z.int().optional(),
      mmap_size: z.int().nonnegative().optional(),
      temp_store: z.enum(['default', 'file', 'memory']).optional(),
      wal_autocheckpoint: z.int().nonnegative().optional(),
      secure_delete: z.boolean().optional(),
    })
    .default({})
    .describe('Settings of SQLite; `foreign_keys` is on unless turned off here.'),
})

export type SqliteConfig = z.output<typeof sqliteConfig>

/** JSON already, from the run or from the worker: checking each value again would cost more than the query. */
const value = z.unknown() as unknown as z.ZodType<Json>
const params = z
  .union([z.array(value), z.record(z.string(), value)])
  .optional()
  .describe('Values of `?` in order, or of `:name` by name. Expressions in the text need none: they are bound.')

/**
 * As authors write it, or as the compiler makes it of a text with expressions. `text` has the keyword too: were an author
 * to write the compiled form, expressions in it would become text of the statement.
 */
const keyword = { 'x-plugwork': 'sql' } as const
const sql = z
  .union([z.string().min(1), z.strictObject({ text: z.string().min(1).meta(keyword), params: z.array(value) })])
  .meta({ ...keyword, description: 'One statement. Each `${…}` in it is bound as a value, never spliced in.' })

const one = { query: sql, params }

export const queryInput = z.strictObject({
  ...one,
  max_rows: z.int().positive().max(100_000).default(DEFAULT_MAX_ROWS).describe('More rows than this are an error.'),
})
export const queryOutput = z.object({
  rows: z
    .array(z.record(z.string(), value))
    .describe('One object per row; a second column of the same name is `name_2`.'),
  row_count: z.int(),
})

export const executeInput = z.strictObject(one)
const statementOutput = {
  rows_affected: z.int().describe('Rows that were inserted, updated or deleted.'),
  last_insert_id: z
    .union([z.int(), z.string(), z.null()])
    .describe('Row id of the last row inserted; null for other statements.'),
  rows: z.array(z.record(z.string(), value)).describe('What `RETURNING` returned.'),
  row_count: z.int(),
}
export const executeOutput = z.object(statementOutput)

export const transactionInput = z.strictObject({
  queries: z
    .array(z.union([sql, z.strictObject(one)]))
    .min(1)
    .describe('Statements, each a text or `{ query, params }`; all of them happen, or none.'),
})
export const transactionOutput = z.object({
  results: z.array(z.object(statementOutput)).describe('One for each statement.'),
  rows_affected: z.int().describe('Of all statements.'),
  last_insert_id: statementOutput.last_insert_id,
})

const table = z.string().min(1).describe('Name of the table.')
const batchSize = z
  .int()
  .positive()
  .max(100_000)
  .default(1_000)
  .describe('Rows in one batch; all batches are one transaction.')
const record = z.record(z.string(), value)

export const batchInsertInput = z.strictObject({
  table,
  records: z.array(record).describe('One object per row. A column that a record leaves out gets its default.'),
  batch_size: batchSize,
  on_conflict: z
    .enum(['error', 'ignore', 'replace'])
    .default('error')
    .describe('What happens to a row that a unique key refuses.'),
})
export const batchInsertOutput = z.object({
  inserted_count: z.int().describe('Rows inserted; those ignored are not counted.'),
  batches: z.int(),
})

export const batchUpdateInput = z.strictObject({
  table,
  updates: z.array(record).describe('One object per update: the key and the columns to change.'),
  key_field: z.string().min(1).default('id').describe('Column that finds the row.'),
  batch_size: batchSize,
})
export const batchUpdateOutput = z.object({
  updated_count: z.int().describe('Rows that were found and updated.'),
  batches: z.int(),
})

/** A statement from what an action was given. */
export function statementOf(input: z.output<typeof executeInput> | z.output<typeof sql>): Statement {
  if (typeof input === 'string') return { text: input, params: [] }
  if ('text' in input) return input
  const { query, params: own } = input
  return typeof query === 'string' ? { text: query, params: own ?? [] } : query
}
