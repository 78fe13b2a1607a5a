/** The five actions of every SQL connector. What is done, and how, is its client's. */
import { defineAction, type ActionContext } from '@plugwork/core/node'
import type { z } from 'zod'
import type { Operation, SqlClient } from './operation.ts'
import { statementOf, type SqlSchemas } from './schemas.ts'

type Context = ActionContext<SqlClient>

/** Results come out of the database's session, which makes them as the output schemas say. */
async function write<Result>({ client, signal, idempotencyKey }: Context, operation: Operation): Promise<Result> {
  const key = client.exactlyOnce ? { key: idempotencyKey } : {}
  return (await client.run(operation, { signal, ...key })) as Result
}

async function find<Result>({ client, signal, idempotencyKey }: Context, operation: Operation): Promise<Result | null> {
  if (!client.exactlyOnce) return null
  return (await client.run(operation, { signal, key: idempotencyKey, lookup: true })) as Result | null
}

export interface SqlActionsOptions<Schemas extends SqlSchemas> {
  /** Of the underscore spelling in examples: `sqlite`, `pg`. */
  readonly prefix: string
  readonly schemas: Schemas
  /** The author's own first and second placeholder. */
  readonly placeholders: readonly [string, string]
  /** What the example of `execute` ends with and reads: how the new row's id is had. */
  readonly insertId: { readonly suffix: string }
}

type Insert = z.output<SqlSchemas['batchInsertInput']>
type Update = z.output<SqlSchemas['batchUpdateInput']>
type ExecuteResult = z.output<SqlSchemas['executeOutput']>
type TransactionResult = z.output<SqlSchemas['transactionOutput']>
type InsertResult = z.output<SqlSchemas['batchInsertOutput']>
type UpdateResult = z.output<SqlSchemas['batchUpdateOutput']>

const execution = (input: Parameters<typeof statementOf>[0]): Operation => ({
  kind: 'execute',
  statement: statementOf(input),
})

const statements = (queries: readonly Parameters<typeof statementOf>[0][]): Operation => ({
  kind: 'transaction',
  statements: queries.map(statementOf),
})

const insertion = ({ table, records, batch_size, on_conflict }: Insert): Operation => ({
  kind: 'batch_insert',
  table,
  records,
  batchSize: batch_size,
  onConflict: on_conflict,
})

const updating = ({ table, updates, key_field, batch_size }: Update): Operation => ({
  kind: 'batch_update',
  table,
  updates,
  keyField: key_field,
  batchSize: batch_size,
})

export function sqlActions<Schemas extends SqlSchemas>({
  prefix,
  schemas,
  placeholders: [first, second],
  insertId,
}: SqlActionsOptions<Schemas>) {
  const query = defineAction({
    description: 'Reads rows with one statement.',
    input: schemas.queryInput,
    output: schemas.queryOutput,
    effect: 'read',
    idempotency: 'natural',
    example: `
- ${prefix}_query:
    id: open_orders
    connection: main
    query: select id, total from orders where status = \${inputs.status} order by id limit 100
    outputs: [rows, row_count]`,
    async run({ client, signal }: Context, input) {
      const operation = { kind: 'query', statement: statementOf(input), maxRows: input.max_rows } as const
      return (await client.run(operation, { signal })) as { rows: Record<string, never>[]; row_count: number }
    },
  })
  const execute = defineAction({
    description: 'Changes data or schema with one statement.',
    input: schemas.executeInput,
    output: schemas.executeOutput,
    effect: 'write',
    idempotency: 'lookup',
    example: `
- ${prefix}_execute:
    id: order
    connection: main
    query: insert into orders (customer, total) values (\${inputs.customer}, \${inputs.total})${insertId.suffix}
    outputs: [last_insert_id]`,
    run: (context: Context, input) => write<ExecuteResult>(context, execution(input)),
    lookup: (context: Context, input) => find<ExecuteResult>(context, execution(input)),
  })
  const transaction = defineAction({
    description: 'Runs several statements: all of them happen, or none.',
    input: schemas.transactionInput,
    output: schemas.transactionOutput,
    effect: 'write',
    idempotency: 'lookup',
    example: `
- ${prefix}_transaction:
    id: transfer
    connection: main
    queries:
      - update accounts set balance = balance - \${inputs.amount} where id = \${inputs.from}
      - { query: update accounts set balance = balance + ${first} where id = ${second}, params: ["\${inputs.amount}", "\${inputs.to}"] }
    outputs: [rows_affected]`,
    run: (context: Context, { queries }) => write<TransactionResult>(context, statements(queries)),
    lookup: (context: Context, { queries }) => find<TransactionResult>(context, statements(queries)),
  })
  const batchInsert = defineAction({
    description: 'Inserts many rows in one transaction.',
    input: schemas.batchInsertInput,
    output: schemas.batchInsertOutput,
    effect: 'write',
    idempotency: 'lookup',
    example: `
- ${prefix}_batch_insert:
    id: imported
    connection: main
    table: users
    records: \${inputs.users}
    batch_size: 1000
    outputs: [inserted_count, batches]`,
    run: (context: Context, input) => write<InsertResult>(context, insertion(input)),
    lookup: (context: Context, input) => find<InsertResult>(context, insertion(input)),
  })
  const batchUpdate = defineAction({
    description: 'Updates many rows by key in one transaction.',
    input: schemas.batchUpdateInput,
    output: schemas.batchUpdateOutput,
    effect: 'write',
    idempotency: 'lookup',
    example: `
- ${prefix}_batch_update:
    id: prices
    connection: main
    table: products
    key_field: sku
    updates: \${inputs.prices}
    outputs: [updated_count]`,
    run: (context: Context, input) => write<UpdateResult>(context, updating(input)),
    lookup: (context: Context, input) => find<UpdateResult>(context, updating(input)),
  })
  return { query, execute, transaction, batch_insert: batchInsert, batch_update: batchUpdate }
}
