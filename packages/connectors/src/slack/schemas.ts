/** Shapes of Slack's Web API, of each thing the fields that say something. docs.slack.dev/reference */
import { z } from 'zod'

const text = z.string()
const flag = z.boolean()

/** Every answer, before what it holds. */
export const done = z.object({ ok: z.literal(true) })

const parts = z.array(z.record(z.string(), z.unknown()))

export const message = z.object({
  type: text.optional(),
  subtype: text.optional(),
  ts: text.optional().describe('Id of the message in its channel, and its time.'),
  text: text.optional(),
  user: text.optional(),
  bot_id: text.optional(),
  app_id: text.optional(),
  thread_ts: text.optional(),
  reply_count: z.int().optional(),
  blocks: parts.optional(),
  attachments: parts.optional(),
  reactions: z.array(z.object({ name: text, count: z.int(), users: z.array(text) })).optional(),
})

const note = z.object({ value: text, creator: text, last_set: z.int() })

export const channel = z.object({
  id: text,
  name: text.optional().describe('Missing in direct messages.'),
  is_channel: flag.optional(),
  is_group: flag.optional(),
  is_im: flag.optional(),
  is_mpim: flag.optional(),
  is_private: flag.optional(),
  is_archived: flag.optional(),
  is_general: flag.optional(),
  is_shared: flag.optional(),
  is_member: flag.optional(),
  created: z.int().optional().describe('Epoch second.'),
  creator: text.optional(),
  user: text.optional().describe('Of a direct message.'),
  num_members: z.int().optional(),
  topic: note.optional(),
  purpose: note.optional(),
})

export const user = z.object({
  id: text,
  team_id: text.optional(),
  name: text,
  real_name: text.optional(),
  deleted: flag.optional(),
  is_bot: flag.optional(),
  is_admin: flag.optional(),
  is_owner: flag.optional(),
  tz: text.nullish(),
  updated: z.int().optional(),
  profile: z
    .object({
      display_name: text.optional(),
      real_name: text.optional(),
      email: text.optional(),
      title: text.optional(),
      status_text: text.optional(),
      status_emoji: text.optional(),
      image_72: text.optional(),
    })
    .optional(),
})

export const view = z.object({
  id: text,
  type: text,
  team_id: text.optional(),
  app_id: text.optional(),
  callback_id: text.optional(),
  external_id: text.optional(),
  hash: text.optional(),
  private_metadata: text.optional(),
  root_view_id: text.nullish(),
  state: z.object({ values: z.record(z.string(), z.unknown()) }).optional(),
})

/** How lists go on; the cursor is empty on the last page. */
export const goesOn = { response_metadata: z.object({ next_cursor: text.optional() }).optional() }

export const nextCursor = (answer: {
  readonly response_metadata?: { readonly next_cursor?: string | undefined } | undefined
}): string | null => answer.response_metadata?.next_cursor || null

export const listOf = <Item extends z.ZodType>(
  item: Item,
): z.ZodObject<{ items: z.ZodArray<Item>; next_cursor: z.ZodNullable<z.ZodString> }> =>
  z.object({
    items: z.array(item),
    next_cursor: z.string().nullable().describe('For `cursor` of the next call; null on the last page.'),
  })

export const paged = {
  limit: z.int().min(1).max(999).optional().describe('Items a page; Slack may answer with less.'),
  cursor: z.string().optional().describe('`next_cursor` of the page before.'),
}

export const channelId = z.string().min(1).describe('Id of a channel (`C012AB3CD`), group or direct message.')
export const timestamp = z
  .string()
  .regex(/^\d+\.\d+$/, 'must be the ts of a message, such as 1503435956.000247')
  .describe('`ts` of the message.')
export const blocks = parts.optional().describe('Block Kit: docs.slack.dev/block-kit')
