/** What holds for the local server and for api.telegram.org: `npm run test:live -- telegram`. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openTelegramService, type TelegramService } from './testing/open-service.ts'

let service: TelegramService
beforeEach(async () => {
  service = await openTelegramService()
})
afterEach(async () => {
  if (service.server !== null) assert.deepEqual(service.server.unknown, [])
  await service.close()
})

test('the connection test names the bot, and so does get_me', async () => {
  expect(await service.test()).toMatch(/^Telegram knows the bot as @\w+\.$/)
  expect(await service.call('get_me', {})).toMatchObject({ is_bot: true })
})

test('a message is sent, changed, answered and deleted', async () => {
  const { call, chat } = service
  const sent = await call('send_message', { chat_id: chat, text: '*first* & <second>', disable_link_preview: true })
  const at = { chat_id: chat, message_id: sent['message_id'] }
  expect(sent).toMatchObject({ text: '*first* & <second>', chat: { id: Number(chat) } })
  expect(await call('edit_message', { ...at, text: 'changed' })).toEqual({ edited: true })
  expect(await call('edit_message', { ...at, text: 'changed' })).toEqual({ edited: false })
  await call('send_message', { chat_id: chat, text: 'reply', reply_to_message_id: sent['message_id'] })
  expect(await call('delete_message', at)).toEqual({ deleted: true })
  await expect(call('delete_message', at)).rejects.toMatchObject({ code: 'telegram_not_found', retryable: false })
})

test('a file is sent as bytes, and again by its id', async () => {
  const base64 = Buffer.from('content').toString('base64')
  const sent = await service.call('send_document', { chat_id: service.chat, base64, file_name: 'a.txt', caption: 'Ä' })
  const document = sent['document'] as { file_id: string }
  expect(sent).toMatchObject({ caption: 'Ä', document: { file_name: 'a.txt' } })
  const again = await service.call('send_document', { chat_id: service.chat, file_id: document.file_id })
  expect(again['document']).toHaveProperty('file_id')
})

test('without a webhook updates are taken', async () => {
  expect(await service.call('get_webhook', {})).toMatchObject({ url: '' })
  expect(await service.call('get_updates', { limit: 1 })).toHaveProperty('updates')
})

test('a chat that is not there is telegram_not_found', async () => {
  await expect(service.call('send_message', { chat_id: 1, text: 'x' })).rejects.toMatchObject({
    code: 'telegram_not_found',
    data: { status: 400, code: '400', message: 'Bad Request: chat not found' },
  })
})
