import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { OWNER_TOKEN, openHarness } from '../testing/harness.ts'
import type { Harness } from '../testing/harness.ts'

let harness: Harness
beforeAll(async () => {
  harness = await openHarness()
})
afterAll(() => harness.close())

const bearer = (token: unknown) => ({ authorization: `Bearer ${String(token)}` })
const make = (body: object) => harness.request('POST', '/api/v1/tokens', body)

describe('tokens', () => {
  test('hold the permissions they were made with, and no others', async () => {
    const made = await make({ name: 'reader', permissions: ['runs:read'] })
    expect([made.status, made.json().token]).toEqual([201, expect.stringMatching(/^pwk_[\w-]{43}$/)])
    const headers = bearer(made.json().token)
    expect((await harness.request('GET', '/api/v1/runs', undefined, headers)).status).toBe(200)
    const refused = await harness.request('GET', '/api/v1/flows', undefined, headers)
    expect([refused.status, refused.json()]).toMatchObject([403, { code: 'forbidden', permission: 'flows:read' }])
  })

  test('are stored as hashes and listed without their text', async () => {
    const token = (await make({ name: 'listed', permissions: ['admin'] })).json().token as string
    const list = await harness.request('GET', '/api/v1/tokens')
    expect(list.text).toContain('listed')
    expect(list.text).not.toContain(token)
    const rows = await harness.store.listTokens('default')
    expect(JSON.stringify(rows)).not.toContain(token)
  })

  test('are refused at once when they are deleted', async () => {
    const { id, token } = (await make({ name: 'gone', permissions: ['admin'] })).json()
    expect((await harness.request('GET', '/api/v1/runs', undefined, bearer(token))).status).toBe(200)
    expect((await harness.request('DELETE', `/api/v1/tokens/${id as string}`)).status).toBe(204)
    expect((await harness.request('GET', '/api/v1/runs', undefined, bearer(token))).status).toBe(401)
    expect((await harness.request('DELETE', `/api/v1/tokens/${id as string}`)).status).toBe(404)
  })

  test('are refused once they have expired', async () => {
    const past = await make({ name: 'late', permissions: ['admin'], expires_at: '2020-01-01T00:00:00Z' })
    expect(past.status).toBe(400)
    const { hashToken } = await import('./token.ts')
    const row = { id: 'old', tenant: 'default', name: 'old', permissions: ['admin'], createdAt: 1, expiresAt: 2 }
    await harness.store.putToken({ ...row, hash: hashToken('expired-token') })
    expect((await harness.request('GET', '/api/v1/runs', undefined, bearer('expired-token'))).status).toBe(401)
  })

  test('of the owner cannot be deleted', async () => {
    expect((await harness.request('DELETE', '/api/v1/tokens/owner')).status).toBe(400)
  })

  test('cannot name permissions that do not exist', async () => {
    expect((await make({ name: 'x', permissions: ['everything'] })).status).toBe(400)
    expect((await make({ name: 'x', permissions: [] })).status).toBe(400)
  })
})

test.each([
  '',
  'Bearer',
  'Bearer ',
  `Basic ${OWNER_TOKEN}`,
  OWNER_TOKEN,
  `Bearer ${OWNER_TOKEN} x`,
  `Bearer ${OWNER_TOKEN}x`,
])('a request with "%s" is not let in', async (authorization) => {
  const answer = await harness.request('GET', '/api/v1/runs', undefined, { authorization })
  expect([answer.status, answer.json().code]).toEqual([401, 'unauthenticated'])
  expect(answer.headers.get('www-authenticate')).toContain('Bearer')
})

test('a request for another tenant than its token is refused', async () => {
  const own = await harness.request('GET', '/api/v1/runs', undefined, {
    ...bearer(OWNER_TOKEN),
    'x-tenant-slug': 'default',
  })
  const other = await harness.request('GET', '/api/v1/runs', undefined, {
    ...bearer(OWNER_TOKEN),
    'x-tenant-slug': 'other',
  })
  expect([own.status, other.status, other.json().code]).toEqual([200, 403, 'tenant_mismatch'])
})

describe('the first owner', () => {
  test('gets a token once, which works after a restart', async () => {
    await using first = await openHarness({ settings: { ownerToken: null } })
    const token = first.server.ownerToken
    expect(token).toMatch(/^pwk_/)
    expect((await first.request('GET', '/api/v1/runs', undefined, bearer(token))).status).toBe(200)
    await first.close({ keep: true })
    await using second = await openHarness({ settings: { ownerToken: null }, folder: first.folder })
    expect(second.server.ownerToken).toBeNull()
    expect((await second.request('GET', '/api/v1/runs', undefined, bearer(token))).status).toBe(200)
  })

  test('can replace it by a configured one', async () => {
    await using first = await openHarness({ settings: { ownerToken: 'old-one' } })
    await first.close({ keep: true })
    await using second = await openHarness({ settings: { ownerToken: 'new-one' }, folder: first.folder })
    const statuses = ['old-one', 'new-one'].map(async (token) => {
      const answer = await second.request('GET', '/api/v1/runs', undefined, bearer(token))
      return answer.status
    })
    expect(await Promise.all(statuses)).toEqual([401, 200])
  })

  test('must have a token before other machines can reach the server', async () => {
    await expect(openHarness({ settings: { host: '0.0.0.0', ownerToken: null } })).rejects.toMatchObject({
      code: 'auth_not_set_up',
      message: expect.stringContaining('PLUGWORK_OWNER_TOKEN'),
    })
    await using exposed = await openHarness({ settings: { host: '0.0.0.0' } })
    expect((await exposed.request('GET', '/api/v1/runs')).status).toBe(200)
  })
})
