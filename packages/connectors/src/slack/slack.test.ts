/** What only the local server can be made to do, and the events. */
import { PlugworkError, type Json, type JsonObject } from '@plugwork/core'
import type { Credential, CredentialSource, ServiceRequest } from '@plugwork/core/node'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { callActions } from '../vendor/testing/call-actions.ts'
import { triggers, webhooks } from './events.ts'
import { slack } from './slack.ts'
import { openSlackService, type SlackService } from './testing/open-service.ts'
import { replies, TOKEN, type SlackServer } from './testing/server.ts'

let service: SlackService
let server: SlackServer
beforeEach(async () => {
  service = await openSlackService()
  server = service.server!
})
afterEach(() => service.close())

async function failure(promise: Promise<unknown>): Promise<PlugworkError> {
  const error: unknown = await promise.then(
    () => new Error('it did not fail'),
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof PlugworkError)) throw error
  return error
}
const post = (): Promise<unknown> => service.call('messages.post', { channel: 'C1', text: 'x' })

test('a limit says when to come back', async () => {
  server.next(replies.limited)
  expect(await failure(post())).toMatchObject({
    code: 'slack_rate_limited',
    retryable: true,
    data: { status: 429, code: 'ratelimited', retryAfterMs: 30_000 },
  })
})

test('a missing scope, wrong blocks and an error of Slack say what Slack says', async () => {
  server.next(replies.missingScope)
  expect(await failure(post())).toMatchObject({
    code: 'slack_missing_scope',
    message: expect.stringContaining('missing_scope (needed: chat:write; the token has: channels:read)'),
    data: { details: { needed: 'chat:write', provided: 'channels:read' } },
  })
  server.next(replies.invalidBlocks)
  expect((await failure(post())).message).toContain('unsupported type: sectio')
  server.next(replies.fatal)
  expect(await failure(post())).toMatchObject({
    code: 'slack_unavailable',
    retryable: true,
    data: { code: 'fatal_error' },
  })
  server.next({ status: 503 })
  expect(await failure(post())).toMatchObject({ code: 'slack_unavailable', retryable: true })
})

test('a wrong token is slack_unauthorized; a stored connection gets another one and posts once', async () => {
  const wrong = await callActions(slack, { base_url: server.baseUrl, token: 'xoxb-wrong' })
  const error = await failure(wrong.call('users.list', {}))
  expect(error).toMatchObject({ code: 'slack_unauthorized', data: { code: 'invalid_auth' } })
  expect(JSON.stringify([error.message, error.data])).not.toContain('xoxb')
  await wrong.close()

  const make = (token: string): Credential => ({ method: 'oauth', token, metadata: {}, expiresAt: null })
  const credentials: CredentialSource = {
    current: () => Promise.resolve(make('xoxe.expired')),
    rejected: () => Promise.resolve(make(TOKEN)),
  }
  const stored = await callActions(slack, { base_url: server.baseUrl }, { credentials })
  await stored.call('messages.post', { channel: 'C1', text: 'once' })
  expect((await service.all('messages.list', { channel: 'C1' })).items).toHaveLength(1)
  await stored.close()
  await expect(callActions(slack, {})).rejects.toMatchObject({ code: 'slack_config' })
})

test('a message goes to a channel by name, with blocks as they are', async () => {
  const blocks = [{ type: 'section', text: { type: 'mrkdwn', text: '*a* & b' } }]
  const { message } = await service.call('messages.post', { channel: '#random', blocks })
  expect((message as JsonObject)['blocks']).toEqual(blocks)
  expect(server.seen.at(-1)!.headers['content-type']).toBe('application/json; charset=utf-8')
  expect(slack.actions['messages.post'].input.safeParse({ channel: 'C1' })).toMatchObject({ success: false })
})

test('an upload sends the bytes without the token, and shares the file', async () => {
  const { id } = await service.call('files.upload', {
    filename: 'a.bin',
    base64: '//79',
    channel: 'C2',
    title: 'Bytes',
  })
  expect(server.files.get(String(id))).toEqual({ name: 'a.bin', bytes: Buffer.from('//79', 'base64'), channel: 'C2' })
  const upload = server.seen.find(({ path }) => path.startsWith('/upload/'))!
  expect(upload.headers.authorization).toBeUndefined()
  expect(server.seen[0]!.json).toEqual({ filename: 'a.bin', length: '3' })
})

test('messages are scheduled, channels created and joined, views opened and changed, users found', async () => {
  const at = Math.ceil(Date.now() / 1_000) + 3_600
  expect(await service.call('messages.schedule', { channel: 'C1', post_at: at, text: 'later' })).toMatchObject({
    post_at: at,
  })
  const past = await failure(service.call('messages.schedule', { channel: 'C1', post_at: 1, text: 'late' }))
  expect(past.code).toBe('slack_time_in_past')
  const channel = await service.call('channels.create', { name: 'endeavor', is_private: true })
  expect(channel).toMatchObject({ name: 'endeavor', is_private: true })
  expect(await failure(service.call('channels.create', { name: 'endeavor' }))).toMatchObject({
    code: 'slack_name_taken',
  })
  for (let round = 0; round < 2; round += 1) {
    expect(await service.call('channels.join', { channel: 'C2' })).toMatchObject({ is_member: true })
  }
  const email = 'spengler@ghostbusters.example.com'
  expect(await service.call('users.lookup_by_email', { email })).toMatchObject({ id: 'U1' })
  const nobody = await failure(service.call('users.lookup_by_email', { email: 'x@example.com' }))
  expect(nobody.code).toBe('slack_users_not_found')

  const view = { type: 'modal', callback_id: 'a', title: { type: 'plain_text', text: 'T' }, blocks: [] }
  const opened = await service.call('views.open', { trigger_id: 'trigger', view })
  expect(await service.call('views.update', { view_id: opened['id'], view })).toMatchObject({ id: opened['id'] })
  expect(await service.call('views.publish', { user_id: 'U1', view: { type: 'home', blocks: [] } })).toMatchObject({
    type: 'home',
  })
  const expired = await failure(service.call('views.open', { trigger_id: 'expired', view }))
  expect(expired.code).toBe('slack_expired_trigger_id')
  expect((await failure(service.call('views.open', { trigger_id: 'x', view }))).message).toContain(
    'invalid `trigger_id`',
  )
})

const request = (json: Json): ServiceRequest => ({
  method: 'POST',
  url: '/',
  headers: {},
  body: new Uint8Array(),
  json,
})

test.each(Object.entries(triggers))('the documented event %s fits its trigger', (name, trigger) => {
  const sample = trigger.sample as JsonObject
  const sent: JsonObject = name.startsWith('interaction.')
    ? { payload: JSON.stringify({ ...sample, token: 'v' }) }
    : { ...sample, token: 'v' }
  const [event] = webhooks.events(request(sent))
  const account = sample['team_id'] ?? (sample['team'] as JsonObject)['id']
  expect(event).toEqual({ name, account, payload: sample, deliveryId: sample['event_id'] ?? null })
  expect(trigger.payload.parse(sample)).toEqual(sample)
})

test('a handshake and what is no event give none', () => {
  expect(webhooks.events(request({ type: 'url_verification', challenge: 'c', token: 't' }))).toEqual([])
  expect(webhooks.events(request({ payload: '{' }))).toEqual([])
  expect(webhooks.events(request(null))).toEqual([])
})
