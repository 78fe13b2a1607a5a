import { Validator } from '@seriousme/openapi-schema-validator'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { json } from './http/reply.ts'
import { createRouteTable } from './http/router.ts'
import type { Route } from './http/route.ts'
import { openHarness } from './testing/harness.ts'
import type { Harness } from './testing/harness.ts'

let harness: Harness
beforeAll(async () => {
  harness = await openHarness()
})
afterAll(() => harness.close())

test('every route with its permission', () => {
  const { routes, mounts } = harness.server
  const list = routes.map(
    ({ method, path, permission, localOnly }) => `${method} ${path}: ${permission}${localOnly ? ', local' : ''}`,
  )
  expect([...list, ...mounts.map(({ prefix, permission }) => `ANY ${prefix}*: ${permission}`)]).toEqual([
    'GET /api/v1/flows: flows:read',
    'GET /api/v1/flows/:name: flows:read',
    'PUT /api/v1/flows/:name: flows:write',
    'DELETE /api/v1/flows/:name: flows:write',
    'POST /api/v1/flows/:name/check: flows:read',
    'POST /api/v1/flows/:name/enable: flows:write',
    'POST /api/v1/flows/:name/disable: flows:write',
    'GET /api/v1/flows/:name/versions: flows:read',
    'POST /api/v1/flows/:flow/runs: runs:write',
    'POST /api/v1/flows/:flow/execute: runs:write',
    'GET /api/v1/runs: runs:read',
    'GET /api/v1/runs/:id: runs:read',
    'GET /api/v1/runs/:id/events: runs:read',
    'POST /api/v1/runs/:id/cancel: runs:write',
    'POST /api/v1/runs/:id/retry: runs:write',
    'POST /api/v1/runs/:id/replay: runs:write',
    'POST /api/v1/runs/:id/resolve: runs:write',
    'POST /api/v1/runs/:id/signals/:name: runs:write',
    'POST /api/v1/events: events:write',
    'GET /api/v1/events: events:read',
    'GET /api/v1/events/stream: events:read',
    'GET /api/v1/connectors: connectors:read',
    'GET /api/v1/connectors/:name: connectors:read',
    'GET /api/v1/connections: connections:read',
    'POST /api/v1/connections: connections:write',
    'GET /api/v1/connections/:id: connections:read',
    'PATCH /api/v1/connections/:id: connections:write',
    'DELETE /api/v1/connections/:id: connections:write',
    'POST /api/v1/connections/:id/test: connections:write',
    'GET /oauth/:connector/start: connections:write',
    'GET /oauth/callback: public',
    'GET /api/v1/hooks: hooks:read',
    'POST /api/v1/hooks: hooks:write',
    'POST /api/v1/hooks/:id/rotate: hooks:write',
    'POST /api/v1/hooks/:id/retire: hooks:write',
    'POST /api/v1/hooks/:id/confirm: hooks:write',
    'DELETE /api/v1/hooks/:id: hooks:write',
    'GET /api/v1/tokens: admin',
    'POST /api/v1/tokens: admin',
    'DELETE /api/v1/tokens/:id: admin',
    'GET /resume/:run/:wait: public',
    'POST /resume/:run/:wait: public',
    'GET /healthz: public',
    'GET /readyz: public',
    'GET /metrics: metrics:read',
    'GET /api/v1/schedules: flows:read',
    'POST /api/v1/maintenance/prune: admin',
    'GET /api/v1/openapi.json: public',
    'GET /api/v1/docs: public',
    'POST /control/v1/:operation: admin, local',
    'GET /control/v1/watch/:id: admin, local',
    'ANY /webhooks/*: decided by the trigger (`auth`)',
    'ANY /hooks/*: decided by the signature of the service',
  ])
})

/** An address of a route, with something in place of its parameters. */
const addressOf = (route: Route) => route.path.replaceAll(/:\w+/g, 'x')

test('every route that is not public refuses who has no token, or a token without its permission', async () => {
  const made = await harness.request('POST', '/api/v1/tokens', {
    name: 'no rights here',
    permissions: ['connectors:read'],
  })
  const weak = { authorization: `Bearer ${made.json().token as string}` }
  const got: Record<string, readonly number[]> = {}
  const wanted: Record<string, readonly number[]> = {}
  for (const route of harness.server.routes) {
    if (route.permission === 'public' || route.permission === 'connectors:read') continue
    const name = `${route.method} ${route.path}`
    const statuses = [{ authorization: '' }, { authorization: 'Bearer wrong' }, weak].map(async (headers) => {
      const answer = await harness.request(route.method, addressOf(route), undefined, headers)
      return answer.status
    })
    got[name] = await Promise.all(statuses)
    wanted[name] = route.localOnly === true ? [404, 404, 404] : [401, 401, 403]
  }
  expect(got).toEqual(wanted)
})

describe('a table of routes does not start', () => {
  const route: Route = {
    method: 'GET',
    path: '/x',
    permission: 'admin',
    tag: 'X',
    summary: 'X',
    answers: { 200: { description: 'x', schema: z.object({}) } },
    handler: () => json(200, {}),
  }

  test.each<[string, readonly unknown[]]>([
    ['without a permission', [{ ...route, permission: undefined }]],
    ['with a permission that does not exist', [{ ...route, permission: 'everything' }]],
    ['with a permission that every object has', [{ ...route, permission: 'constructor' }]],
    ['without an answer', [{ ...route, answers: {} }]],
    ['when a route is declared twice', [route, route]],
  ])('%s', (_, routes) => {
    expect(() => createRouteTable(routes as readonly Route[])).toThrow(
      expect.objectContaining({ code: 'internal_route' }),
    )
  })
})

describe('the OpenAPI document', () => {
  test('has every visible route, and every reference in it leads somewhere', async () => {
    const answer = await harness.request('GET', '/api/v1/openapi.json', undefined, { authorization: '' })
    const document = answer.json() as {
      openapi: string
      paths: Record<string, Record<string, { responses: object; operationId: string }>>
      components: { schemas: Record<string, unknown> }
    }
    expect(document.openapi).toBe('3.1.0')
    const listed = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
    )
    const visible = harness.server.routes.filter((route) => route.hidden !== true)
    expect(listed.toSorted()).toEqual(
      visible.map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`).toSorted(),
    )
    const references = [...answer.text.matchAll(/"\$ref":"([^"]+)"/g)].map((match) => match[1]!)
    expect(references.length).toBeGreaterThan(20)
    for (const reference of references) {
      expect(reference).toMatch(/^#\/components\/schemas\//)
      expect(Object.keys(document.components.schemas)).toContain(reference.split('/').at(-1))
    }
    const ids = Object.values(document.paths).flatMap((item) =>
      Object.values(item).map(({ operationId }) => operationId),
    )
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('is valid by the published schema of OpenAPI 3.1', async () => {
    const answer = await harness.request('GET', '/api/v1/openapi.json', undefined, { authorization: '' })
    const result = await new Validator().validate(answer.json())
    expect([result.valid, result.errors]).toEqual([true, undefined])
  })

  test('is shown as a page that loads nothing and runs nothing', async () => {
    const page = await harness.request('GET', '/api/v1/docs', undefined, { authorization: '' })
    expect(page.status).toBe(200)
    expect(page.headers.get('content-security-policy')).toMatch(/^default-src 'none'; style-src 'sha256-/)
    expect(page.text).not.toMatch(/<script|src=|https?:\/\/(?!www\.)/)
    expect(page.text).toContain('/api/v1/flows/{flow}/runs')
    expect(page.text).toContain('a stable <code>code</code>')
  })
})
