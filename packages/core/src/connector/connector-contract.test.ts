import { createServer, type Server } from 'node:net'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { createEgress } from '../egress/guarded-egress.ts'
import { describeConnectorContract } from './connector-contract.ts'
import type { ActionContext, Connector } from './connector.ts'
import { defineAction, defineConnector } from './define-connector.ts'

const done = new Map<string, { id: string }>()

const put = defineAction({
  description: 'Stores a thing.',
  input: z.strictObject({ id: z.string() }),
  output: z.object({ id: z.string() }),
  effect: 'write',
  idempotency: 'lookup',
  example: '- thing_put: { id: stored, connection: main, with: { id: "${inputs.a}" } }',
  run({ signal, idempotencyKey }: ActionContext<object>, { id }) {
    signal.throwIfAborted()
    done.set(idempotencyKey, { id })
    return Promise.resolve({ id })
  },
  lookup: ({ idempotencyKey }: ActionContext<object>) => Promise.resolve(done.get(idempotencyKey) ?? null),
})

const good = defineConnector({
  name: 'thing',
  title: 'Thing',
  description: 'Stores things.',
  version: '1.0.0',
  prefixes: ['thing'],
  config: z.strictObject({ url: z.string().describe('Where.') }),
  connect: () => Promise.resolve({}),
  test: () => Promise.resolve({ message: 'fine' }),
  actions: { put },
  scaffold: ({ name }) => `  ${name}:\n    type: thing\n    url: x\n`,
  example: ({ name }) => ({
    fileName: 'thing.flow.yaml',
    source: `flow: Thing\nconnections:\n  ${name}: { type: thing, url: x }\nsteps:\n  - thing_put: { connection: ${name}, id: a, with: { id: b } }\n`,
  }),
})

/** Runs the suite on a connector; answers the names of the tests that fail. */
async function failing(connector: Connector, calls = [{ action: 'put', input: { id: 'a' } }]): Promise<string[]> {
  const tests: [string, () => Promise<void> | void][] = []
  const runner = {
    describe: (_name: string, body: () => void) => body(),
    test: (name: string, body: () => Promise<void> | void) => void tests.push([name, body]),
  }
  describeConnectorContract(connector, runner, () =>
    Promise.resolve({
      config: { url: 'x' },
      egress: createEgress(),
      directory: '/',
      calls,
      close: () => Promise.resolve(),
    }),
  )
  const failed: string[] = []
  for (const [name, body] of tests) {
    done.clear()
    try {
      await body()
    } catch {
      failed.push(name)
    }
  }
  expect(tests).toHaveLength(12)
  return failed
}

test('a good connector passes', async () => expect(await failing(good)).toEqual([]))

const leaked: Server[] = []
const with_ = (change: object): Connector => ({ ...good, ...change }) as unknown as Connector
const withAction = (change: object): Connector => with_({ actions: { put: { ...put, ...change } } })

test.each<[string, Connector, string]>([
  ['no title', with_({ title: '' }), 'the definition is valid'],
  [
    'a sample that does not fit',
    with_({
      triggers: { ping: { description: 'Ping.', payload: z.looseObject({ id: z.int() }), sample: { id: 'x' } } },
    }),
    'the sample of each trigger',
  ],
  [
    'a setting without description',
    with_({ config: z.strictObject({ url: z.string() }) }),
    'every schema can be expressed',
  ],
  ['a date in the output', withAction({ output: z.object({ id: z.date() }) }), 'every schema can be expressed'],
  ['unknown settings pass', with_({ config: z.object({ url: z.string().describe('Where.') }) }), 'the config survives'],
  [
    'the config changes',
    with_({ config: z.strictObject({ url: z.string().transform((url) => `${url}/`) }) }),
    'the config survives',
  ],
  ['a scaffold without indent', with_({ scaffold: () => 'a: { type: thing }' }), 'the scaffold is'],
  [
    'a scaffold of unknown keys',
    with_({ scaffold: ({ name }: { name: string }) => `  ${name}: { type: thing, ur: x }` }),
    'the scaffold is',
  ],
  [
    'an example that does not check',
    with_({ example: () => ({ fileName: 'x.flow.yaml', source: 'flow: X\n# some_name\nsteps: [{ nothing: {} }]' }) }),
    'the example flow',
  ],
  [
    'an example of an action that does not check',
    withAction({ example: '- thing_put: { id: x, connection: main, with: { ident: "${inputs.a}" } }' }),
    'the examples of the actions',
  ],
  ['an output that is none', withAction({ run: () => Promise.resolve({ id: 7 }) }), 'every action is called'],
  [
    'deaf to its signal',
    withAction({
      run: (_context: unknown, { id }: { id: string }) => Promise.resolve({ id }),
      lookup: undefined,
      idempotency: 'none',
    }),
    'an action whose signal',
  ],
  ['a look-up that finds nothing', withAction({ lookup: () => Promise.resolve(null) }), 'a look-up finds'],
  ['a look-up that finds anything', withAction({ lookup: () => Promise.resolve({ id: 'a' }) }), 'a look-up finds'],
  ['an unhealthy client', with_({ healthy: () => false }), 'connecting, testing'],
  [
    'a leak',
    with_({
      connect: () =>
        new Promise((resolve) => {
          const server = createServer().listen(0, () => resolve(server))
          leaked.push(server)
        }),
    }),
    'connecting, testing',
  ],
])('a connector with %s fails', async (_what, connector, expected) => {
  try {
    expect((await failing(connector)).filter((name) => name.startsWith(expected))).toHaveLength(1)
  } finally {
    for (const server of leaked.splice(0)) server.close()
  }
})

test('a connector whose environment leaves an action out fails', async () => {
  expect(await failing(good, [])).toEqual(['every action is called, and answers what its schema says'])
})
