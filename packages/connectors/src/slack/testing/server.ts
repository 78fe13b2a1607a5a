/**
 * A local Slack, built from the reference of each method (docs.slack.dev/reference/methods/<method>, whose examples are what it
 * answers; the address stands at each route) and from docs.slack.dev/apis/web-api: one POST or GET a method, `ok` in every body,
 * errors with status 200, limits with 429 and `Retry-After`.
 */
import type { Json, JsonObject } from '@plugwork/core'
import {
  startVendor,
  type Route,
  type VendorReply,
  type VendorRequest,
  type VendorServer,
} from '../../vendor/testing/vendor-server.ts'

export const TOKEN = 'xoxb-1234-test-token'

const error = (code: string, more: JsonObject = {}): VendorReply => ({ body: { ok: false, error: code, ...more } })
const ok = (body: JsonObject = {}): VendorReply => ({ body: { ok: true, ...body } })

/** Arguments come in the query, as a form, or as JSON: docs.slack.dev/apis/web-api/#basics */
const argumentsOf = ({ query, json }: VendorRequest): JsonObject => ({ ...Object.fromEntries(query), ...json })

export const replies = {
  // docs.slack.dev/apis/web-api/rate-limits
  limited: { status: 429, headers: { 'retry-after': '30' }, body: { ok: false, error: 'ratelimited' } },
  // docs.slack.dev/reference/methods/chat.postMessage#errors
  missingScope: error('missing_scope', { needed: 'chat:write', provided: 'channels:read' }),
  fatal: error('fatal_error'),
  invalidBlocks: error('invalid_blocks', {
    errors: ['unsupported type: sectio [json-pointer:/blocks/0/type]'],
    response_metadata: { messages: ['[ERROR] unsupported type: sectio [json-pointer:/blocks/0/type]'] },
  }),
} satisfies Record<string, VendorReply>

// docs.slack.dev/reference/methods/conversations.info
const channelOf = (id: string, name: string, more: JsonObject = {}): JsonObject => ({
  id,
  name,
  is_channel: true,
  is_group: false,
  is_im: false,
  created: 1_449_252_889,
  creator: 'W012A3BCD',
  is_archived: false,
  is_general: false,
  unlinked: 0,
  name_normalized: name,
  is_shared: false,
  is_ext_shared: false,
  is_org_shared: false,
  pending_shared: [],
  is_member: false,
  is_private: false,
  is_mpim: false,
  topic: { value: 'For public discussion of generalities', creator: 'W012A3BCD', last_set: 1_449_709_364 },
  purpose: { value: '', creator: '', last_set: 0 },
  previous_names: [],
  num_members: 4,
  ...more,
})

// docs.slack.dev/reference/methods/users.list
const userOf = (id: string, name: string, email: string): JsonObject => ({
  id,
  team_id: 'T012AB3C4',
  name,
  deleted: false,
  color: '9f69e7',
  real_name: name,
  tz: 'America/Los_Angeles',
  tz_label: 'Pacific Daylight Time',
  tz_offset: -25_200,
  profile: {
    avatar_hash: 'ge3b51ca72de',
    status_text: '',
    status_emoji: '',
    real_name: name,
    display_name: name,
    email,
    image_72: 'https://example.com/a.jpg',
    team: 'T012AB3C4',
  },
  is_admin: true,
  is_owner: false,
  is_bot: false,
  updated: 1_502_138_686,
  is_app_user: false,
  has_2fa: false,
})

// docs.slack.dev/reference/methods/views.open
const viewOf = (id: string, view: JsonObject, more: JsonObject = {}): JsonObject => ({
  id,
  team_id: 'T8N4K1JN',
  callback_id: '',
  private_metadata: '',
  state: { values: {} },
  hash: '156772938.1827394',
  clear_on_close: false,
  notify_on_close: false,
  root_view_id: id,
  previous_view_id: null,
  app_id: 'AA4928AQ',
  external_id: '',
  bot_id: 'BA13894H',
  ...view,
  ...more,
})

interface Message {
  readonly channel: string
  readonly data: JsonObject
  readonly reactions: Map<string, number>
}

export interface SlackServer extends VendorServer {
  readonly baseUrl: string
  /** Files by id, as they were uploaded. */
  readonly files: ReadonlyMap<string, { readonly name: string; bytes: Buffer; channel: string | null }>
}

/** Starts a Slack with the channels C1 (general) and C2 (random) and two users. */
export async function startSlack(): Promise<SlackServer> {
  const channels = [channelOf('C1', 'general', { is_general: true }), channelOf('C2', 'random')]
  const users = [
    userOf('U1', 'spengler', 'spengler@ghostbusters.example.com'),
    userOf('U2', 'glinda', 'glenda@south.oz.example.com'),
  ]
  const messages: Message[] = []
  const views = new Map<string, JsonObject>()
  const files = new Map<string, { readonly name: string; bytes: Buffer; channel: string | null }>()
  let clock = 1_503_435_956
  let ids = 0
  let origin = ''
  const nextTs = (): string => `${(clock += 1)}.000247`
  const nextId = (prefix: string): string => `${prefix}${(ids += 1)}ABC456`

  const channelFor = (id: Json | undefined): JsonObject | undefined =>
    channels.find((one) => one['id'] === id || `#${String(one['name'])}` === id)
  const messageFor = (channel: Json | undefined, ts: Json | undefined): Message | undefined =>
    messages.find((one) => one.channel === channel && one.data['ts'] === ts)

  /** docs.slack.dev/apis/web-api/pagination */
  function page(name: string, items: readonly Json[], given: JsonObject): VendorReply {
    const start = given['cursor'] === undefined ? 0 : Number(Buffer.from(String(given['cursor']), 'base64').toString())
    if (Number.isNaN(start)) return error('invalid_cursor')
    const end = start + Number(given['limit'] ?? 100)
    const cursor = end < items.length ? Buffer.from(String(end)).toString('base64') : ''
    return ok({ [name]: items.slice(start, end), response_metadata: { next_cursor: cursor } })
  }

  const methods: Record<string, (given: JsonObject) => VendorReply> = {
    'auth.test': () =>
      ok({
        url: 'https://subarachnoid.slack.com/',
        team: 'Subarachnoid Workspace',
        user: 'grace',
        team_id: 'T12345678',
        user_id: 'W12345678',
      }),
    'chat.postMessage': (given) => {
      const channel = channelFor(given['channel'])
      if (channel === undefined) return error('channel_not_found')
      if (given['text'] === undefined && given['blocks'] === undefined) return error('no_text')
      const ts = nextTs()
      const { channel: _, ...content } = given
      const data = { type: 'message', subtype: 'bot_message', bot_id: 'B123ABC456', text: '', ...content, ts }
      messages.push({ channel: String(channel['id']), data, reactions: new Map() })
      return ok({ channel: channel['id']!, ts, message: data })
    },
    'chat.update': ({ channel, ts, text = '' }) => {
      const message = messageFor(channel, ts)
      if (message === undefined) return error('message_not_found')
      Object.assign(message.data, { text })
      return ok({ channel: channel!, ts: ts!, text, message: { text, user: 'U34567890' } })
    },
    'chat.delete': ({ channel, ts }) => {
      const message = messageFor(channel, ts)
      if (message === undefined) return error('message_not_found')
      messages.splice(messages.indexOf(message), 1)
      return ok({ channel: channel!, ts: ts! })
    },
    'chat.scheduleMessage': ({ channel, post_at: postAt, text = '' }) => {
      if (channelFor(channel) === undefined) return error('channel_not_found')
      if (Number(postAt) < Date.now() / 1_000) return error('time_in_past')
      const message = { text, type: 'delayed_message', subtype: 'bot_message', bot_id: 'B123ABC456' }
      return ok({ channel: channel!, scheduled_message_id: nextId('Q'), post_at: String(postAt), message })
    },
    'conversations.history': (given) => {
      if (channelFor(given['channel']) === undefined) return error('channel_not_found')
      const found = messages.filter(
        ({ channel, data }) => channel === given['channel'] && data['thread_ts'] === undefined,
      )
      return page('messages', found.map(shown).toReversed(), given)
    },
    'conversations.replies': (given) => {
      const { channel, ts } = given
      if (messageFor(channel, ts) === undefined) return error('thread_not_found')
      const found = messages.filter(
        (one) => one.channel === channel && (one.data['ts'] === ts || one.data['thread_ts'] === ts),
      )
      return page('messages', found.map(shown), given)
    },
    'conversations.list': (given) => page('channels', channels, given),
    'conversations.info': ({ channel }) => {
      const found = channelFor(channel)
      return found === undefined ? error('channel_not_found') : ok({ channel: found })
    },
    'conversations.create': ({ name, is_private: isPrivate = false }) => {
      if (channels.some((one) => one['name'] === name)) return error('name_taken')
      const made = channelOf(nextId('C'), String(name), { is_private: isPrivate, is_member: true })
      channels.push(made)
      return ok({ channel: made })
    },
    'conversations.join': ({ channel }) => {
      const found = channelFor(channel)
      if (found === undefined) return error('channel_not_found')
      const warning: JsonObject = found['is_member'] === true ? { warning: 'already_in_channel' } : {}
      found['is_member'] = true
      return ok({ channel: found, ...warning })
    },
    'users.list': (given) => page('members', users, given),
    'users.info': ({ user }) => {
      const found = users.find(({ id }) => id === user)
      return found === undefined ? error('user_not_found') : ok({ user: found })
    },
    'users.lookupByEmail': ({ email }) => {
      const found = users.find(({ profile }) => (profile as JsonObject)['email'] === email)
      return found === undefined ? error('users_not_found') : ok({ user: found })
    },
    'reactions.add': ({ channel, timestamp, name }) => {
      const message = messageFor(channel, timestamp)
      if (message === undefined) return error('message_not_found')
      if (message.reactions.has(String(name))) return error('already_reacted')
      message.reactions.set(String(name), 1)
      return ok()
    },
    'reactions.remove': ({ channel, timestamp, name }) => {
      const message = messageFor(channel, timestamp)
      if (message === undefined) return error('message_not_found')
      return message.reactions.delete(String(name)) ? ok() : error('no_reaction')
    },
    'files.getUploadURLExternal': ({ filename, length }) => {
      if (filename === undefined || !(Number(length) > 0)) return error('missing_argument')
      const id = nextId('F')
      files.set(id, { name: String(filename), bytes: Buffer.alloc(0), channel: null })
      return ok({ upload_url: `${origin}/upload/v1/${id}`, file_id: id })
    },
    'files.completeUploadExternal': ({ files: given, channel_id: channel = null }) => {
      const named = given as { readonly id: string; readonly title: string }[]
      for (const { id } of named) {
        const file = files.get(id)
        if (file === undefined) return error('file_not_found')
        file.channel = channel as string | null
      }
      return ok({ files: named.map(({ id, title }) => ({ id, title })) })
    },
    'views.open': ({ trigger_id: trigger, view }) => {
      if (trigger === 'expired') return error('expired_trigger_id')
      if (trigger !== 'trigger')
        return error('invalid_arguments', { response_metadata: { messages: ['invalid `trigger_id`'] } })
      const made = viewOf(nextId('V'), view as JsonObject)
      views.set(String(made['id']), made)
      return ok({ view: made })
    },
    'views.publish': ({ view }) => ok({ view: viewOf(nextId('V'), view as JsonObject) }),
    'views.update': ({ view_id: id, view }) => {
      const present = views.get(String(id))
      if (present === undefined) return error('not_found')
      const changed = viewOf(String(id), view as JsonObject, { hash: '1569262015.55b5e41b' })
      views.set(String(id), changed)
      return ok({ view: changed })
    },
  }

  const routes: Record<string, Route> = {
    // docs.slack.dev/messaging/working-with-files#uploading_files: bytes, and no token.
    'POST /upload/v1/:id': ({ params, body, headers }) => {
      const file = files.get(params['id']!)
      if (file === undefined || headers.authorization !== undefined) return { status: 400 }
      file.bytes = body
      return { status: 200 }
    },
  }
  for (const [name, method] of Object.entries(methods)) {
    for (const verb of ['GET', 'POST']) routes[`${verb} /api/${name}`] = (request) => method(argumentsOf(request))
  }
  const server = await startVendor({
    routes,
    guard: ({ path, headers }) => {
      if (!path.startsWith('/api/') || headers.authorization === `Bearer ${TOKEN}`) return null
      return error(headers.authorization === undefined ? 'not_authed' : 'invalid_auth')
    },
    missing: error('unknown_method'),
  })
  origin = server.origin
  return { ...server, baseUrl: `${origin}/api`, files }
}

// docs.slack.dev/reference/methods/conversations.history
function shown({ data, reactions }: Message): Json {
  const list = [...reactions].map(([name, count]) => ({ name, count, users: ['U1'] }))
  return list.length === 0 ? data : { ...data, reactions: list }
}
