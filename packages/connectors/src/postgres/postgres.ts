/**
 * The postgres connector on `pg`: pooled sessions through the egress, parameters always bound, writes exactly once,
 * statements cancelled on the server.
 */
import type { JsonObject } from '@plugwork/core'
import { defineConnector } from '@plugwork/core/node'
import { z } from 'zod'
import { loadPackage } from '../optional-package.ts'
import { sqlActions } from '../sql/actions.ts'
import { connectServer } from '../sql/connect-server.ts'
import { sqlSchemas, sqlValue } from '../sql/schemas.ts'
import { serverFields } from '../sql/server-config.ts'
import { postgresDialect } from './dialect.ts'
import { openSession } from './session.ts'

const PACKAGE = { name: 'pg', range: '^8.23.0' }

const schemas = sqlSchemas({
  params: z
    .array(sqlValue)
    .optional()
    .describe('Values of `$1`, `$2`, … in order. Expressions in the text need none: they are bound.'),
  table: 'Name of the table, or `schema.table`.',
  lastInsertId: 'First column of the last row that `RETURNING` of an insert returned; null without it.',
})

const NOTES = `
**Reaching the server.** Connections go through the same guard as HTTP requests. A server on this machine or in a private network is
denied until the operator allows it; the error names the entry: \`PLUGWORK_EGRESS_ALLOW=127.0.0.1:5432\`. TLS is on and verified unless
the server is on the loopback; a server without TLS needs \`ssl: false\`, one with a certificate of its own \`ssl: { ca: … }\`.

**Exactly once.** \`execute\`, \`transaction\`, \`batch_insert\` and \`batch_update\` store the step's idempotency key and their result in the
table \`_plugwork_applied\`, in the same transaction as the change itself. When a process dies after the change and before its
journal says so, the repeated attempt finds the key, changes nothing and answers the stored result. The table is made in the
first schema of the search path, keys are kept for 30 days. \`exactly_once: false\` leaves it out; an interrupted write may then be
done twice. \`VACUUM\`, \`CREATE DATABASE\`, \`CREATE INDEX CONCURRENTLY\` and the like run outside of transactions and store no key.

**Values.** Every \`\${…}\` in a statement is bound as a value; the server knows its type. Integers beyond 2^53 and decimals of more than
15 digits are strings, also inside JSON; so are NaN and the infinities. \`timestamptz\` is ISO 8601 in UTC (\`2026-01-02T03:04:05.123456Z\`, sessions run with
\`TimeZone = UTC\`), \`timestamp\` the same without a zone, \`date\` is \`2026-01-02\`, \`interval\` is \`P1DT2H\`. \`json\` and \`jsonb\` are values,
arrays are lists, \`bytea\` is \`{ base64 }\`, everything else is its text. As a parameter an object is JSON, and a list a PostgreSQL array
(\`= any(\${ids})\`); in \`in (\${list})\` it expands. A list for a \`jsonb\` column is written \`\${JSON.stringify(list)}\`.

**Batches.** A batch is one statement with one parameter, whatever the number of rows; the server reads its rows with the types of the
table. \`on_conflict: replace\` updates the columns given, by the primary key; columns left out keep their value.

**Cancellation.** A step that is cancelled or times out ends at once; its statement is cancelled on the server (\`pg_cancel_backend\`) and
what it changed is rolled back.

**Limits.** 10,000 rows a query unless \`max_rows\` says otherwise (at most 100,000), 100,000 rows by \`RETURNING\`, 32 MiB for all rows that an
action answers. Rows are read one by one, so what is past a limit is never held in memory. One statement per text. Transactions and settings
of your own and \`COPY\` are refused; \`query\` runs in a read-only transaction.`

/** PostgreSQL: `pg_query`, `pg_execute`, `pg_transaction`, `pg_batch_insert`, `pg_batch_update`. */
export const postgres = defineConnector({
  name: 'postgres',
  title: 'PostgreSQL',
  description: 'Reads and writes PostgreSQL databases.',
  version: '1.0.0',
  prefixes: ['pg'],
  sqlDialect: 'postgres',
  config: z.strictObject(serverFields({ scheme: 'postgres', port: 5432 })),
  packages: [PACKAGE],
  notes: NOTES,
  async connect(config, context) {
    const { default: driver } = await loadPackage('postgres', PACKAGE, context.directory, () => import('pg'))
    return connectServer(config, context, {
      dialect: postgresDialect,
      schemes: ['postgres:', 'postgresql:'],
      defaultPort: 5432,
      open: ({ settings, egress, signal, gone }) => openSession({ driver, settings, egress, signal, gone }),
    })
  },
  disconnect: (client) => client.close(),
  healthy: (client) => client.healthy,
  async test(client, { signal }) {
    const statement = {
      text: "SELECT current_setting('server_version') AS version, current_database()::text AS name, current_user::text AS who",
      params: [],
    }
    const { rows } = (await client.run({ kind: 'query', statement, maxRows: 1 }, { signal })) as { rows: JsonObject[] }
    const { version, name, who } = rows[0]!
    return { message: `PostgreSQL ${String(version)} opened database ${String(name)} as ${String(who)}` }
  },
  actions: sqlActions({
    prefix: 'pg',
    schemas,
    placeholders: ['$1', '$2'],
    insertId: { suffix: ' returning id' },
  }),
  scaffold: ({ name }) => `  ${name}:
    type: postgres
    host: db.example.com
    database: app
    user: app
    password: \${secrets.DB_PASSWORD}
`,
  example: ({ name }) => ({
    fileName: 'postgres_example.flow.yaml',
    source: `flow: PostgresExample
description: >
  Keeps a small stock list. Give the database as the secret DATABASE_URL (postgres://user:password@host:5432/name), and for one on this
  machine PLUGWORK_EGRESS_ALLOW=127.0.0.1:5432. Run it twice and the stock grows.
connections:
  ${name}: { type: postgres, url: "\${secrets.DATABASE_URL}" }
inputs:
  - { name: sku, type: string, default: apple }
  - { name: quantity, type: integer, default: 5 }
steps:
  - pg_execute:
      connection: ${name}
      query: create table if not exists stock (sku text primary key, quantity integer not null)
  - pg_execute:
      id: delivery
      connection: ${name}
      query: >
        insert into stock (sku, quantity) values (\${inputs.sku}, \${inputs.quantity})
        on conflict (sku) do update set quantity = stock.quantity + excluded.quantity
      outputs: [rows_affected]
  - pg_query:
      id: stock
      connection: ${name}
      query: select sku, quantity from stock where sku = \${inputs.sku}
      outputs: [rows]
outputs:
  - { name: quantity, value: "\${stock.rows[0].quantity}" }
`,
  }),
})
