/** The mongodb connector on the official driver: JSON both ways without loss, no JavaScript on the server, bounded answers. */
import { defineConnector } from '@plugwork/core/node'
import { aggregate, count, find, findOne, insert, remove, update } from './actions.ts'
import { mongodbConfig, settingsOf } from './config.ts'
import { MongodbSession, PACKAGE } from './session.ts'

const NOTES = `
**Values.** JSON is stored as what it says: a whole number as int or long, another as double. What JSON has no type for is written
and answered in the forms of MongoDB Extended JSON: \`{ $oid: "65f0…" }\`, \`{ $date: "2026-01-01T00:00:00Z" }\`,
\`{ $numberDecimal: "19.90" }\`, \`{ $numberLong: "9007199254740993" }\` (answered beyond 2^53 only), \`{ $numberDouble: "NaN" }\`,
\`{ $binary: { base64: "…", subType: "00" } }\`, \`{ $uuid: "…" }\`, \`{ $regularExpression: { pattern, options } }\`,
\`{ $timestamp: { t, i } }\`, \`{ $minKey: 1 }\`. With \`extended_json: canonical\` every number names its type, so that a document that is
read and stored again is the same bit by bit.

**Values of strangers.** \`match\` compares fields with values: an object such as \`{ "$ne": null }\` that comes in through \`\${…}\` is
compared with, and selects nothing else. In \`filter\`, \`update\` and \`pipeline\` operators are operators wherever they come from: declare the
type of an input (\`type: string\`), or use \`match\`. In expressions of a pipeline a text with a leading \`$\` is a field; \`$literal\` keeps it a
text. Refused everywhere: \`$where\`, \`$function\`, \`$accumulator\`, \`$code\` (unless \`allow_javascript\`), \`$out\`, \`$merge\`, \`$changeStream\`.
\`update\` and \`delete\` that select nothing need \`all: true\`.

**Connection.** A pool of up to 10 sockets per server (\`max_pool_size\`), in which an operation waits for at most its \`timeout\`. The
driver watches the servers, replaces broken sockets and repeats reads, and writes of a replica set, once. Addresses are checked as
everywhere: private ones, this machine included, must be allowed with \`PLUGWORK_EGRESS_ALLOW\`. The driver opens its sockets itself, so the
guard opens one beside it for each check, and gives the driver only addresses that were checked. A member of a replica set that is
announced by address, not by name, is checked while the driver connects to it, and closes the connection if it is denied. The names
of \`mongodb+srv\` are looked up by the driver.

**Repeating.** \`insert\`, \`update\` and \`delete\` may happen twice when an attempt is interrupted. Give a document its own \`_id\` and the
second attempt is \`mongodb_duplicate\`, and nothing is stored twice.

**Limits.** 32 MiB and 100,000 documents for one answer, read in batches; without \`limit\` more than 10,000 are an error. 16 MiB for a
document.`

/** MongoDB: `mongo_find`, `mongo_insert`, `mongo_update` and further actions. */
export const mongodb = defineConnector({
  name: 'mongodb',
  title: 'MongoDB',
  description: 'Reads and writes collections of MongoDB (4.2 or later) and of servers that speak its protocol.',
  version: '1.0.0',
  prefixes: ['mongo'],
  config: mongodbConfig,
  notes: NOTES,
  packages: [PACKAGE],
  connect: (config, context) => MongodbSession.open(settingsOf(config, context.name), context),
  disconnect: (session) => session.close(),
  healthy: (session) => session.healthy,
  async test(session, { signal }) {
    const version = await session.version(signal)
    const { where, database } = session.settings
    return { message: `MongoDB ${version} answers at ${where}, database ${database}` }
  },
  actions: { find, find_one: findOne, insert, update, delete: remove, count, aggregate },
  scaffold: ({ name }) => `  ${name}:
    type: mongodb
    url: \${secrets.MONGODB_URL}
    database: app
`,
  example: ({ name }) => ({
    fileName: 'mongodb_example.flow.yaml',
    source: `flow: MongodbExample
description: Keeps a small stock list; each run adds to it.
connections:
  ${name}: { type: mongodb, url: "\${secrets.MONGODB_URL}", database: plugwork_example }
inputs:
  - { name: sku, type: string, default: apple }
  - { name: quantity, type: integer, default: 5 }
steps:
  - mongo_update:
      connection: ${name}
      collection: stock
      match: { sku: "\${inputs.sku}" }
      update: { $inc: { quantity: "\${inputs.quantity}" } }
      upsert: true
  - mongo_find_one:
      id: stock
      connection: ${name}
      collection: stock
      match: { sku: "\${inputs.sku}" }
      projection: { _id: 0 }
      outputs: [document]
outputs:
  - { name: quantity, value: "\${stock.document?.quantity}" }
`,
  }),
})
