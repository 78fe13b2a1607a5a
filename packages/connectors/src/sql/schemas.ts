/** What the five actions of every SQL connector take and answer, so that a flow moves from one database to another. */
import type { Json } from '@plugwork/core'
import { z } from 'zod'
import type { Statement } from './operation.ts'

const DEFAULT_MAX_ROWS = 10_000

/** JSON already, from the run or from the database: checking each value again would cost more than the query. */
export const sqlValue = z.unknown() as unknown as z.ZodType<Json>

/**
 * As authors write it, or as the compiler makes it of a text with expressions. `text` has the keyword too: were an author
 * to write the compiled form, expressions in it would become text of the statement.
 */
const keyword = { 'x-plugwork': 'sql' } as const
const sql = z
  .union([z.string().min(1), z.strictObject({ text: z.string().min(1).meta(keyword), params: z.array(sqlValue) })])
  .meta({ ...keyword, description: 'One statement. Each `${…}` in it is bound as a value, never spliced in.' })

type Params = readonly Json[] | { readonly [name: string]: Json }

/** What differs between databases. */
export interface SqlWording<P extends z.ZodType<Params | undefined>> {
  /** Values of the author's own placeholders. */
  readonly params: P
  readonly table: string
  readonly lastInsertId: string
}

/** The schemas, with a database's own wording. */
export function sqlSchemas<P extends z.ZodType<Params | undefined>>({ params, table, lastInsertId }: SqlWording<P>) {
  const one = { query: sql, params }
  const rows = z.array(z.record(z.string(), sqlValue))
  const statementOutput = {
    rows_affected: z.int().describe('Rows that were inserted, updated or deleted.'),
    last_insert_id: z.union([z.int(), z.string(), z.null()]).describe(lastInsertId),
    rows: rows.describe('What `RETURNING` returned.'),
    row_count: z.int(),
  }
  const tableName = z.string().min(1).describe(table)
  const batchSize = z
    .int()
    .positive()
    .max(100_000)
    .default(1_000)
    .describe('Rows in one batch; all batches are one transaction.')
  const record = z.record(z.string(), sqlValue)
  return {
    queryInput: z.strictObject({
      ...one,
      max_rows: z.int().positive().max(100_000).default(DEFAULT_MAX_ROWS).describe('More rows than this are an error.'),
    }),
    queryOutput: z.object({
      rows: rows.describe('One object per row; a second column of the same name is `name_2`.'),
      row_count: z.int(),
    }),
    executeInput: z.strictObject(one),
    executeOutput: z.object(statementOutput),
    transactionInput: z.strictObject({
      queries: z
        .array(z.union([sql, z.strictObject(one)]))
        .min(1)
        .describe('Statements, each a text or `{ query, params }`; all of them happen, or none.'),
    }),
    transactionOutput: z.object({
      results: z.array(z.object(statementOutput)).describe('One for each statement.'),
      rows_affected: z.int().describe('Of all statements.'),
      last_insert_id: statementOutput.last_insert_id,
    }),
    batchInsertInput: z.strictObject({
      table: tableName,
      records: z.array(record).describe('One object per row. A column that a record leaves out gets its default.'),
      batch_size: batchSize,
      on_conflict: z
        .enum(['error', 'ignore', 'replace'])
        .default('error')
        .describe('What happens to a row that a unique key refuses.'),
    }),
    batchInsertOutput: z.object({
      inserted_count: z.int().describe('Rows inserted; those ignored are not counted.'),
      batches: z.int(),
    }),
    batchUpdateInput: z.strictObject({
      table: tableName,
      updates: z.array(record).describe('One object per update: the key and the columns to change.'),
      key_field: z.string().min(1).default('id').describe('Column that finds the row.'),
      batch_size: batchSize,
    }),
    batchUpdateOutput: z.object({
      updated_count: z.int().describe('Rows that were found and updated.'),
      batches: z.int(),
    }),
  }
}

export type SqlSchemas = ReturnType<typeof sqlSchemas<z.ZodType<Params | undefined>>>

type StatementInput =
  z.output<typeof sql> | { readonly query: z.output<typeof sql>; readonly params?: Params | undefined }

/** A statement from what an action was given. */
export function statementOf(input: StatementInput): Statement {
  if (typeof input === 'string') return { text: input, params: [] }
  if ('text' in input) return input
  const { query, params: own } = input
  return typeof query === 'string' ? { text: query, params: own ?? [] } : query
}
