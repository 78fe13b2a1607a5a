import { describeConnectorContract } from '@plugwork/core/testing'
import { describe, expect, test } from 'vitest'
import { environmentOf } from '../vendor/testing/contract-environment.ts'
import { exampleAt, runFlow } from '../vendor/testing/run-flow.ts'
import { telegram } from './telegram.ts'
import { CHAT, startTelegram, TOKEN } from './testing/server.ts'

const at = { chat_id: CHAT }

describeConnectorContract(telegram, { describe, test }, async () => {
  const server = await startTelegram()
  return environmentOf(server, { base_url: server.baseUrl, token: TOKEN, timeout: '5s' }, [
    { action: 'get_me', input: {} },
    { action: 'send_message', input: { ...at, text: 'a' } },
    { action: 'edit_message', input: { ...at, message_id: 1, text: 'b' } },
    { action: 'delete_message', input: { ...at, message_id: 1 } },
    { action: 'send_photo', input: { ...at, url: 'https://example.com/a.jpg' } },
    { action: 'send_document', input: { ...at, base64: 'YQ==' } },
    { action: 'get_updates', input: {} },
    { action: 'answer_callback', input: { callback_query_id: 'q' } },
    { action: 'set_webhook', input: { url: 'https://example.com/hook', secret_token: 'abc' } },
    { action: 'get_webhook', input: {} },
    { action: 'delete_webhook', input: {} },
  ])
})

test('the example flow runs as it is', async () => {
  const server = await startTelegram()
  const { status, outputs, error } = await runFlow({
    connector: telegram,
    source: exampleAt(telegram, server.baseUrl),
    inputs: { chat: String(CHAT) },
    secrets: { TELEGRAM_BOT_TOKEN: TOKEN },
  })
  expect({ status, outputs, error }).toEqual({ status: 'succeeded', outputs: { message: 1 }, error: null })
  await server.close()
})
