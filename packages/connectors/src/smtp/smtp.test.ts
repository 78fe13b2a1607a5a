import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEgress, type Egress } from '@plugwork/core/node'
import { describeConnectorContract } from '@plugwork/core/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { callAction, codeOf, connectContext } from '../testing/call.ts'
import { makeCertificates, type Certificates } from '../testing/certificates.ts'
import { startMail, type MailServer } from '../testing/mail-server.ts'
import { runExample } from '../testing/run-example.ts'
import type { SmtpConnection } from './client.ts'
import { parseAddress } from './schemas.ts'
import { smtp } from './smtp.ts'

let certificates: Certificates
let server: MailServer
beforeAll(async () => {
  certificates = makeCertificates(['mail.example.com'])
  server = await startMail({ key: certificates.key, cert: certificates.certificate })
})
afterAll(() => server.close())

const LOGIN = { user: 'app@example.com', password: 'open sesame' }
const FROM = 'App <app@example.com>'

describeConnectorContract(smtp, { describe, test }, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'plugwork-smtp-contract-'))
  const egress = createEgress({ allow: ['127.0.0.1'] })
  return {
    config: { host: '127.0.0.1', port: server.port, security: 'starttls', ca: certificates.ca, from: FROM, ...LOGIN },
    egress,
    directory,
    calls: [{ action: 'send', input: { to: 'ann@example.com', subject: 'Contract', text: 'text' } }],
    async close() {
      await egress.close()
      rmSync(directory, { recursive: true })
    },
  }
})

let directory = ''
let egress: Egress
const opened: SmtpConnection[] = []
const closing: (() => Promise<unknown>)[] = []
beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'plugwork-smtp-')))
  egress = createEgress({ allow: ['127.0.0.1'] })
  server.received.length = 0
})
afterEach(async () => {
  for (const { transport } of opened.splice(0)) transport.close()
  for (const close of closing.splice(0)) await close()
  await egress.close()
  rmSync(directory, { recursive: true, force: true })
})

async function open(settings: Record<string, unknown> = {}): Promise<SmtpConnection> {
  const config = smtp.config.parse({ host: '127.0.0.1', port: server.port, from: FROM, ...settings })
  const connection = await smtp.connect(config, connectContext(egress, directory))
  opened.push(connection)
  return connection
}

const { send } = smtp.actions
const MESSAGE = { to: 'ann@example.com', subject: 'Hello', text: 'text' }

test('a message arrives with all that it has', async () => {
  const client = await open()
  mkdirSync(join(directory, 'files'))
  writeFileSync(join(directory, 'files/report.bin'), Buffer.from([0, 255, 1]))
  const sent = await callAction(
    send,
    client,
    {
      to: ['Ann Müller, Dr. <ann@example.com>', 'bob@example.com'],
      cc: 'Cid <cid@example.com>',
      bcc: 'secret@example.com',
      reply_to: 'help@example.com',
      subject: 'Grüße — an alle',
      text: 'Ein Text.\n.\nMit Punkt.',
      html: '<p>Ein Text.</p>',
      headers: { 'X-Campaign': 'Spring' },
      in_reply_to: '<first@example.com>',
      attachments: [
        { filename: 'Übersicht.csv', content: 'a,b\n', content_type: 'text/csv' },
        { filename: 'report.bin', file: 'report.bin' },
        { filename: 'logo.png', content: { base64: 'AAEC' }, content_id: 'logo@example' },
      ],
    },
    { egress },
  )
  expect(sent).toMatchObject({
    accepted: ['ann@example.com', 'bob@example.com', 'cid@example.com', 'secret@example.com'],
    rejected: [],
  })
  const [{ email, recipients, raw, from }] = server.received as [(typeof server.received)[number]]
  expect(from).toBe('app@example.com')
  expect(recipients).toEqual(sent.accepted)
  expect(email).toMatchObject({
    messageId: sent.message_id,
    subject: 'Grüße — an alle',
    inReplyTo: '<first@example.com>',
    from: { name: 'App', address: 'app@example.com' },
    to: [
      { name: 'Ann Müller, Dr.', address: 'ann@example.com' },
      { name: '', address: 'bob@example.com' },
    ],
    cc: [{ name: 'Cid', address: 'cid@example.com' }],
    replyTo: [{ name: '', address: 'help@example.com' }],
  })
  expect(email.text?.trim().replaceAll('\r\n', '\n')).toBe('Ein Text.\n.\nMit Punkt.')
  expect(email.html).toContain('<p>Ein Text.</p>')
  expect(email.headers.find(({ key }) => key === 'x-campaign')?.value).toBe('Spring')
  expect(email.attachments.map(({ filename, mimeType, content }) => [filename, mimeType, bytes(content)])).toEqual([
    // What is shown in the text stands beside it.
    ['logo.png', 'image/png', '\0\u0001\u0002'],
    ['Übersicht.csv', 'text/csv', 'a,b\n'],
    ['report.bin', 'application/octet-stream', '\0\u00ff\u0001'],
  ])
  expect(raw).not.toContain('secret@example.com')
})

const bytes = (content: ArrayBuffer | Uint8Array | string): string =>
  typeof content === 'string' ? content : Buffer.from(content as Uint8Array).toString('latin1')

test('the Message-ID comes from the idempotency key', async () => {
  const client = await open()
  const id = async (idempotencyKey: string): Promise<string> =>
    (await callAction(send, client, MESSAGE, { egress, idempotencyKey })).message_id
  const [one, again, other] = [await id('run/1'), await id('run/1'), await id('run/2')]
  expect(one).toMatch(/^<[0-9a-f]{32}@example\.com>$/)
  expect(again).toBe(one)
  expect(other).not.toBe(one)
})

test('headers cannot be added by values', () => {
  const evil = 'x\r\nBcc: victim@example.com'
  for (const input of [
    { ...MESSAGE, subject: evil },
    { ...MESSAGE, to: `ann@example.com\r\nBcc: victim@example.com` },
    { ...MESSAGE, to: `${evil} <ann@example.com>` },
    { ...MESSAGE, to: 'ann@example.com, victim@example.com' },
    { ...MESSAGE, to: 'ann@example.com; victim@example.com' },
    { ...MESSAGE, to: ['<ann@example.com> <victim@example.com>'] },
    { ...MESSAGE, to: 'team: ann@example.com, victim@example.com;' },
    { ...MESSAGE, cc: 'not an address' },
    { ...MESSAGE, from: 'boss@bank.example <ann@example.com>' },
    { ...MESSAGE, reply_to: evil },
    { ...MESSAGE, headers: { 'X-A': evil } },
    { ...MESSAGE, headers: { [`X-A: 1\r\nBcc`]: 'x' } },
    { ...MESSAGE, headers: { Bcc: 'victim@example.com' } },
    { ...MESSAGE, headers: { 'Content-Type': 'text/html' } },
    { ...MESSAGE, in_reply_to: evil },
    { ...MESSAGE, attachments: [{ filename: evil, content: '' }] },
    { ...MESSAGE, attachments: [{ filename: 'a', content: '', content_type: `text/plain\r\n${evil}` }] },
    { ...MESSAGE, attachments: [{ filename: 'a', content: '', content_id: evil }] },
    { ...MESSAGE, attachments: [{ filename: 'a', content: '', file: 'b' }] },
    { to: 'ann@example.com', subject: 'no body' },
  ]) {
    expect([input, send.input.safeParse(input).success]).toEqual([input, false])
  }
  expect(parseAddress('"Example, Ann" <ann@example.com>')).toEqual({ name: 'Example, Ann', address: 'ann@example.com' })
})

test('a message never makes us read files or fetch URLs', async () => {
  const client = await open()
  const html = '<img src="file:///etc/passwd"><img src="http://127.0.0.1:1/x">'
  await callAction(send, client, { ...MESSAGE, html }, { egress })
  expect(server.received[0]!.email.html).toContain(html)
  const attachments = [{ filename: 'a', file: '../secrets.env' }]
  expect(await codeOf(callAction(send, client, { ...MESSAGE, attachments }, { egress }))).toBe('file_path')
})

test('recipients that are not taken are told; when none is taken that is an error', async () => {
  const client = await open()
  const to = ['ann@example.com', 'refused@example.com']
  expect(await callAction(send, client, { ...MESSAGE, to }, { egress })).toMatchObject({
    accepted: ['ann@example.com'],
    rejected: ['refused@example.com'],
  })
  await expect(callAction(send, client, { ...MESSAGE, to: 'refused@example.com' }, { egress })).rejects.toMatchObject({
    code: 'smtp_refused',
    retryable: false,
    data: { response_code: 550 },
  })
  await expect(callAction(send, client, { ...MESSAGE, to: 'later@example.com' }, { egress })).rejects.toMatchObject({
    code: 'smtp_busy',
    retryable: true,
    data: { response_code: 450 },
  })
  expect(await codeOf(callAction(send, client, { ...MESSAGE, to: [] }, { egress }))).toBe('smtp_message')
  const anonymous = await open({ from: undefined })
  expect(await codeOf(callAction(send, anonymous, MESSAGE, { egress }))).toBe('smtp_message')
})

test('STARTTLS: encrypted with the given authority, refused without', async () => {
  const client = await open({ security: 'starttls', ca: certificates.ca, ...LOGIN })
  await callAction(send, client, MESSAGE, { egress })
  expect(server.received[0]).toMatchObject({ secure: true, user: LOGIN.user })
  expect(await codeOf(callAction(send, await open({ security: 'starttls' }), MESSAGE, { egress }))).toBe('smtp_tls')
  const named = await open({ security: 'starttls', ca: certificates.ca, server_name: 'mail.example.com' })
  await callAction(send, named, MESSAGE, { egress })
  const wrong = await open({ security: 'starttls', ca: certificates.ca, server_name: 'other.example.com' })
  expect(await codeOf(callAction(send, wrong, MESSAGE, { egress }))).toBe('smtp_tls')
  const plain = await startMail({ hideSTARTTLS: true, disabledCommands: ['STARTTLS'] })
  closing.push(() => plain.close())
  const required = await open({ port: plain.port, security: 'starttls', ...LOGIN })
  expect(await codeOf(callAction(send, required, MESSAGE, { egress }))).toBe('smtp_tls')
  expect(plain.received).toEqual([])
})

test('TLS from the start', async () => {
  const own = await startMail({ secure: true, key: certificates.key, cert: certificates.certificate })
  closing.push(() => own.close())
  const client = await open({ port: own.port, security: 'implicit', ca: certificates.ca, ...LOGIN })
  await callAction(send, client, MESSAGE, { egress })
  expect(own.received[0]).toMatchObject({ secure: true, user: LOGIN.user })
  expect(
    await codeOf(callAction(send, await open({ port: own.port, security: 'implicit' }), MESSAGE, { egress })),
  ).toBe('smtp_tls')
})

test('encryption is the default except on this machine, and a password never goes out in plain text', async () => {
  const defaults = async (settings: Record<string, unknown>) => {
    const { transport } = await open(settings)
    const { secure, requireTLS, ignoreTLS } = transport.options as Record<string, unknown>
    return { secure, requireTLS, ignoreTLS }
  }
  expect(await defaults({ host: 'mail.example.com' })).toEqual({ secure: false, requireTLS: true, ignoreTLS: false })
  expect(await defaults({ host: 'mail.example.com', port: 465 })).toEqual({
    secure: true,
    requireTLS: false,
    ignoreTLS: false,
  })
  expect(await defaults({})).toEqual({ secure: false, requireTLS: false, ignoreTLS: true })
  await expect(open({ host: 'mail.example.com', security: 'none', ...LOGIN })).rejects.toThrow(
    /password to mail.example.com in plain text/,
  )
  await expect(open({ user: 'a' })).rejects.toThrow(/has user but no password/)
})

test('a wrong password is an error without it', async () => {
  const client = await open({ ...LOGIN, password: 'very secret' })
  const sending = callAction(send, client, MESSAGE, { egress })
  await expect(sending).rejects.toMatchObject({ code: 'smtp_auth', retryable: false })
  await expect(sending).rejects.not.toThrow(/very secret/)
  await expect(smtp.test!(client, connectContext(egress, directory))).rejects.toMatchObject({ code: 'smtp_auth' })
})

test('connections are shared, and one that broke is replaced', async () => {
  const before = server.connections()
  const client = await open({ max_connections: 2 })
  for (let round = 0; round < 5; round += 1) await callAction(send, client, MESSAGE, { egress })
  expect(server.connections() - before).toBe(1)
  await Promise.all(Array.from({ length: 10 }, () => callAction(send, client, MESSAGE, { egress })))
  expect(server.connections() - before).toBeLessThanOrEqual(2)
  const own = await startMail()
  const other = await open({ port: own.port })
  await callAction(send, other, MESSAGE, { egress })
  await own.close()
  expect(await codeOf(callAction(send, other, MESSAGE, { egress }))).toMatch(/egress_connect|smtp_broken/)
  const again = await startMail({}, own.port)
  closing.push(() => again.close())
  await callAction(send, other, MESSAGE, { egress })
  expect(again.received).toHaveLength(1)
})

/** A server that goes wrong: its sockets in the hands of the test. */
async function strange(onSocket: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>()
  const own = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    onSocket(socket)
  })
  await new Promise<void>((resolve) => own.listen(0, '127.0.0.1', resolve))
  closing.push(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => own.close(resolve))
  })
  return (own.address() as AddressInfo).port
}

test('a silent server, one that hangs up, one that is none; a cancelled step does not wait for them', async () => {
  const silent = await open({ port: await strange(() => undefined), timeout: 0.3 })
  expect(await codeOf(callAction(send, silent, MESSAGE, { egress }))).toBe('smtp_broken')
  const rude = await open({ port: await strange((socket) => socket.end('220 hello\r\n')) })
  expect(await codeOf(callAction(send, rude, MESSAGE, { egress }))).toBe('smtp_broken')
  const patient = await open({ port: await strange(() => undefined) })
  const stop = new AbortController()
  const sending = callAction(send, patient, MESSAGE, { egress, signal: stop.signal })
  stop.abort(new Error('cancelled'))
  await expect(sending).rejects.toThrow('cancelled')
})

test('a private address is denied unless it is allowed', async () => {
  const strict = createEgress()
  const config = smtp.config.parse({ host: '127.0.0.1', port: server.port, from: FROM })
  const denied = await smtp.connect(config, connectContext(strict, directory))
  await expect(callAction(send, denied, MESSAGE, { egress: strict })).rejects.toThrow(/PLUGWORK_EGRESS_ALLOW/)
  denied.transport.close()
  await strict.close()
})

test('the example flow runs', async () => {
  const source = smtp
    .example({ name: 'mail' })
    .source.replace('host: smtp.example.com', 'host: 127.0.0.1')
    .replace('port: 587', `port: ${server.port}`)
  const secrets = { SMTP_PASSWORD: LOGIN.password }
  const result = await runExample(source, { connectors: [smtp], directory, secrets, allow: ['127.0.0.1'] })
  expect(result).toMatchObject({ status: 'succeeded', outputs: { accepted: ['ann@example.com'] } })
  expect(server.received[0]!.email).toMatchObject({ subject: 'Hello, Ann', attachments: [{ filename: 'figures.csv' }] })
})
