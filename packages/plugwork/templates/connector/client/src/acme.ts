/** The acme connector: values by key, on a server with a protocol of its own. */
import { defineAction, defineConnector, type ActionContext } from '@plugwork/core/node'
import { z } from 'zod'
import { AcmeClient } from './client.ts'

type Context = ActionContext<AcmeClient>

const key = z.string().min(1).describe('Key of the value.')

const get = defineAction({
  description: 'Reads a value.',
  input: z.strictObject({ key }),
  output: z.object({ value: z.string().nullable() }),
  effect: 'read',
  idempotency: 'natural',
  async run({ client, signal }: Context, input) {
    const { value = null } = await client.ask({ op: 'get', key: input.key }, signal)
    return { value }
  },
})

const set = defineAction({
  description: 'Writes a value.',
  input: z.strictObject({ key, value: z.string().describe('The new value.') }),
  output: z.object({ previous: z.string().nullable() }),
  effect: 'write',
  // Twice is the same as once: a step that is repeated after a crash does no harm.
  idempotency: 'natural',
  example: `
- acme_set: { connection: main, key: "customer:\${inputs.id}", value: active }`,
  async run({ client, signal }: Context, input) {
    const { value = null } = await client.ask({ op: 'set', key: input.key, value: input.value }, signal)
    return { previous: value }
  },
})

export const acme = defineConnector({
  name: 'acme',
  title: 'Acme',
  description: 'Reads and writes values of Acme.',
  version: '0.1.0',
  prefixes: ['acme'],
  config: z.strictObject({
    host: z.string().min(1).describe('Name or address of the server.'),
    port: z.int().min(1).max(65_535).default(7777).describe('Port of the server.'),
    password: z.string().min(1).meta({ 'x-plugwork': 'secret', description: 'Password of the account.' }),
  }),
  // npm packages that are loaded lazily, with the range that is tested: `plugwork connection deps acme` shows and installs them.
  packages: [],
  /**
   * Called once per connection, when a step first needs it. Sockets come from the egress, which keeps private addresses
   * closed. With a client from npm: `const { Client } = await import('the-client')`, and its name under `packages`.
   */
  async connect({ host, port, password }, { egress, signal }) {
    const client = new AcmeClient(await egress.connect({ host, port, signal }))
    try {
      await client.ask({ op: 'login', password }, signal)
      return client
    } catch (error) {
      await client.close()
      throw error
    }
  },
  disconnect: (client) => client.close(),
  healthy: (client) => client.healthy,
  async test(client, { signal }) {
    await client.ask({ op: 'get', key: 'test' }, signal)
    return { message: 'The password was accepted.' }
  },
  actions: { get, set },
  scaffold: ({ name }) => `  ${name}:
    type: acme
    host: acme.example.com
    password: "\${secrets.ACME_PASSWORD}"
`,
  example: ({ name }) => ({
    fileName: 'acme_example.flow.yaml',
    source: `flow: AcmeExample
connections:
  ${name}: { type: acme, host: acme.example.com, password: "\${secrets.ACME_PASSWORD}" }
inputs:
  - { name: text, type: string, default: hello }
steps:
  - acme_set: { connection: ${name}, key: greeting, value: "\${inputs.text}" }
  - acme_get: { id: stored, connection: ${name}, key: greeting }
outputs:
  - { name: value, value: "\${stored.value}" }
`,
  }),
})
