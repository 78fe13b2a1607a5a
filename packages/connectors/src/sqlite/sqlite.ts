/**
 * The sqlite connector on `node:sqlite`: one worker thread per connection, parameters always bound, writes exactly once.
 */
import { parseDuration } from '@plugwork/core'
import { defineAction, defineConnector, type ActionContext } from '@plugwork/core/node'
import { SqliteConnection } from './connection.ts'
import { databaseFile } from './database-file.ts'
import type { Operation } from './protocol.ts'
import {
  batchInsertInput,
  batchInsertOutput,
  batchUpdateInput,
  batchUpdateOutput,
  executeInput,
  executeOutput,
  queryInput,
  queryOutput,
  sqliteConfig,
  statementOf,
  transactionInput,
  transactionOutput,
} from './schemas.ts'

type Context = ActionContext<SqliteConnection>

/** Results cross a thread: what the session answers is what the action's output schema describes. */
async function write<Result>({ client, signal, idempotencyKey }: Context, operation: Operation): Promise<Result> {
  const key = client.exactlyOnce ? { key: idempotencyKey } : {}
  return (await client.run(operation, { signal, ...key })) as Result
}

async function find<Result>({ client, signal, idempotencyKey }: Context, operation: Operation): Promise<Result | null> {
  if (!client.exactlyOnce) return null
  return (await client.run(operation, { signal, key: idempotencyKey, lookup: true })) as Result | null
}

const query = defineAction({
  description: 'Reads rows with one statement.',
  input: queryInput,
  output: queryOutput,
  effect: 'read',
  idempotency: 'natural',
  example: `
- sqlite_query:
    id: open_orders
    connection: main
    query: select id, total from orders where status = \${inputs.status} order by id limit 100
    outputs: [rows, row_count]`,
  async run({ client, signal }: Context, input) {
    const operation = { kind: 'query', statement: statementOf(input), maxRows: input.max_rows } as const
    return (await client.run(operation, { signal })) as { rows: Record<string, never>[]; row_count: number }
  },
})

type ExecuteResult = {
  rows_affected: number
  last_insert_id: number | string | null
  rows: Record<string, never>[]
  row_count: number
}
const execution = (input: Parameters<typeof statementOf>[0]): Operation => ({
  kind: 'execute',
  statement: statementOf(input),
})

const execute = defineAction({
  description: 'Changes data or schema with one statement.',
  input: executeInput,
  output: executeOutput,
  effect: 'write',
  idempotency: 'lookup',
  example: `
- sqlite_execute:
    id: order
    connection: main
    query: insert into orders (customer, total) values (\${inputs.customer}, \${inputs.total})
    outputs: [last_insert_id]`,
  run: (context: Context, input) => write<ExecuteResult>(context, execution(input)),
  lookup: (context: Context, input) => find<ExecuteResult>(context, execution(input)),
})

type TransactionResult = { results: ExecuteResult[]; rows_affected: number; last_insert_id: number | string | null }
const statements = (queries: readonly Parameters<typeof statementOf>[0][]): Operation => ({
  kind: 'transaction',
  statements: queries.map(statementOf),
})

const transaction = defineAction({
  description: 'Runs several statements: all of them happen, or none.',
  input: transactionInput,
  output: transactionOutput,
  effect: 'write',
  idempotency: 'lookup',
  example: `
- sqlite_transaction:
    id: transfer
    connection: main
    queries:
      - update accounts set balance = balance - \${inputs.amount} where id = \${inputs.from}
      - { query: update accounts set balance = balance + ? where id = ?, params: ["\${inputs.amount}", "\${inputs.to}"] }
    outputs: [rows_affected]`,
  run: (context: Context, { queries }) => write<TransactionResult>(context, statements(queries)),
  lookup: (context: Context, { queries }) => find<TransactionResult>(context, statements(queries)),
})

type Insert = { readonly [name in keyof typeof batchInsertInput.shape]: (typeof batchInsertInput)['_output'][name] }
const insertion = ({ table, records, batch_size, on_conflict }: Insert): Operation => ({
  kind: 'batch_insert',
  table,
  records,
  batchSize: batch_size,
  onConflict: on_conflict,
})

const batchInsert = defineAction({
  description: 'Inserts many rows in one transaction.',
  input: batchInsertInput,
  output: batchInsertOutput,
  effect: 'write',
  idempotency: 'lookup',
  example: `
- sqlite_batch_insert:
    id: imported
    connection: main
    table: users
    records: \${inputs.users}
    batch_size: 1000
    outputs: [inserted_count, batches]`,
  run: (context: Context, input) => write<{ inserted_count: number; batches: number }>(context, insertion(input)),
  lookup: (context: Context, input) => find<{ inserted_count: number; batches: number }>(context, insertion(input)),
})

type Update = { readonly [name in keyof typeof batchUpdateInput.shape]: (typeof batchUpdateInput)['_output'][name] }
const updating = ({ table, updates, key_field, batch_size }: Update): Operation => ({
  kind: 'batch_update',
  table,
  updates,
  keyField: key_field,
  batchSize: batch_size,
})

const batchUpdate = defineAction({
  description: 'Updates many rows by key in one transaction.',
  input: batchUpdateInput,
  output: batchUpdateOutput,
  effect: 'write',
  idempotency: 'lookup',
  example: `
- sqlite_batch_update:
    id: prices
    connection: main
    table: products
    key_field: sku
    updates: \${inputs.prices}
    outputs: [updated_count]`,
  run: (context: Context, input) => write<{ updated_count: number; batches: number }>(context, updating(input)),
  lookup: (context: Context, input) => find<{ updated_count: number; batches: number }>(context, updating(input)),
})

const NOTES = `
**Exactly once.** \`execute\`, \`transaction\`, \`batch_insert\` and \`batch_update\` store the step's idempotency key and their result in the
table \`_plugwork_applied\`, in the same transaction as the change itself. When a process dies after the change and before its
journal says so, the repeated attempt finds the key, changes nothing and answers the stored result: the change happens exactly
once, whatever dies when. Keys are kept for 30 days. \`exactly_once: false\` leaves the table out; an interrupted write may then be
done twice. \`VACUUM\` runs outside of transactions and stores no key.

**Values.** Every \`\${…}\` in a statement is bound as a value. Integers beyond 2^53 are strings, blobs are \`{ base64 }\`, booleans are
stored as 1 and 0. Lists are for \`in (\${list})\`; store other data as text with \`JSON.stringify(value)\`.

**Threads.** Each connection has a worker thread (about 8 MB), so a slow query never holds up other runs; its statements run one
after the other. A step that is cancelled or times out ends at once: its statement stops at the next row, and what it changed is
rolled back. SQLite cannot be stopped while it computes without giving a row; such a thread works on until the statement ends,
without committing anything, and the connection goes on in a new one. Only an in-memory database, which lives in its thread, keeps
later statements waiting until that one ends.

**Limits.** 10,000 rows a query unless \`max_rows\` says otherwise (at most 100,000), 100,000 rows by \`RETURNING\`, 32 MiB for all rows
that an action answers, 96 MiB for one text or blob. Rows are read one by one, so what is past a limit is never held in memory; the
error says so, and a write is rolled back. One statement per text. \`ATTACH\`,
\`PRAGMA\` with a value and transactions of your own are refused; the file is inside the project folder.`

/** SQLite databases: `sqlite_query`, `sqlite_execute`, `sqlite_transaction`, `sqlite_batch_insert`, `sqlite_batch_update`. */
export const sqlite = defineConnector({
  name: 'sqlite',
  title: 'SQLite',
  description: 'Reads and writes SQLite databases, with nothing to install.',
  version: '1.0.0',
  prefixes: ['sqlite'],
  sqlDialect: 'sqlite',
  config: sqliteConfig,
  notes: NOTES,
  async connect(config, { name, directory, signal }) {
    const file = await databaseFile(config.database, { directory, name, readOnly: config.read_only })
    const connection = new SqliteConnection(
      name,
      {
        file,
        readOnly: config.read_only,
        busyMs: parseDuration(config.timeout) ?? 0,
        journalMode: config.journal_mode ?? null,
        pragmas: Object.fromEntries(Object.entries(config.pragmas).filter(([, set]) => set !== undefined)),
      },
      config.exactly_once,
    )
    try {
      await connection.run(PROBE, { signal })
    } catch (error) {
      await connection.close()
      throw error
    }
    return connection
  },
  disconnect: (connection) => connection.close(),
  healthy: (connection) => connection.healthy,
  async test(connection, { signal }) {
    const { rows } = (await connection.run(PROBE, { signal })) as { rows: { version: string }[] }
    return { message: `SQLite ${rows[0]!.version} opened ${connection.options.file}` }
  },
  actions: {
    query,
    execute,
    transaction,
    batch_insert: batchInsert,
    batch_update: batchUpdate,
  },
  scaffold: ({ name }) => `  ${name}:
    type: sqlite
    database: ./data/app.db
    journal_mode: wal
`,
  example: ({ name }) => ({
    fileName: 'sqlite_example.flow.yaml',
    source: `flow: SqliteExample
description: Keeps a small stock list. Runs as it is; run it twice and the stock grows.
connections:
  ${name}: { type: sqlite, database: ./data/example.db, journal_mode: wal }
inputs:
  - { name: sku, type: string, default: apple }
  - { name: quantity, type: integer, default: 5 }
steps:
  - sqlite_execute:
      connection: ${name}
      query: create table if not exists stock (sku text primary key, quantity integer not null)
  - sqlite_execute:
      id: delivery
      connection: ${name}
      query: >
        insert into stock (sku, quantity) values (\${inputs.sku}, \${inputs.quantity})
        on conflict (sku) do update set quantity = quantity + excluded.quantity
      outputs: [rows_affected]
  - sqlite_query:
      id: stock
      connection: ${name}
      query: select sku, quantity from stock where sku = \${inputs.sku}
      outputs: [rows]
outputs:
  - { name: quantity, value: "\${stock.rows[0].quantity}" }
`,
  }),
})

const PROBE: Operation = {
  kind: 'query',
  statement: { text: 'SELECT sqlite_version() AS version', params: [] },
  maxRows: 1,
}
