import { expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import type { PlugworkError } from '../error.ts'
import type { ActionContext, Connector } from './connector.ts'
import { defineAction, defineConnector, type ActionInput, type ActionOutput } from './define-connector.ts'
import { describeConnector } from './describe-connector.ts'
import { renderReference } from './reference.ts'

interface Pool {
  readonly url: string
}
interface Session {
  read(id: string): Promise<{ title: string }>
}

const get = defineAction({
  description: 'Reads an item.',
  input: z.strictObject({ id: z.string(), limit: z.int().default(10) }),
  output: z.object({ title: z.string(), seen: z.array(z.int()) }),
  effect: 'read',
  idempotency: 'natural',
  async run({ client, signal }: ActionContext<Session>, input) {
    expectTypeOf(client).toEqualTypeOf<Session>()
    expectTypeOf(signal).toEqualTypeOf<AbortSignal>()
    expectTypeOf(input).toEqualTypeOf<{ id: string; limit: number }>()
    const { title } = await client.read(input.id)
    return { title, seen: [input.limit] }
  },
})

const store = {
  name: 'shelf',
  title: 'Shelf',
  description: 'Keeps things.',
  version: '1.2.3',
  prefixes: ['sh'],
  config: z.strictObject({
    url: z.url().describe('Where it is.'),
    token: z.string().meta({ 'x-plugwork': 'secret', description: 'Its token.' }),
  }),
  connect: (config: { url: string }): Promise<Pool> => Promise.resolve({ url: config.url }),
  acquire: (): Promise<Session> => Promise.resolve({ read: (id) => Promise.resolve({ title: id }) }),
  scaffold: ({ name }: { name: string }) => `  ${name}:\n    type: shelf\n    url: https://x.example\n`,
  example: ({ name }: { name: string }) => ({ fileName: 'shelf.flow.yaml', source: `flow: Shelf # ${name}\n` }),
}

const shelf = defineConnector({ ...store, actions: { 'items.get': get } })

test('types flow from the schemas', () => {
  expectTypeOf(shelf).toExtend<Connector>()
  expectTypeOf<ActionInput<typeof shelf, 'items.get'>>().toEqualTypeOf<{ id: string; limit?: number | undefined }>()
  expectTypeOf<ActionOutput<typeof shelf, 'items.get'>>().toEqualTypeOf<{ title: string; seen: number[] }>()
  expectTypeOf<keyof typeof shelf.actions>().toEqualTypeOf<'items.get'>()
  expectTypeOf(shelf.connect).parameter(0).toEqualTypeOf<{ url: string; token: string }>()

  defineConnector({
    ...store,
    connect(config) {
      expectTypeOf(config).toEqualTypeOf<{ url: string; token: string }>()
      return Promise.resolve({ url: config.url })
    },
    disconnect(client) {
      expectTypeOf(client).toEqualTypeOf<{ url: string }>()
      return Promise.resolve()
    },
    actions: { 'items.get': get },
  })
  const output = z.object({ a: z.string() })
  const common = {
    description: 'x',
    input: z.strictObject({}),
    output,
    effect: 'read',
    idempotency: 'natural',
  } as const
  // @ts-expect-error -- what `run` answers does not fit the output schema
  defineAction({ ...common, run: (_context: ActionContext<Session>) => Promise.resolve({ a: 1 }) })
  // @ts-expect-error -- the idempotency is no such word
  defineAction({ ...common, idempotency: 'maybe', run: () => Promise.resolve({ a: '' }) })
  expect(shelf.actions['items.get']).toBe(get)
})

test.each([
  [{ name: 'Shelf' }, 'The name "Shelf"'],
  [{ name: 'task' }, 'a word of the flow language'],
  [{ title: ' ' }, 'no title'],
  [{ description: '' }, 'no description'],
  [{ version: '1' }, 'version "1"'],
  [{ prefixes: ['sh_'] }, 'The prefix "sh_"'],
  [{ actions: {} }, 'no actions'],
  [{ actions: { 'Items.get': get } }, 'The action name "Items.get"'],
  [{ actions: { 'a.b': get, a_b: get } }, 'same spelling a_b'],
  [{ actions: { get: { ...get, description: '' } } }, '"get" has no description'],
  [{ actions: { get: { ...get, effect: 'write', idempotency: 'lookup' } } }, 'no lookup function'],
  [{ actions: { get: { ...get, effect: 'write', lookup: () => Promise.resolve(null) } } }, 'say idempotency: lookup'],
  [{ actions: { get: { ...get, idempotency: 'key' } } }, 'only reads'],
  [{ actions: { get: { ...get, effect: 'write', cache: '30s' } } }, 'only answers of reads'],
  [{ actions: { get: { ...get, cache: 'soon' } } }, 'The cache time "soon"'],
  [{ limits: { requests: 0, per: '1m' } }, 'more than 0'],
  [{ limits: { requests: 5, per: 'minute' } }, 'per "minute"'],
  [{ limits: { requests: 5, per: '1m', burst: 0 } }, 'burst of 0'],
] as const)('a broken definition is refused by name: %j', (change, message) => {
  const define = (): unknown => defineConnector({ ...store, actions: { get }, ...change } as unknown as typeof shelf)
  expect(define).toThrowError(
    expect.objectContaining({
      code: 'connector_invalid',
      message: expect.stringContaining(message) as string,
      data: { connector: expect.any(String) as string, problems: [expect.stringContaining(message)] },
    }) as PlugworkError,
  )
})

test('everything that is wrong is said at once', () => {
  const define = (): unknown => defineConnector({ ...store, title: '', version: 'x', actions: {} })
  expect(define).toThrowError(/no title.*version "x".*no actions/)
})

test('the description has the schemas that checker and forms read', () => {
  expect(describeConnector(shelf)).toEqual({
    name: 'shelf',
    description: 'Keeps things.',
    prefixes: ['sh'],
    config: {
      type: 'object',
      properties: {
        url: { type: 'string', format: 'uri', description: 'Where it is.' },
        token: { type: 'string', 'x-plugwork': 'secret', description: 'Its token.' },
      },
      required: ['url', 'token'],
      additionalProperties: false,
    },
    actions: [
      {
        connector: 'shelf',
        name: 'items.get',
        description: 'Reads an item.',
        input: {
          type: 'object',
          properties: {
            id: { type: 'string' },
            limit: expect.objectContaining({ type: 'integer', default: 10 }) as unknown,
          },
          required: ['id'],
          additionalProperties: false,
        },
        output: {
          type: 'object',
          properties: { title: { type: 'string' }, seen: expect.objectContaining({ type: 'array' }) as unknown },
          required: ['title', 'seen'],
          additionalProperties: false,
        },
        effect: 'read',
        idempotency: 'natural',
        needsConnection: true,
      },
    ],
  })
  const sql = z.strictObject({
    query: z.string().meta({ 'x-plugwork': 'sql' }),
    path: z.string().meta({ 'x-plugwork': 'path' }),
  })
  const write = {
    ...get,
    input: sql,
    effect: 'write',
    idempotency: 'lookup',
    connectionOptional: true,
    lookup: () => Promise.resolve(null),
  } as const
  const [described] = describeConnector({
    ...shelf,
    sqlDialect: 'postgres',
    actions: { write },
  } as unknown as Connector).actions
  expect(described).toMatchObject({
    sqlDialect: 'postgres',
    needsConnection: false,
    onInterrupt: 'check',
    input: { properties: { query: { 'x-plugwork': 'sql' }, path: { 'x-plugwork': 'path' } } },
  })
})

test('a schema that JSON Schema cannot express is an error that names it', () => {
  const wrong = { ...get, output: z.object({ at: z.date() }) } as unknown as typeof get
  const connector = defineConnector({ ...store, actions: { get: wrong } })
  expect(() => describeConnector(connector)).toThrowError(
    expect.objectContaining({
      code: 'connector_invalid',
      message: expect.stringContaining('the output of shelf.get') as string,
    }) as PlugworkError,
  )
})

test('the reference page says how to configure and call it', () => {
  const page = renderReference(shelf)
  expect(page).toContain('# Shelf')
  expect(page).toContain('| `url` | string | Where it is. |')
  expect(page).toContain('### shelf.items.get')
  expect(page).toContain('Also spelt `sh_items_get`.')
  expect(page).toContain('| `limit` | integer? | Default: `10`. |')
  expect(page).toContain('| `seen` | list of integer |  |')
  expect(renderReference(shelf)).toBe(page)
})
