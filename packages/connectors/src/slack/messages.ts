import { cursorPages, defineAction } from '@plugwork/core/node'
import { z } from 'zod'
import type { ApiContext } from '../api-action.ts'
import { get, post } from './client.ts'
import { blocks, channelId, done, goesOn, listOf, message, nextCursor, paged, timestamp } from './schemas.ts'

/** Actions on messages and reactions. */

const content = {
  text: z.string().optional().describe('mrkdwn; with `blocks` what notifications show.'),
  blocks,
  thread_ts: timestamp.optional().describe('`ts` of the message to which this is a reply.'),
}

const says = ({ text, blocks }: { text?: string | undefined; blocks?: unknown[] | undefined }): boolean =>
  text !== undefined || blocks !== undefined
const SAYS = 'give text, blocks or both'

// docs.slack.dev/reference/methods/chat.postMessage. It documents no idempotency key: `client_msg_id` is none.
const postMessage = defineAction({
  description: 'Posts a message to a channel, a direct message or a thread.',
  input: z
    .strictObject({
      channel: z.string().min(1).describe('Id of a channel or user, or `#name`.'),
      ...content,
      reply_broadcast: z.boolean().optional().describe('Shows a reply in the channel too.'),
      unfurl_links: z.boolean().optional(),
      unfurl_media: z.boolean().optional(),
      username: z.string().optional().describe('Needs the scope `chat:write.customize`.'),
      icon_emoji: z.string().optional(),
    })
    .refine(says, SAYS),
  output: z.object({ channel: z.string(), ts: z.string().describe('Id of the message in the channel.'), message }),
  effect: 'write',
  idempotency: 'none',
  example: `
- slack.messages.post:
    id: posted
    connection: main
    channel: C012AB3CD
    text: "Deployed \${inputs.version}"
    outputs: [ts]`,
  async run(context: ApiContext, input) {
    const answer = done.extend({ channel: z.string(), ts: z.string(), message })
    const { channel, ts, message: posted } = await post(context, 'chat.postMessage', answer, input)
    return { channel, ts, message: posted }
  },
})

const update = defineAction({
  description: 'Replaces the text of a message of the same app or user.',
  input: z.strictObject({ channel: channelId, ts: timestamp, text: z.string().optional(), blocks }).refine(says, SAYS),
  output: z.object({ channel: z.string(), ts: z.string(), text: z.string() }),
  effect: 'write',
  idempotency: 'natural',
  async run(context: ApiContext, input) {
    const answer = done.extend({ channel: z.string(), ts: z.string(), text: z.string().optional() })
    const { channel, ts, text = '' } = await post(context, 'chat.update', answer, input)
    return { channel, ts, text }
  },
})

const remove = defineAction({
  description: 'Deletes a message. One that is gone is `slack_message_not_found`.',
  input: z.strictObject({ channel: channelId, ts: timestamp }),
  output: z.object({ channel: z.string(), ts: z.string() }),
  effect: 'destructive',
  idempotency: 'natural',
  async run(context: ApiContext, input) {
    const { channel, ts } = await post(
      context,
      'chat.delete',
      done.extend({ channel: z.string(), ts: z.string() }),
      input,
    )
    return { channel, ts }
  },
})

const schedule = defineAction({
  description: 'Schedules a message, at most 120 days ahead.',
  input: z
    .strictObject({ channel: channelId, post_at: z.int().positive().describe('Epoch second.'), ...content })
    .refine(says, SAYS),
  output: z.object({ channel: z.string(), scheduled_message_id: z.string(), post_at: z.int() }),
  effect: 'write',
  idempotency: 'none',
  async run(context: ApiContext, input) {
    // Documented as a number, and shown as text in the example: docs.slack.dev/reference/methods/chat.scheduleMessage
    const answer = done.extend({
      channel: z.string(),
      scheduled_message_id: z.string(),
      post_at: z.union([z.int(), z.string()]),
    })
    const scheduled = await post(context, 'chat.scheduleMessage', answer, input)
    return { ...pick(scheduled), post_at: Number(scheduled.post_at) }
  },
})

const pick = ({ channel, scheduled_message_id }: { channel: string; scheduled_message_id: string }) => ({
  channel,
  scheduled_message_id,
})

const list = defineAction({
  description: 'Lists the messages of a channel, newest first, or the replies of a thread, oldest first.',
  input: z.strictObject({
    channel: channelId,
    thread_ts: timestamp.optional().describe('`ts` of the first message of a thread.'),
    oldest: z.string().optional().describe('Only messages after this `ts`.'),
    latest: z.string().optional().describe('Only messages before this `ts`.'),
    inclusive: z.boolean().optional().describe('Also those of exactly `oldest` and `latest`.'),
    ...paged,
  }),
  output: listOf(message),
  effect: 'read',
  idempotency: 'natural',
  pages: cursorPages('items'),
  async run(context: ApiContext, { thread_ts: ts, ...input }) {
    const answer = done.extend({ messages: z.array(message), ...goesOn })
    const found =
      ts === undefined
        ? await get(context, 'conversations.history', answer, input)
        : await get(context, 'conversations.replies', answer, { ...input, ts })
    return { items: found.messages, next_cursor: nextCursor(found) }
  },
})

const reaction = z.strictObject({
  channel: channelId,
  timestamp,
  name: z
    .string()
    .regex(/^[^:\s]+(::skin-tone-\d)?$/, 'must be the name of an emoji without colons')
    .describe('Name of the emoji, without colons.'),
})

/** What Slack refuses because it is so already is what was asked for. */
async function unless(code: string, body: () => Promise<unknown>): Promise<boolean> {
  try {
    await body()
    return true
  } catch (error) {
    if ((error as { readonly code?: unknown }).code === code) return false
    throw error
  }
}

const react = defineAction({
  description: 'Adds a reaction to a message.',
  input: reaction,
  output: z.object({ added: z.boolean().describe('False when it was there already.') }),
  effect: 'write',
  idempotency: 'natural',
  run: async (context: ApiContext, input) => ({
    added: await unless('slack_already_reacted', () => post(context, 'reactions.add', done, input)),
  }),
})

const unreact = defineAction({
  description: 'Removes a reaction from a message.',
  input: reaction,
  output: z.object({ removed: z.boolean().describe('False when there was none.') }),
  effect: 'write',
  idempotency: 'natural',
  run: async (context: ApiContext, input) => ({
    removed: await unless('slack_no_reaction', () => post(context, 'reactions.remove', done, input)),
  }),
})

export const messageActions = {
  'messages.post': postMessage,
  'messages.update': update,
  'messages.delete': remove,
  'messages.schedule': schedule,
  'messages.list': list,
  'reactions.add': react,
  'reactions.remove': unreact,
}
