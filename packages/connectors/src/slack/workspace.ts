import { Buffer } from 'node:buffer'
import { cursorPages, defineAction, path } from '@plugwork/core/node'
import { z } from 'zod'
import { read, type ApiContext } from '../api-action.ts'
import { get, post } from './client.ts'
import { channel, channelId, done, goesOn, listOf, nextCursor, paged, timestamp, user, view } from './schemas.ts'

/** Actions on channels, users, files and views. */

const listChannels = defineAction({
  description: 'Lists the channels of the workspace.',
  input: z.strictObject({
    types: z
      .array(z.enum(['public_channel', 'private_channel', 'mpim', 'im']))
      .optional()
      .describe('Default: public channels.'),
    exclude_archived: z.boolean().optional(),
    ...paged,
  }),
  output: listOf(channel),
  effect: 'read',
  idempotency: 'natural',
  pages: cursorPages('items'),
  async run(context: ApiContext, { types, ...input }) {
    const answer = done.extend({ channels: z.array(channel), ...goesOn })
    const found = await get(context, 'conversations.list', answer, { ...input, types: types?.join(',') })
    return { items: found.channels, next_cursor: nextCursor(found) }
  },
})

const withChannel = done.extend({ channel })

const channelInfo = defineAction({
  description: 'Reads a channel.',
  input: z.strictObject({ channel: channelId }),
  output: channel,
  effect: 'read',
  idempotency: 'natural',
  run: async (context: ApiContext, input) =>
    (await get(context, 'conversations.info', withChannel, { ...input, include_num_members: true })).channel,
})

const createChannel = defineAction({
  description: 'Creates a channel. A name that is taken is `slack_name_taken`.',
  input: z.strictObject({
    name: z.string().regex(/^[^\sA-Z.]{1,80}$/, 'must be at most 80 lower-case characters without spaces and dots'),
    is_private: z.boolean().optional(),
  }),
  output: channel,
  effect: 'write',
  idempotency: 'none',
  run: async (context: ApiContext, input) => (await post(context, 'conversations.create', withChannel, input)).channel,
})

const joinChannel = defineAction({
  description: 'Joins a public channel.',
  input: z.strictObject({ channel: channelId }),
  output: channel,
  effect: 'write',
  idempotency: 'natural',
  run: async (context: ApiContext, input) => (await post(context, 'conversations.join', withChannel, input)).channel,
})

const listUsers = defineAction({
  description: 'Lists the users of the workspace, those who left included.',
  input: z.strictObject(paged),
  output: listOf(user),
  effect: 'read',
  idempotency: 'natural',
  pages: cursorPages('items'),
  async run(context: ApiContext, input) {
    const found = await get(context, 'users.list', done.extend({ members: z.array(user), ...goesOn }), input)
    return { items: found.members, next_cursor: nextCursor(found) }
  },
})

const userInfo = defineAction({
  description: 'Reads a user.',
  input: z.strictObject({ user: z.string().min(1).describe('Id (`W012A3CDE`).') }),
  output: user,
  effect: 'read',
  idempotency: 'natural',
  run: async (context: ApiContext, input) => (await get(context, 'users.info', done.extend({ user }), input)).user,
})

const lookupByEmail = defineAction({
  description: 'Finds a user by e-mail address. Needs the scope `users:read.email`; nobody is `slack_users_not_found`.',
  input: z.strictObject({ email: z.email() }),
  output: user,
  effect: 'read',
  idempotency: 'natural',
  run: async (context: ApiContext, input) =>
    (await get(context, 'users.lookupByEmail', done.extend({ user }), input)).user,
})

// docs.slack.dev/messaging/working-with-files#uploading_files
const upload = defineAction({
  description: 'Uploads a file and shares it in a channel.',
  input: z
    .strictObject({
      filename: z.string().min(1),
      content: z.string().optional().describe('Text of the file.'),
      base64: z.base64().optional().describe('Bytes of the file, instead of `content`.'),
      title: z.string().optional(),
      channel: channelId.optional().describe('Left out: the file stays private.'),
      thread_ts: timestamp.optional(),
      initial_comment: z.string().optional(),
    })
    .refine(
      ({ content, base64 }) => (content === undefined) !== (base64 === undefined),
      'give either content or base64',
    ),
  output: z.object({ id: z.string(), title: z.string() }),
  effect: 'write',
  idempotency: 'none',
  async run(context: ApiContext, { filename, content, base64, title = filename, channel, ...more }) {
    const data = content === undefined ? Buffer.from(base64 ?? '', 'base64') : Buffer.from(content)
    const place = done.extend({ upload_url: z.string(), file_id: z.string() })
    const { data: target } = await read(context, place, {
      method: 'POST',
      path: path`/files.getUploadURLExternal`,
      form: { filename, length: String(data.length) },
    })
    const bytes = { data, type: 'application/octet-stream' }
    await context.client.upload(target.upload_url, { bytes }, context.cancellation ?? context.signal)
    const files = z.array(z.object({ id: z.string(), title: z.string().optional() })).min(1)
    const completed = await post(context, 'files.completeUploadExternal', done.extend({ files }), {
      files: [{ id: target.file_id, title }],
      channel_id: channel,
      ...more,
    })
    return { id: completed.files[0]!.id, title: completed.files[0]!.title ?? title }
  },
})

const definition = z
  .record(z.string(), z.unknown())
  .describe('The view: docs.slack.dev/reference/views. Its `private_metadata` is no place for secrets.')
const withView = done.extend({ view })

const openView = defineAction({
  description: 'Opens a modal, within three seconds after somebody clicked.',
  input: z.strictObject({ trigger_id: z.string().min(1).describe('Of the interaction.'), view: definition }),
  output: view,
  effect: 'write',
  idempotency: 'none',
  run: async (context: ApiContext, input) => (await post(context, 'views.open', withView, input)).view,
})

const publishView = defineAction({
  description: "Replaces a user's view of the app's home.",
  input: z.strictObject({ user_id: z.string().min(1), view: definition, hash: z.string().optional() }),
  output: view,
  effect: 'write',
  idempotency: 'natural',
  run: async (context: ApiContext, input) => (await post(context, 'views.publish', withView, input)).view,
})

const updateView = defineAction({
  description: 'Replaces an open view.',
  input: z
    .strictObject({
      view_id: z.string().optional(),
      external_id: z.string().optional(),
      view: definition,
      hash: z.string().optional().describe('Replace only while the view has this hash.'),
    })
    .refine(
      ({ view_id: id, external_id: external }) => (id === undefined) !== (external === undefined),
      'give either view_id or external_id',
    ),
  output: view,
  effect: 'write',
  idempotency: 'natural',
  run: async (context: ApiContext, input) => (await post(context, 'views.update', withView, input)).view,
})

export const workspaceActions = {
  'channels.list': listChannels,
  'channels.info': channelInfo,
  'channels.create': createChannel,
  'channels.join': joinChannel,
  'users.list': listUsers,
  'users.info': userInfo,
  'users.lookup_by_email': lookupByEmail,
  'files.upload': upload,
  'views.open': openView,
  'views.publish': publishView,
  'views.update': updateView,
}
