/** What only the local server can be made to do: limits, refusals, webhooks; and that the token is in no error. */
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { PlugworkError, type JsonObject } from '@plugwork/core'
import type { ServiceRequest } from '@plugwork/core/node'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { callActions } from '../vendor/testing/call-actions.ts'
import { runFlow } from '../vendor/testing/run-flow.ts'
import { triggers, webhooks } from './events.ts'
import { telegram } from './telegram.ts'
import { openTelegramService, type TelegramService } from './testing/open-service.ts'
import { CHAT, replies, TOKEN, type TelegramServer } from './testing/server.ts'

let service: TelegramService
let server: TelegramServer
beforeEach(async () => {
  service = await openTelegramService()
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
/** Everything of an error that could end in a log, a journal or an answer. */
function everything(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { data } = error as { data?: unknown }
  return JSON.stringify([error.message, error.stack, data, everything(error.cause)])
}
const send = (): Promise<unknown> => service.call('send_message', { chat_id: CHAT, text: 'x' })
const [, SECRET] = TOKEN.split(':') as [string, string]

test('limits, refusals and failures have their codes', async () => {
  server.next(replies.limited)
  expect(await failure(send())).toMatchObject({
    code: 'telegram_rate_limited',
    retryable: true,
    data: { status: 429, retryAfterMs: 14_000 },
  })
  server.next(replies.moved)
  expect(await failure(send())).toMatchObject({
    code: 'telegram_invalid',
    data: { details: { migrate_to_chat_id: -1_001_234 } },
  })
  server.next(replies.blocked)
  expect(await failure(send())).toMatchObject({ code: 'telegram_forbidden', retryable: false })
  server.next(replies.unavailable)
  expect(await failure(send())).toMatchObject({ code: 'telegram_unavailable', retryable: true })
})

test('the token is in the path of requests and in no error, whatever goes wrong', async () => {
  const wrong = await callActions(telegram, { base_url: server.baseUrl, token: `1:${SECRET}` })
  const nowhere = await callActions(telegram, { base_url: 'http://127.0.0.1:1', token: TOKEN })
  // Takes connections and never answers.
  const silent = createServer().listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const silentUrl = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`
  const slow = await callActions(telegram, { base_url: silentUrl, token: TOKEN, timeout: '50ms' })
  server.next({ status: 200 })
  const errors = [
    await failure(send()),
    await failure(wrong.call('get_me', {})),
    await failure(nowhere.call('get_me', {})),
    await failure(slow.call('get_me', {})),
    await failure(service.call('send_message', { chat_id: 2, text: 'x' })),
  ]
  expect(server.seen.some(({ path }) => path === `/bot${TOKEN}/sendMessage`)).toBe(true)
  expect(errors.map(({ code }) => code)).toEqual([
    'api_reply',
    'telegram_unauthorized',
    'egress_connect',
    'egress_timeout',
    'telegram_not_found',
  ])
  for (const error of errors) expect(everything(error)).not.toContain(SECRET)
  for (const calls of [wrong, nowhere, slow]) await calls.close()
  silent.close()
  expect(telegram.config.safeParse({ token: `../${SECRET}` })).toMatchObject({ success: false })
  await expect(callActions(telegram, {})).rejects.toMatchObject({ code: 'telegram_config' })
})

test('the token is in no error of a run either', async () => {
  const source = `
flow: Refused
connections: { main: { type: telegram, base_url: "http://127.0.0.1:1", token: "\${secrets.TOKEN}" } }
steps:
  - telegram.get_me: { connection: main }
`
  const run = await runFlow({ connector: telegram, source, secrets: { TOKEN } })
  expect(run).toMatchObject({ status: 'failed', error: { code: 'egress_connect' } })
  expect(JSON.stringify(run)).not.toContain(SECRET)
})

test('photos and documents: by address, as bytes, with a keyboard', async () => {
  const reply_markup = { inline_keyboard: [[{ text: 'Yes', callback_data: 'yes' }]] }
  await service.call('send_photo', { chat_id: CHAT, url: 'https://example.com/a.jpg', reply_markup })
  expect(server.seen.at(-1)!.json).toEqual({ chat_id: CHAT, photo: 'https://example.com/a.jpg', reply_markup })
  const base64 = Buffer.from([0, 255, 13, 10, 13, 10, 1]).toString('base64')
  await service.call('send_photo', { chat_id: CHAT, base64, reply_markup, caption: 'c' })
  expect(server.uploaded()!.toString('base64')).toBe(base64)
  expect(server.seen.at(-1)!.body.toString('latin1')).toContain(JSON.stringify(reply_markup))
  expect(server.unknown).toEqual([])
  const { input } = telegram.actions.send_photo
  expect(input.safeParse({ chat_id: CHAT })).toMatchObject({ success: false })
  expect(input.safeParse({ chat_id: CHAT, file_id: 'a', base64 })).toMatchObject({ success: false })
})

test('updates are taken once, and not while a webhook is set', async () => {
  for (const id of [10, 11, 12]) server.push({ update_id: id, message: { message_id: id } })
  const first = await service.call('get_updates', { limit: 2 })
  expect(first).toMatchObject({
    next_offset: 12,
    updates: [{ update_id: 10, message: { message_id: 10 } }, { update_id: 11 }],
  })
  expect(await service.call('get_updates', { offset: 12, timeout: 1 })).toMatchObject({ next_offset: 13 })
  expect(await service.call('get_updates', { offset: 13 })).toEqual({ updates: [], next_offset: null })
  const webhook = { url: 'https://example.com/hook', secret_token: 'abc', allowed_updates: ['message'] }
  expect(await service.call('set_webhook', webhook)).toEqual({ set: true })
  expect(await service.call('get_webhook', {})).toMatchObject({
    url: 'https://example.com/hook',
    allowed_updates: ['message'],
  })
  expect(await failure(service.call('get_updates', {}))).toMatchObject({ code: 'telegram_conflict' })
  expect(await service.call('delete_webhook', { drop_pending_updates: true })).toEqual({ deleted: true })
  expect(await service.call('answer_callback', { callback_query_id: 'q', text: 'Thanks' })).toEqual({ answered: true })
  expect(await failure(service.call('answer_callback', { callback_query_id: 'old' }))).toMatchObject({
    code: 'telegram_invalid',
  })
})

const request = (json: ServiceRequest['json']): ServiceRequest => ({
  method: 'POST',
  url: '/',
  headers: {},
  body: new Uint8Array(),
  json,
})

test.each(Object.entries(triggers))('the documented update %s fits its trigger', (name, trigger) => {
  const sample = trigger.sample as JsonObject
  expect(webhooks.events(request(sample))).toEqual([{ name, deliveryId: '10000', payload: sample }])
  expect(trigger.payload.parse(sample)).toEqual(sample)
})

test('what is no update gives no event', () => {
  expect(webhooks.events(request(null))).toEqual([])
  expect(webhooks.events(request({ update_id: 1 }))).toEqual([])
  expect(webhooks.events(request({ message: {} }))).toEqual([])
})
