/** Shapes of the Bot API, of each thing the fields that say something. core.telegram.org/bots/api#available-types */
import { z } from 'zod'

const text = z.string()
/** Ids have up to 52 bits; one that does not fit would come as text. */
const id = z.int()

export const user = z.object({
  id,
  is_bot: z.boolean(),
  first_name: text,
  last_name: text.optional(),
  username: text.optional(),
  language_code: text.optional(),
})

export const bot = user.extend({
  can_join_groups: z.boolean().optional(),
  can_read_all_group_messages: z.boolean().optional(),
  supports_inline_queries: z.boolean().optional(),
})

export const chat = z.object({
  id,
  type: text.describe('`private`, `group`, `supergroup` or `channel`.'),
  title: text.optional(),
  username: text.optional(),
  first_name: text.optional(),
  last_name: text.optional(),
})

const file = z.object({
  file_id: text.describe('Sends the file again.'),
  file_unique_id: text,
  file_size: z.int().optional(),
})

export const message = z.object({
  message_id: z.int(),
  message_thread_id: z.int().optional(),
  from: user.optional(),
  sender_chat: chat.optional(),
  chat,
  date: z.int().describe('Epoch second.'),
  edit_date: z.int().optional(),
  text: text.optional(),
  caption: text.optional(),
  photo: z.array(file.extend({ width: z.int(), height: z.int() })).optional(),
  document: file.extend({ file_name: text.optional(), mime_type: text.optional() }).optional(),
})

export const update = z.looseObject({ update_id: z.int() })

export const webhookInfo = z.object({
  url: text.describe('Empty without a webhook.'),
  pending_update_count: z.int(),
  last_error_date: z.int().optional(),
  last_error_message: text.optional(),
  max_connections: z.int().optional(),
  allowed_updates: z.array(text).optional(),
})

export const chatId = z
  .union([z.int(), z.string().regex(/^(-?\d+|@\w+)$/, 'must be the id of a chat or @username of a channel')])
  .describe('Id of the chat, or `@username` of a channel or supergroup.')

/** What messages have in common when they are sent. */
export const sending = {
  chat_id: chatId,
  message_thread_id: z.int().optional().describe('Topic of a forum.'),
  disable_notification: z.boolean().optional(),
  protect_content: z.boolean().optional().describe('No forwarding and saving.'),
  reply_to_message_id: z.int().optional().describe('Message of the chat to which this is a reply.'),
  reply_markup: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('Keyboard: core.telegram.org/bots/api#inlinekeyboardmarkup'),
}

export const parseMode = z.enum(['MarkdownV2', 'HTML', 'Markdown']).optional().describe('Default: plain text.')
