/** Updates that Telegram sends to a webhook: core.telegram.org/bots/api#update */
import type { Json, JsonObject } from '@plugwork/core'
import type { ServiceEvent, ServiceRequest, Trigger, WebhookSource } from '@plugwork/core/node'
import { z } from 'zod'

const text = z.string()
const user = z.looseObject({ id: z.int(), is_bot: z.boolean(), first_name: text, username: text.optional() })
const chat = z.looseObject({ id: z.int(), type: text })
const message = z.looseObject({
  message_id: z.int(),
  from: user.optional(),
  chat,
  date: z.int(),
  text: text.optional(),
  caption: text.optional(),
})

// core.telegram.org/bots/webhooks#testing-your-bot-with-updates
const FROM = { last_name: 'Test Lastname', id: 1_111_111, is_bot: false, first_name: 'Test', username: 'Test' }
const CHAT = { last_name: 'Test Lastname', id: 1_111_111, type: 'private', first_name: 'Test', username: 'Test' }
const MESSAGE = { date: 1_441_645_532, chat: CHAT, message_id: 1_365, from: FROM, text: '/start' }

function ofMessage(kind: string, description: string): Trigger {
  return {
    description,
    payload: z.looseObject({ update_id: z.int(), [kind]: message }),
    sample: { update_id: 10_000, [kind]: MESSAGE },
  }
}

export const triggers = {
  message: ofMessage('message', 'Somebody wrote to the bot, or in a group where it may read.'),
  edited_message: ofMessage('edited_message', 'A message was changed.'),
  channel_post: ofMessage('channel_post', 'Something was posted in a channel of the bot.'),
  callback_query: {
    description: 'Somebody pressed a button of an inline keyboard; answer with `telegram.answer_callback`.',
    payload: z.looseObject({
      update_id: z.int(),
      callback_query: z.looseObject({ id: text, from: user, chat_instance: text.optional(), data: text.optional() }),
    }),
    sample: {
      update_id: 10_000,
      callback_query: {
        id: '4382bfdwdsb323b2d9',
        from: FROM,
        data: 'Data from button callback',
        inline_message_id: '1234csdbsk4839',
      },
    },
  },
} satisfies Record<string, Trigger>

export const webhooks: WebhookSource = {
  scheme: 'telegram',
  help: 'Call `telegram.set_webhook` with the address of this connection and a `secret_token`; store the same secret with the connection. An update is stored under the name of what it holds (`message`, `callback_query`).',
  events({ json }: ServiceRequest): readonly ServiceEvent[] {
    if (!isObject(json)) return []
    const { update_id: id, ...rest } = json
    // "At most one of the optional parameters can be present in any given update."
    const [kind] = Object.keys(rest)
    if (typeof id !== 'number' || kind === undefined) return []
    return [{ name: kind, deliveryId: String(id), payload: json }]
  },
}

const isObject = (value: Json): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
