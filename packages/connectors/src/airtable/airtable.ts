/** The airtable connector: bases, tables and records over the Web API. */
import { cursorPages, defineAction, defineConnector, path, type ApiClient } from '@plugwork/core/node'
import { z } from 'zod'
import { read, type ApiContext } from '../api-action.ts'
import { auth, config, openAirtable } from './client.ts'
import { recordActions } from './records.ts'
import { base, inTable, nextCursor, table } from './schemas.ts'

const basePage = z.object({ bases: z.array(base), offset: z.string().optional() })

// airtable.com/developers/web/api/list-bases
const listBases = defineAction({
  description: 'Lists the bases that the token may see, up to 1,000 a page.',
  input: z.strictObject({ cursor: z.string().optional().describe('`next_cursor` of the page before.') }),
  output: z.object({ items: z.array(base), next_cursor: nextCursor }),
  effect: 'read',
  idempotency: 'natural',
  pages: cursorPages('items'),
  async run(context: ApiContext, { cursor }) {
    const { data } = await read(context, basePage, { path: path`/meta/bases`, query: { offset: cursor } })
    return { items: data.bases, next_cursor: data.offset ?? null }
  },
})

// airtable.com/developers/web/api/get-base-schema
const listTables = defineAction({
  description: 'Lists the tables of a base with their fields and views: its schema.',
  input: z.strictObject({ base: inTable.base }),
  output: z.object({ tables: z.array(table) }),
  effect: 'read',
  idempotency: 'natural',
  run: async (context: ApiContext, { base: id }) =>
    (await read(context, z.object({ tables: z.array(table) }), { path: path`/meta/bases/${id}/tables` })).data,
})

const NOTES = `
Errors are \`airtable_<kind>\`; \`data.code\` is Airtable's type (\`INVALID_VALUE_FOR_COLUMN\`, \`NOT_FOUND\`). Airtable answers
\`airtable_forbidden\` also for things that do not exist. It allows five calls a second and base, to which a connection keeps by
itself; whoever exceeds it waits 30 seconds, which \`airtable_rate_limited\` says in \`retryAfterMs\`.

Airtable knows no idempotency keys: creating records is not repeated after an attempt of which nobody knows how it ended, unless a
step says so. \`records.update_many\` with \`merge_on\` finds or creates by fields of your own, and may be repeated. Requests with more
than ten records are sent in groups of ten, which are not undone when a later one fails.

A connection in a flow's \`connections:\` has a \`token\`; signing in needs a stored connection.`

/** Airtable: `airtable.records.list`, `airtable.records.update_many`, `airtable.tables.list`, … */
export const airtable = defineConnector({
  name: 'airtable',
  title: 'Airtable',
  description: 'Reads and writes records of Airtable bases.',
  version: '1.0.0',
  prefixes: ['airtable'],
  config,
  notes: NOTES,
  auth,
  // Per base: airtable.com/developers/web/api/rate-limits
  limits: { requests: 5, per: '1s', burst: 5 },
  connect: (settings, context): Promise<ApiClient> => Promise.resolve(openAirtable(settings, context)),
  async test(client, { signal }) {
    // airtable.com/developers/web/api/get-user-id-scopes
    const answer = z.object({ id: z.string(), scopes: z.array(z.string()).optional() })
    const { data } = await client.read(answer, { path: path`/meta/whoami`, signal })
    const scopes = data.scopes === undefined ? '' : `, scopes: ${data.scopes.join(' ')}`
    return { message: `Airtable knows the token as ${data.id}${scopes}.` }
  },
  actions: { 'bases.list': listBases, 'tables.list': listTables, ...recordActions },
  scaffold: ({ name }) => `  ${name}:
    type: airtable
    token: "\${secrets.AIRTABLE_TOKEN}"
`,
  example: ({ name }) => ({
    fileName: 'airtable_example.flow.yaml',
    source: `flow: AirtableExample
description: Keeps one record up to date, found by its name.
connections:
  ${name}:
    type: airtable
    token: "\${secrets.AIRTABLE_TOKEN}"
inputs:
  - { name: base, type: string, required: true }
  - { name: table, type: string, required: true }
  - { name: name, type: string, default: Plugwork }
steps:
  - airtable.records.update_many:
      id: kept
      connection: ${name}
      base: \${inputs.base}
      table: \${inputs.table}
      merge_on: [Name]
      records: [{ fields: { Name: "\${inputs.name}" } }]
      outputs: [records, created]
      retry: { max_attempts: 3, delay: 1s }
  - airtable.records.find:
      id: found
      connection: ${name}
      base: \${inputs.base}
      table: \${inputs.table}
      formula: '{Name} = "\${inputs.name}"'
      outputs: [found]
outputs:
  - { name: found, value: "\${found.found}" }
  - { name: created, value: "\${kept.created.length}" }
`,
  }),
})
