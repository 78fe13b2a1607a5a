/**
 * The sqlite connector on `node:sqlite`: one worker thread per connection, parameters always bound, writes exactly once.
 */
import { parseDuration } from '@plugwork/core'
import { defineConnector } from '@plugwork/core/node'
import { sqlActions } from '../sql/actions.ts'
import type { Operation } from '../sql/operation.ts'
import { SqliteConnection } from './connection.ts'
import { databaseFile } from './database-file.ts'
import { schemas, sqliteConfig } from './schemas.ts'

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
  actions: sqlActions({ prefix: 'sqlite', schemas, placeholders: ['?', '?'], insertId: { suffix: '' } }),
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
