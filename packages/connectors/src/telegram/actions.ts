import { Buffer } from 'node:buffer'
import { defineAction, type ApiContent } from '@plugwork/core/node'
import { z } from 'zod'
import type { ApiContext } from '../api-action.ts'
import { call } from './client.ts'
import { bot, chatId, message, parseMode, sending, update, webhookInfo } from './schemas.ts'

/** Actions over the Bot API: core.telegram.org/bots/api#available-methods. It knows no idempotency keys. */

const getMe = defineAction({
  description: 'Says who the bot is.',
  input: z.strictObject({}),
  output: bot,
  effect: 'read',
  idempotency: 'natural',
  run: (context: ApiContext) => call(context, 'getMe', bot, {}),
})

/** A reply is a parameter of its own since Bot API 7.0: core.telegram.org/bots/api#replyparameters */
function withReply<Input extends { readonly reply_to_message_id?: number | undefined }>({
  reply_to_message_id: id,
  ...input
}: Input): Omit<Input, 'reply_to_message_id'> & { reply_parameters?: { message_id: number } } {
  return id === undefined ? input : { ...input, reply_parameters: { message_id: id } }
}

const sendMessage = defineAction({
  description: 'Sends a message.',
  input: z.strictObject({
    ...sending,
    text: z.string().min(1).max(4096),
    parse_mode: parseMode,
    disable_link_preview: z.boolean().optional(),
  }),
  output: message,
  effect: 'write',
  idempotency: 'none',
  example: `
- telegram.send_message:
    id: sent
    connection: main
    chat_id: "@channelname"
    text: "Deployed \${inputs.version}"
    outputs: [message_id]`,
  run: (context: ApiContext, { disable_link_preview: plain, ...input }) =>
    call(context, 'sendMessage', message, {
      json: { ...withReply(input), ...(plain === undefined ? {} : { link_preview_options: { is_disabled: plain } }) },
    }),
})

const messageId = z.int().positive().describe('`message_id` of the message in its chat.')

const editMessage = defineAction({
  description: 'Replaces the text of a message of the bot. A text that is the same already is no error.',
  input: z.strictObject({
    chat_id: chatId,
    message_id: messageId,
    text: z.string().min(1).max(4096),
    parse_mode: parseMode,
    reply_markup: sending.reply_markup,
  }),
  output: z.object({ edited: z.boolean().describe('False when the message was so already.') }),
  effect: 'write',
  idempotency: 'natural',
  async run(context: ApiContext, json) {
    try {
      await call(context, 'editMessageText', z.union([message, z.literal(true)]), { json })
      return { edited: true }
    } catch (error) {
      const { data } = error as { readonly data?: { readonly message?: unknown } }
      if (String(data?.message).includes('message is not modified')) return { edited: false }
      throw error
    }
  },
})

const deleteMessage = defineAction({
  description: 'Deletes a message, within 48 hours. One that is gone is `telegram_not_found`.',
  input: z.strictObject({ chat_id: chatId, message_id: messageId }),
  output: z.object({ deleted: z.literal(true) }),
  effect: 'destructive',
  idempotency: 'natural',
  async run(context: ApiContext, json) {
    return { deleted: await call(context, 'deleteMessage', z.literal(true), { json }) }
  },
})

/** Where a file comes from: core.telegram.org/bots/api#sending-files */
const source = {
  url: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('Telegram fetches the file: photos up to 5 MB, others up to 20 MB.'),
  file_id: z.string().optional().describe('A file that is on the servers of Telegram already.'),
  base64: z.base64().optional().describe('The bytes: photos up to 10 MB, others up to 50 MB.'),
  file_name: z.string().optional().describe('Name of the file of `base64`.'),
}
const captioned = { ...sending, ...source, caption: z.string().max(1024).optional(), parse_mode: parseMode }

const oneSource = ({ url, file_id, base64 }: { url?: unknown; file_id?: unknown; base64?: unknown }): boolean =>
  [url, file_id, base64].filter((one) => one !== undefined).length === 1
const ONE_SOURCE = 'give exactly one of url, file_id and base64'

type Sending = z.output<z.ZodObject<typeof captioned>>

/** JSON for an address or id, multipart for bytes. */
function fileContent(field: string, standardName: string, input: Sending): ApiContent {
  const { url, file_id: id, base64, file_name: name = standardName, ...rest } = withReply(input)
  if (base64 === undefined) return { json: { ...rest, [field]: url ?? id } }
  const parts = Object.entries(rest).filter(([, value]) => value !== undefined)
  return {
    multipart: {
      ...Object.fromEntries(
        parts.map(([key, value]) => [key, typeof value === 'string' ? value : JSON.stringify(value)]),
      ),
      [field]: { name, bytes: Buffer.from(base64, 'base64') },
    },
  }
}

const sendPhoto = defineAction({
  description: 'Sends a photo.',
  input: z.strictObject(captioned).refine(oneSource, ONE_SOURCE),
  output: message,
  effect: 'write',
  idempotency: 'none',
  run: (context: ApiContext, input) => call(context, 'sendPhoto', message, fileContent('photo', 'photo.jpg', input)),
})

const sendDocument = defineAction({
  description: 'Sends a file.',
  input: z.strictObject(captioned).refine(oneSource, ONE_SOURCE),
  output: message,
  effect: 'write',
  idempotency: 'none',
  run: (context: ApiContext, input) => call(context, 'sendDocument', message, fileContent('document', 'file', input)),
})

const getUpdates = defineAction({
  description:
    'Takes updates that wait for the bot, as long as it has no webhook. `next_offset` as the next `offset` says that these were seen.',
  input: z.strictObject({
    offset: z.int().optional().describe('First update to answer; those before it are gone for good.'),
    limit: z.int().min(1).max(100).optional().describe('Default: 100.'),
    timeout: z.int().min(0).max(50).optional().describe('Seconds to wait for one when there is none. Default: 0.'),
    allowed_updates: z.array(z.string()).optional().describe('Only these kinds (`message`, `callback_query`).'),
  }),
  output: z.object({ updates: z.array(update), next_offset: z.int().nullable().describe('Null when there was none.') }),
  // The offset confirms what came before it.
  effect: 'write',
  idempotency: 'natural',
  async run(context: ApiContext, json) {
    const waits = json.timeout === undefined ? {} : { timeoutMs: (json.timeout + 20) * 1_000 }
    const updates = await call(context, 'getUpdates', z.array(update), { json, ...waits })
    const last = updates.at(-1)
    return { updates, next_offset: last === undefined ? null : last.update_id + 1 }
  },
})

const answerCallback = defineAction({
  description: 'Answers somebody who pressed a button of an inline keyboard.',
  input: z.strictObject({
    callback_query_id: z.string().min(1),
    text: z.string().max(200).optional().describe('Shown to the person.'),
    show_alert: z.boolean().optional().describe('As an alert, which has to be closed.'),
    cache_time: z.int().min(0).optional().describe('Seconds for which the answer holds.'),
  }),
  output: z.object({ answered: z.literal(true) }),
  effect: 'write',
  idempotency: 'natural',
  async run(context: ApiContext, json) {
    return { answered: await call(context, 'answerCallbackQuery', z.literal(true), { json }) }
  },
})

const setWebhook = defineAction({
  description: 'Has updates sent to an address instead.',
  input: z.strictObject({
    url: z.url({ protocol: /^https$/ }).describe('https.'),
    secret_token: z
      .string()
      .regex(/^[\w-]{1,256}$/)
      .meta({
        'x-plugwork': 'secret',
        description: 'Comes with every update in `X-Telegram-Bot-Api-Secret-Token`; the connection has the same one.',
      }),
    allowed_updates: z.array(z.string()).optional(),
    max_connections: z.int().min(1).max(100).optional().describe('Default: 40.'),
    drop_pending_updates: z.boolean().optional(),
  }),
  output: z.object({ set: z.literal(true) }),
  effect: 'write',
  idempotency: 'natural',
  async run(context: ApiContext, json) {
    return { set: await call(context, 'setWebhook', z.literal(true), { json }) }
  },
})

const deleteWebhook = defineAction({
  description: 'Stops sending updates to an address.',
  input: z.strictObject({ drop_pending_updates: z.boolean().optional() }),
  output: z.object({ deleted: z.literal(true) }),
  effect: 'write',
  idempotency: 'natural',
  async run(context: ApiContext, json) {
    return { deleted: await call(context, 'deleteWebhook', z.literal(true), { json }) }
  },
})

const getWebhook = defineAction({
  description: 'Says where updates are sent, and what went wrong last.',
  input: z.strictObject({}),
  output: webhookInfo,
  effect: 'read',
  idempotency: 'natural',
  run: (context: ApiContext) => call(context, 'getWebhookInfo', webhookInfo, {}),
})

export const actions = {
  get_me: getMe,
  send_message: sendMessage,
  edit_message: editMessage,
  delete_message: deleteMessage,
  send_photo: sendPhoto,
  send_document: sendDocument,
  get_updates: getUpdates,
  answer_callback: answerCallback,
  set_webhook: setWebhook,
  delete_webhook: deleteWebhook,
  get_webhook: getWebhook,
}
