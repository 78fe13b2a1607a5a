/** The acme connector: items of a JSON HTTP API. Replace paths, schemas and names with those of your service. */
import {
  createApiClient,
  defineAction,
  defineConnector,
  path,
  staticCredential,
  type ActionContext,
  type ApiClient,
} from '@plugwork/core/node'
import { z } from 'zod'

/** What an action gets beside its input: `client` is what `connect` made. */
type Context = ActionContext<ApiClient>

/** As the service answers. Fields that are not named here are left out, so name what flows may use. */
const item = z.object({ id: z.string(), text: z.string(), done: z.boolean() })

const list = defineAction({
  description: 'Lists the open items.',
  input: z.strictObject({ limit: z.int().min(1).max(100).default(20).describe('How many at most.') }),
  output: z.object({ items: z.array(item) }),
  effect: 'read',
  idempotency: 'natural',
  async run({ client, signal }: Context, { limit }) {
    const { data } = await client.read(z.array(item), { path: path`/items`, query: { limit }, signal })
    return { items: data }
  },
})

const get = defineAction({
  description: 'Gets one item.',
  input: z.strictObject({ id: z.string().min(1).describe('Id of the item.') }),
  output: item,
  effect: 'read',
  idempotency: 'natural',
  async run({ client, signal }: Context, { id }) {
    // `path` encodes each value as one segment: an id cannot reach another address.
    return (await client.read(item, { path: path`/items/${id}`, signal })).data
  },
})

const add = defineAction({
  description: 'Adds an item.',
  input: z.strictObject({ text: z.string().min(1).describe('What there is to do.') }),
  output: item,
  effect: 'write',
  // A step may be repeated after a crash. This service recognises the key; say `lookup` or `none` if yours does not.
  idempotency: 'key',
  example: `
- acme_add:
    id: reminder
    connection: main
    text: Call \${inputs.customer}
    outputs: [id]`,
  async run({ client, signal, idempotencyKey }: Context, { text }) {
    const headers = { 'idempotency-key': idempotencyKey }
    return (await client.read(item, { method: 'POST', path: path`/items`, json: { text }, headers, signal })).data
  },
})

export const acme = defineConnector({
  name: 'acme',
  title: 'Acme',
  description: 'Reads and writes the items of Acme.',
  version: '0.1.0',
  prefixes: ['acme'],
  config: z.strictObject({
    url: z.url().default('https://api.acme.example').describe('Address of the API.'),
    token: z.string().min(1).meta({ 'x-plugwork': 'secret', description: 'Token of the account.' }),
  }),
  // What the service allows per connection; calls wait instead of being refused. Remove it where there is no such limit.
  limits: { requests: 100, per: '1m', burst: 20 },
  connect: async ({ url, token }, { egress }): Promise<ApiClient> =>
    createApiClient({
      service: 'acme',
      title: 'Acme',
      baseUrl: url,
      egress,
      credentials: staticCredential('token', token),
    }),
  async test(client, { signal }) {
    await client.send({ path: path`/items`, query: { limit: 1 }, signal })
    return { message: 'The token was accepted.' }
  },
  actions: { list, get, add },
  scaffold: ({ name }) => `  ${name}:
    type: acme
    token: "\${secrets.ACME_TOKEN}"
`,
  example: ({ name }) => ({
    fileName: 'acme_example.flow.yaml',
    source: `flow: AcmeExample
connections:
  ${name}: { type: acme, token: "\${secrets.ACME_TOKEN}" }
inputs:
  - { name: text, type: string, default: Water the plants }
steps:
  - acme_add: { id: added, connection: ${name}, text: "\${inputs.text}" }
  - acme_list: { id: open, connection: ${name}, limit: 5 }
outputs:
  - { name: id, value: "\${added.id}" }
  - { name: open, value: "\${open.items.map(i => i.text)}" }
`,
  }),
})
