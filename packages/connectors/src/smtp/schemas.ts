/** Shapes of the smtp connector: everything that becomes a header is checked before it can. */
import { z } from 'zod'
import { contentInput } from '../content/content.ts'
import { localRootSetting, NEED_ONE_SOURCE, oneSource } from '../content/transfer.ts'
import { durationSetting } from '../network-settings.ts'

// oxlint-disable-next-line no-control-regex -- line breaks would begin another header
const CONTROL = /[\u0000-\u001f\u007f]/
const ONE_LINE = 'must be one line: control characters could add headers'
const line = (schema: z.ZodString = z.string()): z.ZodString => schema.refine((text) => !CONTROL.test(text), ONE_LINE)

const SPEC = String.raw`[^\s<>()[\]\\,;:"@]+@[^\s<>()[\]\\,;:"@]+`
const BARE = new RegExp(`^${SPEC}$`)
const NAMED = new RegExp(`^(.*?)\\s*<(${SPEC})>$`)
const ADDRESS_RULE = 'must be one address, such as ann@example.com or Ann Example <ann@example.com>'

export interface Address {
  readonly name: string
  readonly address: string
}

/** Reads one address; a text cannot smuggle in a second one. Null where it is none. */
export function parseAddress(text: string): Address | null {
  const trimmed = text.trim()
  if (CONTROL.test(trimmed)) return null
  if (BARE.test(trimmed)) return { name: '', address: trimmed }
  const [, name = '', address] = NAMED.exec(trimmed) ?? []
  // A name with an address in it is two addresses, or wants to look like another sender.
  if (address === undefined || /[<>@]/.test(name)) return null
  return { name: name.replace(/^"(.*)"$/, '$1'), address }
}

const address = z.string().refine((text) => parseAddress(text) !== null, ADDRESS_RULE)
const MAX_RECIPIENTS = 1_000
const addresses = z.union([address, z.array(address).max(MAX_RECIPIENTS)])

export const smtpConfig = z.strictObject({
  host: z.string().min(1).describe('Name or address of the server.'),
  port: z.int().min(1).max(65_535).default(587).describe('Port: 587 (submission), 465 (TLS at once) or 25.'),
  security: z
    .enum(['starttls', 'implicit', 'none'])
    .optional()
    .describe(
      '`starttls`: encrypted before anything else, or not at all. `implicit`: TLS from the start. `none`: plain text, refused with a password unless the server is this machine. Default: `implicit` on port 465, `none` on this machine, else `starttls`.',
    ),
  user: z.string().min(1).optional().describe('User to log in as.'),
  password: z.string().min(1).optional().describe('Password.').meta({ 'x-plugwork': 'secret' }),
  from: address.optional().describe('Sender of messages that name none.'),
  ca: z.string().min(1).optional().describe('Certificate authority that signed the server, in PEM.'),
  server_name: z.string().min(1).optional().describe('Name in the certificate, where it is not the host.'),
  hello_name: line(z.string().min(1)).optional().describe('Name that we say in EHLO. Default: that of this machine.'),
  max_connections: z.int().min(1).max(50).default(5).describe('Connections kept open at the most.'),
  timeout: durationSetting('10m').default('30s').describe('Limit for connecting, and for the silence of the server.'),
  local_root: localRootSetting,
})

export type SmtpConfig = z.output<typeof smtpConfig>

/** Headers that the other parameters make, or that belong to servers on the way. */
const OWN_HEADERS =
  /^(from|to|cc|bcc|subject|date|message-id|reply-to|sender|in-reply-to|references|mime-version|content-.*|received|return-path|dkim-signature|arc-.*|authentication-results)$/i

const MAX_ATTACHMENTS = 100
const attachment = z
  .strictObject({
    filename: line(z.string().min(1).max(255)),
    content: contentInput.optional(),
    file: z.string().min(1).optional().describe('Local file below `local_root` instead of `content`.'),
    content_type: line(z.string().regex(/^[\w.+-]+\/[\w.+-]+$/, 'must be a type such as text/csv')).optional(),
    content_id: line(z.string().regex(/^[\w.@+-]+$/, 'must be an id such as logo@example')).optional(),
  })
  .refine(oneSource, NEED_ONE_SOURCE)

export const sendInput = z
  .strictObject({
    from: address.optional().describe("Default: the connection's."),
    to: addresses.optional().describe('One address or a list.'),
    cc: addresses.optional(),
    bcc: addresses.optional().describe('Recipients that the others do not see.'),
    reply_to: addresses.optional(),
    subject: line().default(''),
    text: z.string().optional().describe('Body as plain text.'),
    html: z
      .string()
      .optional()
      .describe('Body as HTML. Nothing in it is escaped: values of inputs are the author’s to escape.'),
    attachments: z.array(attachment).max(MAX_ATTACHMENTS).default([]),
    headers: z
      .record(
        z
          .string()
          .regex(/^[A-Za-z0-9-]+$/, 'must be a header name')
          .refine((name) => !OWN_HEADERS.test(name), 'is set by another parameter, or by servers'),
        line(),
      )
      .default({})
      .describe('Further headers, such as `X-Campaign`.'),
    in_reply_to: line().optional().describe('Message-ID of the message that this one answers.'),
  })
  .refine(({ text, html }) => text !== undefined || html !== undefined, 'needs `text` or `html`')

export type SendInput = z.output<typeof sendInput>

export const sendOutput = z.object({
  message_id: z.string().describe('The same for every attempt of a step.'),
  accepted: z.array(z.string()).describe('Recipients that the server took.'),
  rejected: z.array(z.string()).describe('Recipients that it did not take; when it takes none, that is an error.'),
  response: z.string(),
})
