import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { createEgress, type Egress } from '@plugwork/core/node'
import { describeConnectorContract } from '@plugwork/core/testing'
import { vsftpd, type FtpServer } from '@plugwork/test-services/vsftpd'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { callAction, codeOf, connectContext } from '../testing/call.ts'
import { makeCertificates, type Certificates } from '../testing/certificates.ts'
import { runExample } from '../testing/run-example.ts'
import { ftp } from './ftp.ts'
import type { FtpPool } from './pool.ts'

let plain: FtpServer
let secure: FtpServer
let certificates: Certificates
beforeAll(async () => {
  certificates = makeCertificates(['ftp.example.com'])
  const { certificate, key } = certificates
  plain = await vsftpd({ idleSeconds: 2 })
  secure = await vsftpd({ tls: { certificate, key } })
})
afterAll(async () => {
  await plain.stop()
  await secure.stop()
})

/** A folder of its own on a server, as the server calls it. */
function folderOn(server: FtpServer): { readonly root: string; readonly local: string } {
  const local = mkdtempSync(join(server.directory, 'test-'))
  chmodSync(local, 0o777)
  return { root: `/pub/${basename(local)}`, local }
}

const settings = (server: FtpServer, root: string) => ({
  host: server.host,
  port: server.port,
  user: server.user,
  password: 'guest@example.com',
  root,
  ...(server === secure ? { ca: certificates.ca } : { security: 'none' }),
})

describe.each([
  ['plain', () => plain],
  ['TLS', () => secure],
] as const)('%s', (_how, server) => {
  describeConnectorContract(ftp, { describe, test }, async () => {
    const directory = mkdtempSync(join(tmpdir(), 'plugwork-ftp-contract-'))
    const egress = createEgress({ allow: ['127.0.0.1'] })
    const before = [{ action: 'put', input: { path: 'a.txt', content: 'text' } }]
    return {
      config: settings(server(), folderOn(server()).root),
      egress,
      directory,
      calls: [
        { action: 'put', input: { path: 'a.txt', content: 'text' } },
        { action: 'get', input: { path: 'a.txt' }, before },
        { action: 'list', input: {}, before },
        { action: 'rename', input: { from: 'a.txt', to: 'b.txt', overwrite: true }, before },
        { action: 'mkdir', input: { path: 'x/y' } },
        { action: 'delete', input: { path: 'a.txt' }, before },
      ],
      async close() {
        await egress.close()
        rmSync(directory, { recursive: true })
      },
    }
  })
})

let directory = ''
let egress: Egress
const opened: FtpPool[] = []
const closing: (() => Promise<unknown>)[] = []
beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'plugwork-ftp-')))
  egress = createEgress({ allow: ['127.0.0.1'] })
})
afterEach(async () => {
  for (const pool of opened.splice(0)) await pool.close()
  for (const close of closing.splice(0)) await close()
  await egress.close()
  rmSync(directory, { recursive: true, force: true })
})

async function open(config: Record<string, unknown>): Promise<FtpPool> {
  const pool = await ftp.connect(ftp.config.parse(config), connectContext(egress, directory))
  opened.push(pool)
  return pool
}

const { list, get, put, delete: del, rename, mkdir } = ftp.actions

test.each([
  ['plain', () => plain],
  ['TLS', () => secure],
] as const)('files go up and come down: %s', async (_how, server) => {
  const { root, local } = folderOn(server())
  const client = await open(settings(server(), root))
  expect(await callAction(put, client, { path: 'ä b.txt', content: 'Grüße' }, { egress })).toEqual({
    path: `${root}/ä b.txt`,
    size: 7,
  })
  expect(await callAction(get, client, { path: 'ä b.txt' }, { egress })).toMatchObject({ content: 'Grüße', size: 7 })
  const bytes = randomBytes(6_000_000)
  mkdirSync(join(directory, 'files'))
  writeFileSync(join(directory, 'files/big.bin'), bytes)
  await callAction(put, client, { path: 'ä b.txt', file: 'big.bin' }, { egress })
  expect(readFileSync(join(local, 'ä b.txt')).equals(bytes)).toBe(true)
  const down = await callAction(get, client, { path: 'ä b.txt', to_file: 'down.bin' }, { egress })
  expect(down).toMatchObject({ content: '', file: 'down.bin', size: bytes.length })
  expect(readFileSync(join(directory, 'files/down.bin')).equals(bytes)).toBe(true)
  expect(await codeOf(callAction(get, client, { path: 'ä b.txt', max_bytes: 1_000 }, { egress }))).toBe(
    'content_too_large',
  )
  await callAction(put, client, { path: 'empty', content: '', atomic: false }, { egress })
  expect(await callAction(get, client, { path: 'empty' }, { egress })).toMatchObject({ content: '', size: 0 })
  expect(readdirSync(local).toSorted()).toEqual(['empty', 'ä b.txt'])
  expect(readdirSync(join(directory, 'files')).toSorted()).toEqual(['big.bin', 'down.bin'])
})

test('list, rename, mkdir and delete', async () => {
  const { root } = folderOn(plain)
  const client = await open(settings(plain, root))
  for (const path of ['b.csv', 'a.csv', 'c.txt']) await callAction(put, client, { path, content: '1' }, { egress })
  expect(await callAction(mkdir, client, { path: 'x/y' }, { egress })).toEqual({ path: `${root}/x/y`, created: true })
  expect(await callAction(mkdir, client, { path: 'x/y' }, { egress })).toMatchObject({ created: false })
  const all = await callAction(list, client, {}, { egress })
  expect(all.entries.map(({ path, type, size }) => [path, type, size])).toEqual([
    [`${root}/a.csv`, 'file', 1],
    [`${root}/b.csv`, 'file', 1],
    [`${root}/c.txt`, 'file', 1],
    [`${root}/x`, 'folder', null],
  ])
  const first = await callAction(list, client, { pattern: '*.csv', limit: 1 }, { egress })
  const next = list.pages!.next(list.input.parse({ pattern: '*.csv', limit: 1 }), first)!
  expect((await callAction(list, client, next, { egress })).entries.map(({ name }) => name)).toEqual(['b.csv'])
  expect(await codeOf(callAction(rename, client, { from: 'a.csv', to: 'b.csv' }, { egress }))).toBe('ftp_exists')
  await callAction(rename, client, { from: 'a.csv', to: 'b.csv', overwrite: true }, { egress })
  await callAction(rename, client, { from: 'b.csv', to: 'x/b.csv' }, { egress })
  expect(await codeOf(callAction(rename, client, { from: 'b.csv', to: 'q' }, { egress }))).toBe('ftp_not_found')
  expect(await codeOf(callAction(get, client, { path: 'b.csv' }, { egress }))).toBe('ftp_not_found')
  expect(await codeOf(callAction(list, client, { path: 'none' }, { egress }))).toBe('ftp_not_found')
  expect(await callAction(del, client, { path: 'x/b.csv' }, { egress })).toEqual({ deleted: true })
  expect(await callAction(del, client, { path: 'x/b.csv' }, { egress })).toEqual({ deleted: false })
  expect(await callAction(del, client, { path: 'x/y' }, { egress })).toEqual({ deleted: true })
})

test.each(['../x', 'a/../../x', '/etc/passwd', 'a\r\nDELE b'])('the path %j is refused', async (path) => {
  const client = await open(settings(plain, '/pub'))
  for (const trying of [
    () => callAction(get, client, { path }, { egress }),
    () => callAction(put, client, { path, content: '' }, { egress }),
    () => callAction(list, client, { path }, { egress }),
    () => callAction(del, client, { path }, { egress }),
    () => callAction(mkdir, client, { path }, { egress }),
    () => callAction(rename, client, { from: path, to: 'a' }, { egress }),
    () => callAction(rename, client, { from: 'a', to: path }, { egress }),
  ]) {
    expect(await codeOf(Promise.resolve().then<unknown>(trying))).toBe('remote_path')
  }
})

test('a cancelled upload leaves the old content, and clears up what it began', async () => {
  const { root, local } = folderOn(plain)
  const client = await open(settings(plain, root))
  await callAction(put, client, { path: 'a', content: 'old' }, { egress })
  mkdirSync(join(directory, 'files'))
  writeFileSync(join(directory, 'files/big'), '')
  truncateSync(join(directory, 'files/big'), 400_000_000)
  const stop = new AbortController()
  const going = callAction(put, client, { path: 'a', file: 'big' }, { egress, signal: stop.signal })
  await expect.poll(() => readdirSync(local).length, { interval: 1 }).toBe(2)
  stop.abort(new Error('cancelled'))
  await expect(going).rejects.toThrow('cancelled')
  await expect.poll(() => readdirSync(local)).toEqual(['a'])
  expect(await callAction(get, client, { path: 'a' }, { egress })).toMatchObject({ content: 'old' })
})

test('many steps share a few connections; one that the server closed is replaced', async () => {
  const { root } = folderOn(plain)
  const client = await open({ ...settings(plain, root), max_connections: 2 })
  await Promise.all(
    Array.from({ length: 12 }, (_, index) => callAction(put, client, { path: `${index}`, content: 'x' }, { egress })),
  )
  expect((await callAction(list, client, {}, { egress })).entries).toHaveLength(12)
  // vsftpd closes a silent connection after two seconds here.
  await new Promise((resolve) => setTimeout(resolve, 3_500))
  expect((await callAction(list, client, {}, { egress })).entries).toHaveLength(12)
})

test('TLS: without the authority, with a wrong name, or where there is none, nothing is sent', async () => {
  const { root } = folderOn(secure)
  const good = settings(secure, root)
  expect(await codeOf(open({ ...good, ca: undefined }))).toBe('ftp_tls')
  expect(await codeOf(open({ ...good, server_name: 'other.example.com' }))).toBe('ftp_tls')
  await open({ ...good, server_name: 'ftp.example.com' })
  await expect(open({ ...settings(plain, '/pub'), security: 'explicit' })).rejects.toMatchObject({ code: 'ftp_tls' })
  // This server wants every login encrypted.
  expect(await codeOf(open({ ...good, security: 'none' }))).toMatch(/ftp_auth|ftp_refused/)
})

/** A server that says these lines, one for each command. */
async function saying(answer: (command: string) => string): Promise<number> {
  const sockets = new Set<Socket>()
  const own = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.write(answer(''))
    socket.on('data', (data) => {
      for (const command of data.toString().split('\r\n').slice(0, -1)) socket.write(answer(command))
    })
  })
  await new Promise<void>((resolve) => own.listen(0, '127.0.0.1', resolve))
  closing.push(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => own.close(resolve))
  })
  return (own.address() as AddressInfo).port
}

test('a wrong password is an error without it; a silent server is one too', async () => {
  const closed = await saying((command) =>
    command === '' ? '220 hello\r\n' : command.startsWith('PASS') ? '530 Login incorrect.\r\n' : '331 more\r\n',
  )
  const opening = open({ host: '127.0.0.1', port: closed, security: 'none', user: 'a', password: 'very secret' })
  await expect(opening).rejects.toMatchObject({ code: 'ftp_auth' })
  await expect(opening).rejects.not.toThrow(/very secret/)
  const silent = await saying(() => '')
  expect(await codeOf(open({ host: '127.0.0.1', port: silent, security: 'none', timeout: 0.3 }))).toBe('ftp_timeout')
})

test('data connections go to the host of the connection, whatever address the server names', async () => {
  let dialled = 0
  const elsewhere = createServer(() => {
    dialled += 1
  })
  await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.2', resolve))
  closing.push(() => new Promise((resolve) => elsewhere.close(resolve)))
  const { port } = elsewhere.address() as AddressInfo
  const bouncing = await saying((command) => {
    if (command === '') return '220 hello\r\n'
    if (command === 'EPSV') return '500 unknown\r\n'
    if (command === 'PWD') return '257 "/"\r\n'
    if (command === 'PASV') return `227 Entering Passive Mode (127,0,0,2,${port >> 8},${port & 255})\r\n`
    return '230 fine\r\n'
  })
  const client = await open({ host: '127.0.0.1', port: bouncing, security: 'none', user: 'a' })
  expect(await codeOf(callAction(get, client, { path: 'a' }, { egress }))).toBe('egress_connect')
  expect(dialled).toBe(0)
})

test('a private address is denied unless it is allowed', async () => {
  const strict = createEgress()
  const config = ftp.config.parse(settings(plain, '/pub'))
  await expect(ftp.connect(config, connectContext(strict, directory))).rejects.toThrow(/PLUGWORK_EGRESS_ALLOW/)
  await strict.close()
})

test('the example flow runs', async () => {
  const { root } = folderOn(plain)
  const source = ftp
    .example({ name: 'partner' })
    .source.replace('host: ftp.example.com', 'host: 127.0.0.1')
    .replace('port: 21', `port: ${plain.port}`)
    .replace('user: partner', 'user: anonymous')
    .replace('security: explicit', 'security: none')
  const result = await runExample(source, {
    connectors: [ftp],
    directory,
    inputs: { folder: `${root}/incoming` },
    secrets: { FTP_PASSWORD: 'guest' },
    allow: ['127.0.0.1'],
  })
  expect(result).toMatchObject({
    status: 'succeeded',
    outputs: { names: ['orders.csv'], content: 'sku,quantity\napple,5\n' },
  })
})
