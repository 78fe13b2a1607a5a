import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEgress, type Egress } from '@plugwork/core/node'
import { describeConnectorContract } from '@plugwork/core/testing'
import { sshd, type SshServer } from '@plugwork/test-services/sshd'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { SshConnection } from '../ssh/connection.ts'
import { callAction, codeOf, connectContext } from '../testing/call.ts'
import { runExample } from '../testing/run-example.ts'
import { onServer, sshSettings } from '../testing/ssh-server.ts'
import { sftp } from './sftp.ts'

let server: SshServer
beforeAll(async () => {
  server = await sshd()
})
afterAll(() => server.stop())

describeConnectorContract(sftp, { describe, test }, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'plugwork-sftp-contract-'))
  const root = mkdtempSync(join(server.directory, 'contract-'))
  const egress = createEgress({ allow: ['127.0.0.1'] })
  const before = [{ action: 'put', input: { path: 'a.txt', content: 'text' } }]
  return {
    config: { ...sshSettings(server), root },
    egress,
    directory,
    calls: [
      { action: 'put', input: { path: 'a.txt', content: 'text' } },
      { action: 'get', input: { path: 'a.txt' }, before },
      { action: 'stat', input: { path: 'a.txt' }, before },
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

let directory = ''
let root = ''
let egress: Egress
let client: SshConnection
beforeEach(async () => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'plugwork-sftp-')))
  root = mkdtempSync(join(server.directory, 'test-'))
  egress = createEgress({ allow: ['127.0.0.1'] })
  client = await open({ root })
})
afterEach(async () => {
  await client.close()
  await egress.close()
  rmSync(directory, { recursive: true, force: true })
})

const open = (settings: Record<string, unknown> = {}): Promise<SshConnection> =>
  sftp.connect(sftp.config.parse({ ...sshSettings(server), ...settings }), connectContext(egress, directory))

const { list, get, put, delete: del, rename, mkdir, stat } = sftp.actions

test('text and bytes come back, and the old content is replaced in one step', async () => {
  const target = join(root, 'ä b.txt')
  expect(await callAction(put, client, { path: 'ä b.txt', content: 'Grüße' }, { egress })).toEqual({
    path: target,
    size: 7,
  })
  expect(await callAction(get, client, { path: 'ä b.txt' }, { egress })).toMatchObject({ content: 'Grüße', size: 7 })
  const bytes = randomBytes(200_000)
  const content = { base64: bytes.toString('base64') }
  await callAction(put, client, { path: 'ä b.txt', content }, { egress })
  expect(readFileSync(target).equals(bytes)).toBe(true)
  expect(await callAction(get, client, { path: 'ä b.txt', encoding: 'base64' }, { egress })).toMatchObject({ content })
  expect(await codeOf(callAction(get, client, { path: 'ä b.txt', max_bytes: 1_000 }, { egress }))).toBe(
    'content_too_large',
  )
  await callAction(put, client, { path: 'empty', content: '', atomic: false }, { egress })
  expect(await callAction(get, client, { path: 'empty' }, { egress })).toMatchObject({ content: '', size: 0 })
  expect(readdirSync(root).toSorted()).toEqual(['empty', 'ä b.txt'])
})

test('a cancelled upload leaves the old content and nothing beside it', async () => {
  await callAction(put, client, { path: 'a', content: 'old' }, { egress })
  mkdirSync(join(directory, 'files'))
  writeFileSync(join(directory, 'files/big'), '')
  truncateSync(join(directory, 'files/big'), 400_000_000)
  const stop = new AbortController()
  const going = callAction(put, client, { path: 'a', file: 'big' }, { egress, signal: stop.signal })
  await expect.poll(() => readdirSync(root).length, { interval: 1 }).toBe(2)
  stop.abort(new Error('cancelled'))
  await expect(going).rejects.toThrow('cancelled')
  await expect.poll(() => readdirSync(root)).toEqual(['a'])
  expect(readFileSync(join(root, 'a'), 'utf8')).toBe('old')
  expect(await callAction(stat, client, { path: 'a' }, { egress })).toMatchObject({ size: 3 })
})

test('list, stat, rename, mkdir and delete', async () => {
  for (const path of ['b.csv', 'a.csv', 'c.txt']) await callAction(put, client, { path, content: '1' }, { egress })
  expect(await callAction(mkdir, client, { path: 'x/y' }, { egress })).toEqual({
    path: join(root, 'x/y'),
    created: true,
  })
  expect(await callAction(mkdir, client, { path: 'x/y' }, { egress })).toMatchObject({ created: false })
  symlinkSync('a.csv', join(root, 'link'))
  const all = await callAction(list, client, {}, { egress })
  expect(all.entries.map(({ name, type, size }) => [name, type, size])).toEqual([
    ['a.csv', 'file', 1],
    ['b.csv', 'file', 1],
    ['c.txt', 'file', 1],
    ['link', 'link', null],
    ['x', 'folder', null],
  ])
  const first = await callAction(list, client, { pattern: '*.csv', limit: 1 }, { egress })
  const next = list.pages!.next(list.input.parse({ pattern: '*.csv', limit: 1 }), first)!
  expect((await callAction(list, client, next, { egress })).entries.map(({ name }) => name)).toEqual(['b.csv'])
  expect(await codeOf(callAction(rename, client, { from: 'a.csv', to: 'b.csv' }, { egress }))).toBe('sftp_exists')
  await callAction(rename, client, { from: 'a.csv', to: 'b.csv', overwrite: true }, { egress })
  await callAction(rename, client, { from: 'b.csv', to: 'x/b.csv' }, { egress })
  expect(await codeOf(callAction(rename, client, { from: 'b.csv', to: 'q' }, { egress }))).toBe('sftp_not_found')
  expect(await codeOf(callAction(stat, client, { path: 'b.csv' }, { egress }))).toBe('sftp_not_found')
  expect(await callAction(stat, client, { path: 'x/b.csv' }, { egress })).toMatchObject({ name: 'b.csv', type: 'file' })
  expect(await codeOf(callAction(del, client, { path: 'x' }, { egress }))).toBe('sftp_failed')
  expect(await callAction(del, client, { path: 'x/b.csv' }, { egress })).toEqual({ deleted: true })
  expect(await callAction(del, client, { path: 'x/b.csv' }, { egress })).toEqual({ deleted: false })
  expect(await callAction(del, client, { path: 'x/y' }, { egress })).toEqual({ deleted: true })
  expect(await codeOf(callAction(list, client, { path: 'none' }, { egress }))).toBe('sftp_not_found')
})

test.each(['../x', 'a/../../x', '/etc/passwd', 'a\nb'])('the path %j is refused', async (path) => {
  for (const trying of [
    callAction(get, client, { path }, { egress }),
    callAction(put, client, { path, content: '' }, { egress }),
    callAction(list, client, { path }, { egress }),
    callAction(stat, client, { path }, { egress }),
    callAction(del, client, { path }, { egress }),
    callAction(mkdir, client, { path }, { egress }),
    callAction(rename, client, { from: path, to: 'a' }, { egress }),
    callAction(rename, client, { from: 'a', to: path }, { egress }),
  ]) {
    expect(await codeOf(trying)).toBe('remote_path')
  }
})

test('without a root, paths begin where the login does, or at the top', async () => {
  const free = await open()
  await callAction(put, free, { path: join(root, 'a'), content: '1' }, { egress })
  expect(await callAction(list, free, { path: root }, { egress })).toMatchObject({
    entries: [{ path: join(root, 'a') }],
  })
  expect(await callAction(stat, free, { path: '.' }, { egress })).toMatchObject({ type: 'folder' })
  await free.close()
})

test('what goes wrong on the way says so: a file that is a folder, a lost server', async () => {
  mkdirSync(join(root, 'folder'))
  expect(await codeOf(callAction(get, client, { path: 'folder' }, { egress }))).toBe('sftp_failed')
  expect(await codeOf(callAction(put, client, { path: 'none/a', content: '1' }, { egress }))).toBe('sftp_not_found')
  // The parent of the command's shell is the server's process of this connection.
  await client.exec('kill -9 $PPID').catch(() => undefined)
  await expect.poll(() => client.healthy).toBe(false)
  expect(await codeOf(callAction(get, client, { path: 'a' }, { egress }))).toBe('connection_lost')
})

test('what the server does not permit is denied, for root too', async () => {
  const free = await open()
  expect(await codeOf(callAction(del, free, { path: '/proc/version' }, { egress }))).toBe('sftp_denied')
  await free.close()
})

test('the example flow runs', async () => {
  const result = await runExample(onServer(sftp.example({ name: 'partner' }).source, server), {
    connectors: [sftp],
    directory,
    inputs: { folder: root },
    secrets: { SFTP_KEY: server.privateKey },
    allow: ['127.0.0.1'],
  })
  expect(result).toMatchObject({
    status: 'succeeded',
    outputs: { names: ['orders.csv'], content: 'sku,quantity\napple,5\n' },
  })
})
