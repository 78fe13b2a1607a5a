/**
 * A local Bot API server, built from core.telegram.org/bots/api: each method's section there (#sendmessage, …) says its parameters
 * and its answer; errors and limits from #making-requests and #responseparameters. A parameter that is not documented is noted.
 */
import type { Json, JsonObject } from '@plugwork/core'
import {
  startVendor,
  type VendorReply,
  type VendorRequest,
  type VendorServer,
} from '../../vendor/testing/vendor-server.ts'

export const TOKEN = '110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw'
export const CHAT = 1_111_111

const refuse = (code: number, description: string, parameters?: JsonObject): VendorReply => ({
  status: code,
  body: { ok: false, error_code: code, description, ...(parameters === undefined ? {} : { parameters }) },
})
const done = (result: Json): VendorReply => ({ body: { ok: true, result } })

export const replies = {
  limited: refuse(429, 'Too Many Requests: retry after 14', { retry_after: 14 }),
  moved: refuse(400, 'Bad Request: group chat was upgraded to a supergroup chat', { migrate_to_chat_id: -1_001_234 }),
  blocked: refuse(403, 'Forbidden: bot was blocked by the user'),
  conflict: refuse(
    409,
    "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first",
  ),
  unavailable: refuse(502, 'Bad Gateway'),
} satisfies Record<string, VendorReply>

const SENDING = [
  'chat_id',
  'message_thread_id',
  'disable_notification',
  'protect_content',
  'reply_parameters',
  'reply_markup',
  'parse_mode',
]
/** Parameters of each method, of those that are documented the ones that matter here. */
const PARAMETERS: Readonly<Record<string, readonly string[]>> = {
  getMe: [],
  sendMessage: [...SENDING, 'text', 'entities', 'link_preview_options'],
  editMessageText: [
    'chat_id',
    'message_id',
    'inline_message_id',
    'text',
    'parse_mode',
    'entities',
    'link_preview_options',
    'reply_markup',
  ],
  deleteMessage: ['chat_id', 'message_id'],
  sendPhoto: [...SENDING, 'photo', 'caption', 'has_spoiler'],
  sendDocument: [...SENDING, 'document', 'thumbnail', 'caption', 'disable_content_type_detection'],
  getUpdates: ['offset', 'limit', 'timeout', 'allowed_updates'],
  answerCallbackQuery: ['callback_query_id', 'text', 'show_alert', 'url', 'cache_time'],
  setWebhook: [
    'url',
    'certificate',
    'ip_address',
    'max_connections',
    'allowed_updates',
    'drop_pending_updates',
    'secret_token',
  ],
  deleteWebhook: ['drop_pending_updates'],
  getWebhookInfo: [],
}

const BOT: JsonObject = { id: 110_201_543, is_bot: true, first_name: 'Test', username: 'testbot' }

export interface TelegramServer extends VendorServer {
  readonly baseUrl: string
  /** Parameters that no documentation has, with their methods. */
  readonly unknown: readonly string[]
  /** The bytes of the last upload. */
  uploaded(): Buffer | null
  /** Puts an update into the queue. */
  push(update: JsonObject): void
}

/** Starts a Bot API with a bot and one private chat. */
export async function startTelegram(): Promise<TelegramServer> {
  const messages: JsonObject[] = []
  const updates: JsonObject[] = []
  const unknown: string[] = []
  let webhook: JsonObject = { url: '', has_custom_certificate: false, pending_update_count: 0 }
  let ids = 0
  let upload: Buffer | null = null

  const chat: JsonObject = { id: CHAT, first_name: 'Test', type: 'private' }
  const known = (id: Json | undefined): boolean => String(id) === String(CHAT)
  const find = (id: Json | undefined): JsonObject | undefined =>
    messages.find((one) => one['message_id'] === Number(id))
  function add(content: JsonObject): VendorReply {
    const message = { message_id: (ids += 1), from: BOT, chat, date: 1_441_645_532, ...content }
    messages.push(message)
    return done(message)
  }
  /** #photosize, #document */
  const fileOf = (name: string, size: number): JsonObject => ({
    file_id: `file-${name}`,
    file_unique_id: `unique-${name}`,
    file_size: size,
  })

  const methods: Record<string, (given: JsonObject) => VendorReply> = {
    getMe: () =>
      done({ ...BOT, can_join_groups: true, can_read_all_group_messages: false, supports_inline_queries: false }),
    sendMessage: ({ chat_id: id, text }) => {
      if (!known(id)) return refuse(400, 'Bad Request: chat not found')
      if (text === undefined || text === '') return refuse(400, 'Bad Request: message text is empty')
      return add({ text })
    },
    editMessageText: ({ chat_id: id, message_id: message, text }) => {
      const found = known(id) ? find(message) : undefined
      if (found === undefined) return refuse(400, 'Bad Request: message to edit not found')
      if (found['text'] === text) {
        return refuse(
          400,
          'Bad Request: message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message',
        )
      }
      Object.assign(found, { text, edit_date: 1_441_645_600 })
      return done(found)
    },
    deleteMessage: ({ message_id: message }) => {
      const found = find(message)
      if (found === undefined) return refuse(400, 'Bad Request: message to delete not found')
      messages.splice(messages.indexOf(found), 1)
      return done(true)
    },
    sendPhoto: ({ chat_id: id, photo, caption }) => {
      if (!known(id)) return refuse(400, 'Bad Request: chat not found')
      if (photo === undefined) return refuse(400, 'Bad Request: there is no photo in the request')
      return add({
        photo: [{ ...fileOf('photo', 1_101), width: 90, height: 51 }],
        ...(caption === undefined ? {} : { caption }),
      })
    },
    sendDocument: ({ chat_id: id, document, caption }) => {
      if (!known(id)) return refuse(400, 'Bad Request: chat not found')
      if (document === undefined) return refuse(400, 'Bad Request: there is no document in the request')
      const file = { ...fileOf('document', 7), file_name: String(document), mime_type: 'text/plain' }
      return add({ document: file, ...(caption === undefined ? {} : { caption }) })
    },
    getUpdates: ({ offset, limit = 100 }) => {
      if (webhook['url'] !== '') return replies.conflict
      const rest = updates.filter((update) => offset === undefined || Number(update['update_id']) >= Number(offset))
      updates.splice(0, updates.length, ...rest)
      return done(rest.slice(0, Number(limit)))
    },
    answerCallbackQuery: ({ callback_query_id: id }) =>
      id === 'old'
        ? refuse(400, 'Bad Request: query is too old and response timeout expired or query ID is invalid')
        : done(true),
    setWebhook: ({ url, allowed_updates: allowed }) => {
      webhook = {
        ...webhook,
        url: url!,
        max_connections: 40,
        ...(allowed === undefined ? {} : { allowed_updates: allowed }),
      }
      return done(true)
    },
    deleteWebhook: () => {
      webhook = { url: '', has_custom_certificate: false, pending_update_count: 0 }
      return done(true)
    },
    getWebhookInfo: () => done(webhook),
  }

  function answer(request: VendorRequest): VendorReply {
    // #authorizing-your-bot: the token is a part of the path.
    const [, bot = '', method = ''] = request.path.split('/')
    if (!/^bot\d+:[\w-]+$/.test(bot)) return refuse(404, 'Not Found')
    if (bot !== `bot${TOKEN}`) return refuse(401, 'Unauthorized')
    const handle = methods[method]
    if (handle === undefined) return refuse(404, 'Not Found: method not found')
    const given = request.headers['content-type']?.startsWith('multipart/form-data') ? partsOf(request) : request.json
    const strange = Object.keys(given).filter((name) => !PARAMETERS[method]!.includes(name))
    unknown.push(...strange.map((name) => `${method}.${name}`))
    return handle(given)
  }

  /** Fields of a multipart body; a file is its name, and its bytes are kept. */
  function partsOf({ headers, body }: VendorRequest): JsonObject {
    const boundary = /boundary="?([^";]+)/.exec(headers['content-type'] ?? '')?.[1] ?? ''
    const fields: JsonObject = {}
    for (const part of body.toString('latin1').split(`--${boundary}`)) {
      const [head = '', ...content] = part.split('\r\n\r\n')
      const name = /name="([^"]+)"/.exec(head)?.[1]
      const file = /filename="([^"]+)"/.exec(head)?.[1]
      if (name === undefined) continue
      const bytes = Buffer.from(content.join('\r\n\r\n').replace(/\r\n$/, ''), 'latin1')
      if (file !== undefined) upload = bytes
      fields[name] = file ?? bytes.toString()
    }
    return fields
  }

  const server = await startVendor({
    routes: { 'POST /*path': answer, 'GET /*path': answer },
    missing: refuse(404, 'Not Found'),
  })
  return {
    ...server,
    baseUrl: server.origin,
    unknown,
    uploaded: () => upload,
    push: (update) => void updates.push(update),
  }
}
