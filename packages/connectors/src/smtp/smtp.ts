/** The smtp connector: mail through a server. */
import { createHash } from 'node:crypto'
import { defineAction, defineConnector, type ActionContext } from '@plugwork/core/node'
import { bytesOf } from '../content/content.ts'
import { readBytes } from '../file/operations.ts'
import { unlessAborted } from '../unless-aborted.ts'
import { asSmtpError, NODEMAILER, openSmtp, smtpError, type SmtpConnection } from './client.ts'
import { parseAddress, sendInput, sendOutput, smtpConfig, type Address, type SendInput } from './schemas.ts'

type Context = ActionContext<SmtpConnection>

/** What large providers take as one message. */
const MAX_MESSAGE_BYTES = 25 * 1024 * 1024

const send = defineAction({
  description: 'Sends a message. Answers which recipients the server took.',
  input: sendInput,
  output: sendOutput,
  effect: 'write',
  idempotency: 'none',
  example: `
- smtp.send:
    id: mail
    connection: main
    to: \${inputs.email}
    subject: Your order \${inputs.number}
    text: Thank you. It is on its way.
    attachments:
      - { filename: order.txt, content: "\${inputs.details}" }
    outputs: [message_id, rejected]`,
  async run({ client, signal, idempotencyKey }: Context, input) {
    signal.throwIfAborted()
    const message = await messageOf(client, input, { signal, messageId: messageIdOf(client, idempotencyKey) })
    try {
      const sent = await unlessAborted(client.transport.sendMail(message), signal)
      return {
        message_id: message.messageId,
        accepted: sent.accepted.map(textOf),
        rejected: sent.rejected.map(textOf),
        response: sent.response,
      }
    } catch (error) {
      signal.throwIfAborted()
      throw asSmtpError(client, error)
    }
  },
})

const textOf = (recipient: string | { readonly address: string }): string =>
  typeof recipient === 'string' ? recipient : recipient.address

/** The same for every attempt of a step, so that a receiver can tell a repeated message. */
export function messageIdOf({ domain }: Pick<SmtpConnection, 'domain'>, idempotencyKey: string): string {
  const digest = createHash('sha256').update(`smtp\0${idempotencyKey}`).digest('hex').slice(0, 32)
  return `<${digest}@${domain}>`
}

async function messageOf(
  client: SmtpConnection,
  input: SendInput,
  { signal, messageId }: { readonly signal: AbortSignal; readonly messageId: string },
) {
  const from = input.from ?? client.from
  if (from === undefined) {
    throw smtpError(
      'smtp_message',
      `The message has no from, and the connection "${client.name}" has none. Add it to one of them.`,
    )
  }
  const [to, cc, bcc, replyTo] = [input.to, input.cc, input.bcc, input.reply_to].map(addressesOf)
  if (to!.length + cc!.length + bcc!.length === 0) {
    throw smtpError('smtp_message', 'The message has no recipient: to, cc and bcc are empty.')
  }
  const attachments = []
  let size = Buffer.byteLength(input.text ?? '') + Buffer.byteLength(input.html ?? '')
  for (const { filename, content, file, content_type, content_id } of input.attachments) {
    const bytes = file === undefined ? bytesOf(content ?? '') : await localFile(client, file, signal)
    size += bytes.length
    attachments.push({ filename, content: bytes, contentType: content_type, cid: content_id })
  }
  if (size > MAX_MESSAGE_BYTES) {
    throw smtpError(
      'smtp_message',
      `The message has ${size} bytes, and at most ${MAX_MESSAGE_BYTES} are sent. Put large files elsewhere and send a link.`,
    )
  }
  return {
    messageId,
    from: addressesOf(from)[0]!,
    to: to!,
    cc: cc!,
    bcc: bcc!,
    replyTo: replyTo!,
    subject: input.subject,
    headers: input.headers,
    attachments,
    ...(input.text === undefined ? {} : { text: input.text }),
    ...(input.html === undefined ? {} : { html: input.html }),
    ...(input.in_reply_to === undefined ? {} : { inReplyTo: input.in_reply_to, references: input.in_reply_to }),
  }
}

async function localFile(client: SmtpConnection, path: string, signal: AbortSignal): Promise<Buffer> {
  const { bytes } = await readBytes(await client.local.get(), path, { offset: 0, maxBytes: MAX_MESSAGE_BYTES, signal })
  return bytes
}

/** Checked by the schema; an empty list for none. */
function addressesOf(given: string | readonly string[] | undefined): Address[] {
  const list = given === undefined ? [] : typeof given === 'string' ? [given] : given
  return list.map(parseAddress).filter((address) => address !== null)
}

const NOTES = `
**Encryption.** A server that is not this machine is spoken to over TLS, or not at all: \`starttls\` fails where the server does not offer
it, certificates are checked, and a password never goes out in plain text. \`ca\` and \`server_name\` are for servers with certificates of
their own. Connections go through the guarded egress: private addresses must be allowed (\`PLUGWORK_EGRESS_ALLOW\`).

**Headers.** Addresses are one each (a list for several): a value with a comma or a line break in it is refused, as are line breaks in
the subject, names of files and further headers. \`html\` is sent as it is; escape values of inputs in it.

**Repeating.** Mail servers do not recognise repeated messages, so \`send\` is not repeated by itself after a crash: \`on_interrupt\`
decides. The Message-ID comes from the step's idempotency key and is the same in every attempt; many mailboxes show such a message
once. A step that is cancelled while its message is being sent ends at once, and the message may arrive.

**Limits.** 25 MiB a message before its encoding, 100 attachments, 1,000 recipients a field. Logging in with OAuth 2 is not available in
this build.`

/** Mail: `smtp.send`. */
export const smtp = defineConnector({
  name: 'smtp',
  title: 'SMTP',
  description: 'Sends mail through a server.',
  version: '1.0.0',
  prefixes: ['smtp'],
  packages: [NODEMAILER],
  config: smtpConfig,
  notes: NOTES,
  connect: openSmtp,
  disconnect(client) {
    client.transport.close()
    return Promise.resolve()
  },
  async test(client, { signal }) {
    try {
      await unlessAborted(client.transport.verify(), signal)
    } catch (error) {
      throw asSmtpError(client, error)
    }
    return { message: `The mail server ${client.target} let us in.` }
  },
  actions: { send },
  scaffold: ({ name }) => `  ${name}:
    type: smtp
    host: smtp.example.com
    port: 587
    user: app@example.com
    password: "\${secrets.SMTP_PASSWORD}"
    from: App <app@example.com>
`,
  example: ({ name }) => ({
    fileName: 'smtp_example.flow.yaml',
    source: `flow: SmtpExample
description: Sends a message with an attachment.
connections:
  ${name}:
    type: smtp
    host: smtp.example.com
    port: 587
    user: app@example.com
    password: "\${secrets.SMTP_PASSWORD}"
    from: App <app@example.com>
inputs:
  - { name: email, type: string, default: ann@example.com }
  - { name: name, type: string, default: Ann }
steps:
  - smtp.send:
      id: mail
      connection: ${name}
      to: \${inputs.email}
      subject: Hello, \${inputs.name}
      text: The figures are attached.
      attachments:
        - { filename: figures.csv, content: "sku,quantity\\napple,5\\n", content_type: text/csv }
      outputs: [message_id, accepted]
outputs:
  - { name: message_id, value: "\${mail.message_id}" }
  - { name: accepted, value: "\${mail.accepted}" }
`,
  }),
})
