/** The telegram connector: messages, files, updates and webhooks of a bot over the Bot API. */
import { defineConnector, path, type ApiClient } from '@plugwork/core/node'
import { z } from 'zod'
import { actions } from './actions.ts'
import { auth, config, openTelegram } from './client.ts'
import { triggers, webhooks } from './events.ts'
import { bot } from './schemas.ts'

const NOTES = `
Errors are \`telegram_<kind>\`; \`data.message\` is what Telegram says (\`Bad Request: chat not found\`). Telegram wants the token in
the address of each request; it is taken out of every error. With too many messages (about one a second and chat, 30 a second in
all), \`telegram_rate_limited\` says in \`retryAfterMs\` when to come back, and a \`retry\` waits for it.

Telegram knows no idempotency keys: sending is not repeated after an attempt of which nobody knows how it ended, unless a step
says so. A bot gets updates by its webhook or by \`get_updates\`, never both.`

/** Telegram: `telegram.send_message`, `telegram.send_document`, `telegram.get_updates`, … */
export const telegram = defineConnector({
  name: 'telegram',
  title: 'Telegram',
  description: 'Messages, files and updates of a Telegram bot.',
  version: '1.0.0',
  prefixes: ['telegram'],
  config,
  notes: NOTES,
  auth,
  // core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this
  limits: { requests: 30, per: '1s', burst: 30 },
  triggers,
  webhooks,
  connect: (settings, context): Promise<ApiClient> => Promise.resolve(openTelegram(settings, context)),
  async test(client, { signal }) {
    const answer = z.object({ ok: z.literal(true), result: bot })
    const { data } = await client.read(answer, { method: 'POST', path: path`/getMe`, signal })
    return { message: `Telegram knows the bot as @${data.result.username ?? data.result.first_name}.` }
  },
  actions,
  scaffold: ({ name }) => `  ${name}:
    type: telegram
    token: "\${secrets.TELEGRAM_BOT_TOKEN}"
`,
  example: ({ name }) => ({
    fileName: 'telegram_example.flow.yaml',
    source: `flow: TelegramExample
description: Sends a message and changes it.
connections:
  ${name}:
    type: telegram
    token: "\${secrets.TELEGRAM_BOT_TOKEN}"
inputs:
  - { name: chat, type: string, required: true }
  - { name: text, type: string, default: Hello from Plugwork }
steps:
  - telegram.send_message:
      id: sent
      connection: ${name}
      chat_id: \${inputs.chat}
      text: \${inputs.text}
      outputs: [message_id]
  - telegram.edit_message:
      connection: ${name}
      chat_id: \${inputs.chat}
      message_id: \${sent.message_id}
      text: \${inputs.text + ' (done)'}
      retry: { max_attempts: 3, delay: 1s }
outputs:
  - { name: message, value: "\${sent.message_id}" }
`,
  }),
})
