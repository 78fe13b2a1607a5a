import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEgress, type Egress } from '@plugwork/core/node'
import { describeConnectorContract } from '@plugwork/core/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { callAction, codeOf, connectContext } from '../testing/call.ts'
import { runExample } from '../testing/run-example.ts'
import { startS3, type S3Server } from '../testing/s3-server.ts'
import type { S3Connection } from './client.ts'
import { s3 } from './s3.ts'

const KEYS = { access_key_id: 'S3RVER', secret_access_key: 'S3RVER' }
let server: S3Server
let endpoint = ''

beforeAll(async () => {
  server = await startS3(['my-bucket', 'other-bucket'])
  endpoint = server.endpoint
})
afterAll(() => server.close())

describeConnectorContract(s3, { describe, test }, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'plugwork-s3-contract-'))
  const egress = createEgress({ allow: ['127.0.0.1'] })
  // The pool's first connection is there before open resources are counted.
  await egress.request({ method: 'GET', url: endpoint })
  const before = [{ action: 'put', input: { key: 'contract/a.txt', content: 'text' } }]
  return {
    config: { endpoint, bucket: 'my-bucket', ...KEYS },
    egress,
    directory,
    calls: [
      { action: 'list_buckets', input: {} },
      { action: 'put', input: { key: 'contract/a.txt', content: 'text' } },
      { action: 'list', input: { prefix: 'contract/' }, before },
      { action: 'get', input: { key: 'contract/a.txt' }, before },
      { action: 'head', input: { key: 'contract/a.txt' }, before },
      { action: 'copy', input: { from: 'contract/a.txt', to: 'contract/b.txt' }, before },
      { action: 'presign', input: { key: 'contract/a.txt' } },
      { action: 'delete', input: { key: 'contract/a.txt' }, before },
    ],
    async close() {
      await egress.close()
      rmSync(directory, { recursive: true })
    },
  }
})

let directory = ''
let egress: Egress
let client: S3Connection
const closing: (() => Promise<void>)[] = []
beforeEach(async () => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'plugwork-s3-')))
  egress = createEgress({ allow: ['127.0.0.1'] })
  client = await open()
})
afterEach(async () => {
  client.s3.destroy()
  for (const close of closing.splice(0)) await close()
  await egress.close()
  rmSync(directory, { recursive: true, force: true })
})

const open = (config: Record<string, unknown> = {}): Promise<S3Connection> =>
  s3.connect(s3.config.parse({ endpoint, bucket: 'my-bucket', ...KEYS, ...config }), connectContext(egress, directory))

const { list_buckets: listBuckets, list, get, put, head, copy, presign, delete: del } = s3.actions

test('an object comes back with its type and metadata', async () => {
  const written = await callAction(
    put,
    client,
    { key: 'a/ä (b) c.txt', content: 'Grüße', content_type: 'text/plain', metadata: { owner: 'ann' } },
    { egress },
  )
  expect(written).toMatchObject({ key: 'a/ä (b) c.txt', size: 7 })
  expect(await callAction(get, client, { key: 'a/ä (b) c.txt' }, { egress })).toMatchObject({
    content: 'Grüße',
    content_type: 'text/plain',
    metadata: { owner: 'ann' },
    etag: written.etag,
    file: null,
  })
  await callAction(
    copy,
    client,
    { from: 'a/ä (b) c.txt', to: 'copied', bucket: 'other-bucket', from_bucket: 'my-bucket' },
    { egress },
  )
  expect(await callAction(head, client, { key: 'copied', bucket: 'other-bucket' }, { egress })).toMatchObject({
    size: 7,
  })
  await callAction(del, client, { key: 'a/ä (b) c.txt' }, { egress })
  await callAction(del, client, { key: 'a/ä (b) c.txt' }, { egress })
  expect(await codeOf(callAction(get, client, { key: 'a/ä (b) c.txt' }, { egress }))).toBe('s3_not_found')
})

test('bytes, an empty object and the bound', async () => {
  const bytes = Buffer.from([0, 255, 1])
  await callAction(put, client, { key: 'bytes', content: { base64: bytes.toString('base64') } }, { egress })
  expect(await codeOf(callAction(get, client, { key: 'bytes' }, { egress }))).toBe('content_not_text')
  expect(await callAction(get, client, { key: 'bytes', encoding: 'base64' }, { egress })).toMatchObject({
    content: { base64: bytes.toString('base64') },
  })
  await callAction(put, client, { key: 'empty', content: '' }, { egress })
  expect(await callAction(get, client, { key: 'empty' }, { egress })).toMatchObject({ content: '', size: 0 })
  expect(await codeOf(callAction(get, client, { key: 'bytes', max_bytes: 2 }, { egress }))).toBe('content_too_large')
})

test('a large local file goes up in parts and comes down in ranges', async () => {
  const bytes = randomBytes(19 * 1024 * 1024 + 7)
  mkdirSync(join(directory, 'files'))
  writeFileSync(join(directory, 'files/big.bin'), bytes)
  const commands: string[] = []
  onCommand(client, (name) => commands.push(name))
  expect(await callAction(put, client, { key: 'big', file: 'big.bin' }, { egress })).toMatchObject({
    size: bytes.length,
  })
  expect(commands.toSorted()).toEqual([
    'CompleteMultipartUploadCommand',
    'CreateMultipartUploadCommand',
    'UploadPartCommand',
    'UploadPartCommand',
    'UploadPartCommand',
  ])
  const found = await callAction(get, client, { key: 'big', to_file: 'down/big.bin' }, { egress })
  expect(found).toMatchObject({ content: '', file: 'down/big.bin', size: bytes.length })
  expect(readFileSync(join(directory, 'files/down/big.bin')).equals(bytes)).toBe(true)
  expect(await codeOf(callAction(put, client, { key: 'x', file: '../secrets.env' }, { egress }))).toBe('file_path')
})

/** Calls `listener` with the name of each command that the client begins. */
function onCommand({ s3: own }: S3Connection, listener: (name: string) => void): void {
  own.middlewareStack.add(
    (next, { commandName = '' }) =>
      (call) => {
        listener(commandName)
        return next(call)
      },
    { step: 'initialize', name: 'seen' },
  )
}

test('a cancelled transfer stops, and leaves nothing behind', async () => {
  mkdirSync(join(directory, 'files'))
  writeFileSync(join(directory, 'files/big.bin'), randomBytes(17 * 1024 * 1024))
  await callAction(put, client, { key: 'big2', file: 'big.bin' }, { egress })
  const stop = new AbortController()
  const commands: string[] = []
  onCommand(client, (name) => {
    commands.push(name)
    if (name === 'UploadPartCommand' || name === 'GetObjectCommand') stop.abort(new Error('cancelled'))
  })
  const { signal } = stop
  await expect(callAction(put, client, { key: 'cancelled', file: 'big.bin' }, { egress, signal })).rejects.toThrow(
    'cancelled',
  )
  expect(commands).toContain('CreateMultipartUploadCommand')
  expect(await codeOf(callAction(head, client, { key: 'cancelled' }, { egress }))).toBe('s3_not_found')
  const other = await open()
  const again = new AbortController()
  onCommand(other, (name) => {
    if (name === 'GetObjectCommand') again.abort(new Error('cancelled'))
  })
  const coming = callAction(get, other, { key: 'big2', to_file: 'half.bin' }, { egress, signal: again.signal })
  await expect(coming).rejects.toThrow(/cancelled|aborted/)
  expect(readdirSync(join(directory, 'files'))).toEqual(['big.bin'])
})

test('lists show folders with a delimiter', async () => {
  for (const key of ['l/a', 'l/b', 'l/c/d', 'l/c/e']) await callAction(put, client, { key, content: '1' }, { egress })
  const flat = await callAction(list, client, { prefix: 'l/' }, { egress })
  expect(flat.entries.map(({ path }) => path)).toEqual(['l/a', 'l/b', 'l/c/d', 'l/c/e'])
  const page = await callAction(list, client, { prefix: 'l/', delimiter: '/' }, { egress })
  expect(page.entries.map(({ name, path, type, size }) => ({ name, path, type, size }))).toEqual([
    { name: 'a', path: 'l/a', type: 'file', size: 1 },
    { name: 'b', path: 'l/b', type: 'file', size: 1 },
    { name: 'c', path: 'l/c/', type: 'folder', size: null },
  ])
  const { buckets } = await callAction(listBuckets, client, {}, { egress })
  expect(buckets.map(({ name }) => name)).toEqual(['my-bucket', 'other-bucket'])
})

/** A server that answers each request with the next of `answers`, and remembers what it was asked. */
async function answering(...answers: readonly { readonly status: number; readonly xml: string }[]) {
  const seen: { readonly url: string; readonly authorization: string | undefined }[] = []
  const own = createServer((request, response) => {
    const { status, xml } = answers[Math.min(seen.length, answers.length - 1)]!
    seen.push({ url: request.url!, authorization: request.headers.authorization })
    response
      .writeHead(status, { 'content-type': 'application/xml' })
      .end(`<?xml version="1.0" encoding="UTF-8"?>${xml}`)
  })
  await new Promise<void>((resolve) => own.listen(0, '127.0.0.1', resolve))
  closing.push(async () => {
    own.closeAllConnections()
    await new Promise((resolve) => own.close(resolve))
  })
  return { endpoint: `http://127.0.0.1:${(own.address() as AddressInfo).port}`, seen }
}

test('lists go on with the continuation token', async () => {
  // https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html, "Sample Response" with a token.
  const page = (key: string, more: string): string =>
    `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>my-bucket</Name><Prefix></Prefix>${more}` +
    `<KeyCount>1</KeyCount><MaxKeys>1</MaxKeys><Contents><Key>${key}</Key><LastModified>2009-10-12T17:50:30.000Z</LastModified>` +
    '<ETag>"fba9dede5f27731c9771645a39863328"</ETag><Size>434234</Size><StorageClass>STANDARD</StorageClass></Contents></ListBucketResult>'
  const token = '1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM='
  const amazon = await answering(
    {
      status: 200,
      xml: page('a', `<NextContinuationToken>${token}</NextContinuationToken><IsTruncated>true</IsTruncated>`),
    },
    { status: 200, xml: page('b', '<IsTruncated>false</IsTruncated>') },
  )
  const paged = await open({ endpoint: amazon.endpoint })
  const first = list.input.parse({ limit: 1 })
  const one = await callAction(list, paged, first, { egress })
  expect(one).toEqual({
    entries: [
      {
        name: 'a',
        path: 'a',
        type: 'file',
        size: 434_234,
        modified_at: '2009-10-12T17:50:30.000Z',
        etag: '"fba9dede5f27731c9771645a39863328"',
        storage_class: 'STANDARD',
      },
    ],
    next_cursor: token,
  })
  const next = list.pages!.next(first, one)!
  const two = await callAction(list, paged, next, { egress })
  expect(two.entries.map(({ path }) => path)).toEqual(['b'])
  expect(list.pages!.next(list.input.parse(next), two)).toBeNull()
  expect(new URLSearchParams(amazon.seen[1]!.url.split('?')[1]).get('continuation-token')).toBe(token)
})

test('a presigned URL works without credentials, and for nothing else', async () => {
  const upload = await callAction(presign, client, { key: 'p q', method: 'put', expires_in: 60 }, { egress })
  const sent = await egress.fetch(upload.url, { method: 'PUT', body: 'by URL' })
  expect(sent.status).toBe(200)
  const download = await callAction(presign, client, { key: 'p q' }, { egress })
  expect(await (await egress.fetch(download.url)).text()).toBe('by URL')
  expect((await egress.fetch(download.url.replace(/Signature=\w{6}/, 'Signature=000000'))).status).toBe(403)
  expect(Date.parse(download.expires_at)).toBeGreaterThan(Date.now() + 3_500_000)
})

test('errors say which object and connection, and what to do', async () => {
  const wrong = await open({ secret_access_key: 'wrong' })
  await expect(callAction(head, wrong, { key: 'a' }, { egress })).rejects.toMatchObject({ code: 's3_denied' })
  await expect(callAction(list, client, { bucket: 'no-such-bucket' }, { egress })).rejects.toThrow(
    /The bucket no-such-bucket on connection "main" was not found \(NoSuchBucket/,
  )
  const none = await open({ bucket: undefined })
  expect(await codeOf(callAction(head, none, { key: 'a' }, { egress }))).toBe('s3_key')
  for (const key of ['../other-bucket/copied', 'a/./b', '..']) {
    expect(await codeOf(callAction(get, client, { key }, { egress }))).toBe('s3_key')
    expect(await codeOf(callAction(put, client, { key, content: '' }, { egress }))).toBe('s3_key')
    expect(await codeOf(callAction(copy, client, { from: key, to: 'a' }, { egress }))).toBe('s3_key')
  }
})

test('credentials are those of the config, whatever the machine has', async () => {
  process.env['AWS_ACCESS_KEY_ID'] = 'S3RVER'
  process.env['AWS_SECRET_ACCESS_KEY'] = 'S3RVER'
  process.env['AWS_ENDPOINT_URL_S3'] = 'http://127.0.0.1:9'
  try {
    await expect(open({ access_key_id: undefined })).rejects.toThrow(/"main" has no access_key_id/)
    await expect(open({ secret_access_key: undefined })).rejects.toThrow(/"main" has no secret_access_key/)
    await expect(open({ anonymous: true })).rejects.toThrow(/anonymous, but has access_key_id and secret_access_key/)
    const amazon = await open({ endpoint: undefined, timeout: '1s' })
    const urls: string[] = []
    amazon.s3.middlewareStack.add(
      (next) => (call) => {
        const { hostname, path } = call.request as { hostname: string; path: string }
        urls.push(`${hostname}${path}`)
        return next(call)
      },
      { step: 'finalizeRequest', name: 'seen' },
    )
    const stop = AbortSignal.abort(new Error('only looked at'))
    await callAction(head, amazon, { key: 'a' }, { egress, signal: stop }).catch(() => undefined)
    expect(urls).toEqual(['my-bucket.s3.us-east-1.amazonaws.com/a'])
  } finally {
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_ENDPOINT_URL_S3']) delete process.env[name]
  }
})

test('a private address is denied unless it is allowed', async () => {
  const strict = createEgress()
  const denied = await s3.connect(
    s3.config.parse({ endpoint, bucket: 'my-bucket', ...KEYS }),
    connectContext(strict, directory),
  )
  await expect(callAction(head, denied, { key: 'a' }, { egress: strict })).rejects.toThrow(/PLUGWORK_EGRESS_ALLOW/)
  await strict.close()
})

test('anonymous requests carry no signature; what a busy service says is retryable', async () => {
  const busy = await answering({
    status: 503,
    xml: '<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>',
  })
  const anonymous = await open({
    endpoint: busy.endpoint,
    anonymous: true,
    access_key_id: undefined,
    secret_access_key: undefined,
  })
  await expect(callAction(list, anonymous, {}, { egress })).rejects.toMatchObject({
    code: 's3_busy',
    retryable: true,
    message: expect.stringContaining('SlowDown: Reduce your request rate.') as string,
  })
  expect(busy.seen.map(({ authorization }) => authorization)).toEqual([undefined, undefined, undefined])
})

test('the example flow runs', async () => {
  const { source } = s3.example({ name: 'store' })
  const flow = source.replace('http://127.0.0.1:9000', endpoint)
  const secrets = { S3_ACCESS_KEY_ID: 'S3RVER', S3_SECRET_ACCESS_KEY: 'S3RVER' }
  const result = await runExample(flow, { connectors: [s3], directory, secrets, allow: ['127.0.0.1'] })
  expect(result).toMatchObject({
    status: 'succeeded',
    outputs: { report: { title: 'Figures' }, keys: ['reports/latest.json'] },
  })
})
