/**
 * The mysql connector on `mysql2`, for MySQL and MariaDB: pooled sessions through the egress, parameters always bound,
 * writes exactly once, statements cancelled on the server.
 */
import type { JsonObject } from '@plugwork/core'
import { defineConnector } from '@plugwork/core/node'
import { z } from 'zod'
import { loadPackage } from '../optional-package.ts'
import { sqlActions } from '../sql/actions.ts'
import { connectServer } from '../sql/connect-server.ts'
import { sqlSchemas, sqlValue } from '../sql/schemas.ts'
import { serverFields } from '../sql/server-config.ts'
import { mysqlDialect } from './dialect.ts'
import { openSession } from './session.ts'

const PACKAGE = { name: 'mysql2', range: '^3.24.0' }

const schemas = sqlSchemas({
  params: z
    .array(sqlValue)
    .optional()
    .describe('Values of `?` in order. Expressions in the text need none: they are bound.'),
  table: 'Name of the table, or `database.table`.',
  lastInsertId: 'AUTO_INCREMENT value of the first row inserted; null for other statements.',
})

const NOTES = `
For MySQL and MariaDB.

**Reaching the server.** Connections go through the same guard as HTTP requests. A server on this machine or in a private network is
denied until the operator allows it; the error names the entry: \`PLUGWORK_EGRESS_ALLOW=127.0.0.1:3306\`. TLS is on and verified unless
the server is on the loopback; a server without TLS needs \`ssl: false\`, one with a certificate of its own \`ssl: { ca: … }\`.

**Exactly once.** \`execute\`, \`transaction\`, \`batch_insert\` and \`batch_update\` store the step's idempotency key and their result in the
table \`_plugwork_applied\`, in the same transaction as the change itself. When a process dies after the change and before its
journal says so, the repeated attempt finds the key, changes nothing and answers the stored result. This needs tables with transactions
(InnoDB). Keys are kept for 30 days. \`exactly_once: false\` leaves the table out; an interrupted write may then be done twice. MySQL commits
before and after \`CREATE\`, \`ALTER\`, \`DROP\` and the like: \`execute\` runs them alone and stores no key, \`transaction\` refuses them. A
procedure that commits by itself undoes the promise.

**Values.** Every \`\${…}\` in a statement is bound as a value. Integers beyond 2^53 and decimals of more than 15 digits are strings, also
inside JSON. \`TIMESTAMP\` is ISO 8601 in UTC (\`2026-01-02T03:04:05Z\`, sessions run with \`time_zone = '+00:00'\`), \`DATETIME\` the same without
a zone, \`DATE\` is \`2026-01-02\`. \`JSON\` is a value, \`BLOB\` and \`BINARY\` are \`{ base64 }\`, \`BIT\` is a number, \`BOOLEAN\` is 1 or 0 as MySQL stores
it. As a parameter an object or list is JSON text; in \`in (\${list})\` a list expands. In batches an instant with a zone is stored in \`DATETIME\`
and \`TIMESTAMP\` columns as UTC; in a statement of your own MariaDB takes none with a zone.

**Batches.** A batch of inserts is one statement with all its rows, a batch of updates one for 200 rows. \`on_conflict: replace\` is \`REPLACE\`:
the old row is deleted, columns left out get their default.

**Cancellation.** A step that is cancelled or times out ends at once; its statement is ended on the server (\`KILL QUERY\`) and
what it changed is rolled back. \`statement_timeout\` is MariaDB's \`max_statement_time\`, or MySQL's \`max_execution_time\`, which is for reading
statements only.

**Limits.** 10,000 rows a query unless \`max_rows\` says otherwise (at most 100,000), 100,000 rows by \`RETURNING\` (MariaDB), 32 MiB for all
rows that an action answers. Rows are read one by one, so what is past a limit is never held in memory. One statement per text.
Transactions and settings of your own and \`LOAD DATA\` are refused; \`query\` runs in a read-only transaction.`

/** MySQL and MariaDB: `mysql_query`, `mysql_execute`, `mysql_transaction`, `mysql_batch_insert`, `mysql_batch_update`. */
export const mysql = defineConnector({
  name: 'mysql',
  title: 'MySQL and MariaDB',
  description: 'Reads and writes MySQL and MariaDB databases.',
  version: '1.0.0',
  prefixes: ['mysql'],
  sqlDialect: 'mysql',
  config: z.strictObject(serverFields({ scheme: 'mysql', port: 3306 })),
  packages: [PACKAGE],
  notes: NOTES,
  async connect(config, context) {
    const { default: driver } = await loadPackage('mysql', PACKAGE, context.directory, () => import('mysql2'))
    return connectServer(config, context, {
      dialect: mysqlDialect,
      schemes: ['mysql:', 'mariadb:'],
      defaultPort: 3306,
      open: ({ settings, egress, signal, gone }) => openSession({ driver, settings, egress, signal, gone }),
    })
  },
  disconnect: (client) => client.close(),
  healthy: (client) => client.healthy,
  async test(client, { signal }) {
    const statement = { text: 'SELECT version() AS version, database() AS name, current_user() AS who', params: [] }
    const { rows } = (await client.run({ kind: 'query', statement, maxRows: 1 }, { signal })) as { rows: JsonObject[] }
    const { version, name, who } = rows[0]!
    return { message: `${String(version)} opened database ${String(name)} as ${String(who)}` }
  },
  actions: sqlActions({ prefix: 'mysql', schemas, placeholders: ['?', '?'], insertId: { suffix: '' } }),
  scaffold: ({ name }) => `  ${name}:
    type: mysql
    host: db.example.com
    database: app
    user: app
    password: \${secrets.DB_PASSWORD}
`,
  example: ({ name }) => ({
    fileName: 'mysql_example.flow.yaml',
    source: `flow: MysqlExample
description: >
  Keeps a small stock list. Give the database as the secret DATABASE_URL (mysql://user:password@host:3306/name), and for one on this
  machine PLUGWORK_EGRESS_ALLOW=127.0.0.1:3306. Run it twice and the stock grows.
connections:
  ${name}: { type: mysql, url: "\${secrets.DATABASE_URL}" }
inputs:
  - { name: sku, type: string, default: apple }
  - { name: quantity, type: integer, default: 5 }
steps:
  - mysql_execute:
      connection: ${name}
      query: create table if not exists stock (sku varchar(100) primary key, quantity integer not null)
  - mysql_execute:
      id: delivery
      connection: ${name}
      query: >
        insert into stock (sku, quantity) values (\${inputs.sku}, \${inputs.quantity})
        on duplicate key update quantity = quantity + values(quantity)
      outputs: [rows_affected]
  - mysql_query:
      id: stock
      connection: ${name}
      query: select sku, quantity from stock where sku = \${inputs.sku}
      outputs: [rows]
outputs:
  - { name: quantity, value: "\${stock.rows[0].quantity}" }
`,
  }),
})
