/** The world around the flows of this folder. */
import type { Catalog, CatalogAction } from '../catalog.ts'

const string = { type: 'string' }
const number = { type: 'number' }
const any = {}

function action(connector: string, name: string, rest: Partial<CatalogAction>): CatalogAction {
  return {
    connector,
    name,
    description: name,
    input: { type: 'object', properties: {}, additionalProperties: false },
    output: { type: 'object', properties: {}, additionalProperties: false },
    effect: 'read',
    idempotency: 'natural',
    needsConnection: true,
    ...rest,
  }
}

const closed = (properties: { readonly [name: string]: unknown }, required: readonly string[] = []) => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
})

const sql = { type: 'string', 'x-plugwork': 'sql', description: 'The statement.' }

const sqliteActions = [
  action('sqlite', 'query', {
    input: closed({ query: sql, params: { anyOf: [{ type: 'array' }, { type: 'object' }] } }, ['query']),
    output: closed(
      { rows: { type: 'array', items: { type: 'object', additionalProperties: any } }, row_count: number },
      ['rows', 'row_count'],
    ),
    sqlDialect: 'sqlite',
  }),
  action('sqlite', 'execute', {
    input: closed({ query: sql, params: { type: 'array' } }, ['query']),
    output: closed({ rows_affected: number, last_insert_id: number }, ['rows_affected', 'last_insert_id']),
    effect: 'write',
    idempotency: 'none',
    sqlDialect: 'sqlite',
  }),
  action('sqlite', 'transaction', {
    input: closed(
      { statements: { type: 'array', items: closed({ query: sql, params: { type: 'array' } }, ['query']) } },
      ['statements'],
    ),
    output: closed({ rows_affected: number }, ['rows_affected']),
    effect: 'write',
    idempotency: 'none',
    sqlDialect: 'sqlite',
  }),
]

const pgActions = [
  action('postgres', 'query', {
    input: closed({ query: sql, params: { type: 'array' } }, ['query']),
    output: closed({ rows: { type: 'array', items: { type: 'object', additionalProperties: any } } }, ['rows']),
    sqlDialect: 'postgres',
  }),
]

const request = {
  path: { type: 'string', 'x-plugwork': 'path' },
  url: string,
  query: { type: 'object', additionalProperties: any },
  headers: { type: 'object', additionalProperties: string },
  timeout: { type: 'number', minimum: 1, maximum: 600 },
}
const response = closed({ status: number, headers: { type: 'object', additionalProperties: string }, body: any }, [
  'status',
  'headers',
  'body',
])

export const CATALOG: Catalog = {
  connectors: [
    {
      name: 'sqlite',
      description: 'SQLite',
      prefixes: ['sqlite'],
      config: closed({ database: string }, ['database']),
      actions: sqliteActions,
    },
    {
      name: 'postgres',
      description: 'PostgreSQL',
      prefixes: ['pg'],
      config: closed({ url: string }, ['url']),
      actions: pgActions,
    },
    {
      name: 'http',
      description: 'HTTP',
      prefixes: [],
      config: closed({ base_url: string, headers: { type: 'object', additionalProperties: string } }),
      actions: [
        action('http', 'get', { input: closed(request), output: response, needsConnection: false }),
        action('http', 'post', {
          input: closed({ ...request, json: any, body: any }),
          output: response,
          effect: 'write',
          idempotency: 'key',
          needsConnection: false,
        }),
      ],
    },
    {
      name: 'github',
      description: 'GitHub',
      prefixes: ['gh'],
      config: closed({ token: string }),
      actions: [
        action('github', 'issues.create', {
          input: closed(
            {
              owner: string,
              repo: string,
              title: string,
              description: string,
              state: { enum: ['open', 'closed'] },
              labels: { type: 'array', items: string },
            },
            ['title'],
          ),
          output: closed({ number, url: string }, ['number', 'url']),
          effect: 'write',
          idempotency: 'lookup',
        }),
      ],
    },
    {
      name: 'myservice',
      description: 'The service of the specification',
      prefixes: [],
      config: closed(
        {
          api_key: string,
          base_url: { type: 'string', default: 'https://api.myservice.com' },
          timeout: { type: 'number', default: 30, minimum: 1 },
        },
        ['api_key'],
      ),
      actions: [
        action('myservice', 'get', {
          input: closed({ resource_id: { type: ['string', 'number'] } }, ['resource_id']),
          output: closed({ data: any }, ['data']),
        }),
        action('myservice', 'create', {
          input: closed({ resource_type: string, payload: { type: 'object', additionalProperties: any } }, [
            'resource_type',
            'payload',
          ]),
          output: closed({ resource_id: string, data: any }, ['resource_id', 'data']),
          effect: 'write',
          idempotency: 'key',
        }),
        action('myservice', 'operation', {
          input: closed({ param1: string, param2: number }),
          output: closed({ result: any }, ['result']),
        }),
      ],
    },
  ],
  tasks: [
    {
      name: 'ValidateUser',
      input: closed({ user_id: string, strict: { type: 'boolean', default: false } }, ['user_id']),
      output: closed({ is_valid: { type: 'boolean' }, name: string }, ['is_valid', 'name']),
    },
    {
      name: 'Charge',
      input: closed({ amount: number, api_key: { type: 'string', 'x-plugwork': 'secret' } }, ['amount']),
      output: closed({ confirmation_code: string }, ['confirmation_code']),
    },
    { name: 'Untyped' },
  ],
  flows: [
    {
      name: 'Invoice',
      input: closed({ order_id: string }, ['order_id']),
      output: closed({ invoice_id: string }, ['invoice_id']),
    },
  ],
  storedConnections: ['work-github'],
}
