import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  chmodSync,
} from 'node:fs'
import { rename, symlink, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEgress, type Action, type ActionInput, type ActionOutput } from '@plugwork/core/node'
import { describeConnectorContract } from '@plugwork/core/testing'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { callAction, codeOf, connectContext } from '../testing/call.ts'
import { runExample } from '../testing/run-example.ts'
import { file, type FileClient } from './file.ts'

const NEVER = new AbortController().signal
let directory = ''
let outside = ''
beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'plugwork-file-')))
  outside = realpathSync(mkdtempSync(join(tmpdir(), 'plugwork-outside-')))
})
afterEach(() => {
  for (const folder of [directory, outside]) rmSync(folder, { recursive: true, force: true })
})

describeConnectorContract(file, { describe, test }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'plugwork-file-contract-'))
  const egress = createEgress()
  let name = 0
  const fresh = (): string => `made/${name++}.txt`
  const write = (path: string) => [{ action: 'write', input: { path, content: 'text' } }]
  return {
    config: { root: './data/files' },
    egress,
    directory: folder,
    calls: [
      { action: 'write', input: { path: 'a/b.txt', content: 'text' } },
      { action: 'create', input: { path: fresh(), content: { base64: 'AAEC' } } },
      { action: 'append', input: { path: 'log.txt', content: 'line\n' } },
      { action: 'read', input: { path: 'a/b.txt' }, before: write('a/b.txt') },
      { action: 'list', input: { recursive: true, pattern: '**/*.txt' }, before: write('a/b.txt') },
      { action: 'copy', input: { from: 'a/b.txt', to: 'c/d.txt' }, before: write('a/b.txt') },
      { action: 'move', input: { from: 'from.txt', to: 'to.txt', overwrite: true }, before: write('from.txt') },
      { action: 'stat', input: { path: 'a/b.txt' }, before: write('a/b.txt') },
      { action: 'exists', input: { path: 'none.txt' } },
      { action: 'mkdir', input: { path: 'x/y/z' } },
      { action: 'delete', input: { path: 'a', recursive: true }, before: write('a/b.txt') },
    ],
    async close() {
      await egress.close()
      rmSync(folder, { recursive: true })
    },
  }
})

const open = (config: Record<string, unknown> = {}): Promise<FileClient> =>
  file.connect(file.config.parse(config), connectContext(egress, directory))

const egress = createEgress()

type Actions = typeof file.actions

async function call<N extends keyof Actions>(
  client: FileClient,
  action: N,
  input: ActionInput<typeof file, N>,
  signal = NEVER,
): Promise<ActionOutput<typeof file, N>> {
  // One signature for the union of all actions: each gets what its own schema takes.
  const chosen = file.actions[action] as unknown as Action<FileClient>
  return (await callAction(chosen, client, input, { egress, signal })) as ActionOutput<typeof file, N>
}

test('text and bytes come back as they were written, in parts too', async () => {
  const client = await open()
  const bytes = Buffer.from([0, 255, 254, 1])
  expect(await call(client, 'write', { path: 'a.txt', content: 'Grüße\n' })).toEqual({ path: 'a.txt', size: 8 })
  expect(await call(client, 'read', { path: 'a.txt' })).toMatchObject({ path: 'a.txt', content: 'Grüße\n', size: 8 })
  await call(client, 'write', { path: 'deep/er/b.bin', content: { base64: bytes.toString('base64') } })
  expect(await codeOf(call(client, 'read', { path: 'deep/er/b.bin' }))).toBe('content_not_text')
  const part = { path: 'deep/er/b.bin', encoding: 'base64', offset: 1, length: 2 } as const
  expect(await call(client, 'read', part)).toMatchObject({
    content: { base64: bytes.subarray(1, 3).toString('base64') },
    size: 4,
  })
  expect(await call(client, 'read', { ...part, offset: 9 })).toMatchObject({ content: { base64: '' } })
})

test('a file past the bound is an error that says what to do, and a part of it can be read', async () => {
  const client = await open()
  await call(client, 'write', { path: 'big.txt', content: 'x'.repeat(1_001) })
  const reading = call(client, 'read', { path: 'big.txt', max_bytes: 1_000 })
  await expect(reading).rejects.toMatchObject({ code: 'content_too_large' })
  await expect(reading).rejects.toThrow(/max_bytes \(1000 bytes/)
  expect(await call(client, 'read', { path: 'big.txt', max_bytes: 1_000, length: 10 })).toMatchObject({
    content: 'xxxxxxxxxx',
  })
  expect(() => file.actions.read.input.parse({ path: 'a', max_bytes: 17 * 1024 * 1024 })).toThrow(/max_bytes/)
})

test('create refuses what is there, write replaces it and keeps its mode, append adds', async () => {
  const client = await open()
  const target = join(client.root.path, 'a.txt')
  await call(client, 'create', { path: 'a.txt', content: 'one' })
  chmodSync(target, 0o640)
  expect(await codeOf(call(client, 'create', { path: 'a.txt', content: 'two' }))).toBe('file_exists')
  await call(client, 'write', { path: 'a.txt', content: 'three' })
  expect(statSync(target).mode & 0o777).toBe(0o640)
  expect(await call(client, 'append', { path: 'a.txt', content: '!' })).toEqual({ path: 'a.txt', size: 6 })
  expect(readFileSync(target, 'utf8')).toBe('three!')
  expect(readdirSync(client.root.path)).toEqual(['a.txt'])
})

test('of many that create the same file at once one succeeds', async () => {
  const client = await open()
  const all = await Promise.all(
    Array.from({ length: 20 }, (_, index) => codeOf(call(client, 'create', { path: 'lock', content: `${index}` }))),
  )
  expect(all.filter((outcome) => outcome === 'no error')).toHaveLength(1)
  expect(all.filter((outcome) => outcome === 'file_exists')).toHaveLength(19)
})

test('a write that is cancelled half-way leaves the old content and nothing beside it', async () => {
  const client = await open()
  await call(client, 'write', { path: 'from', content: 'x'.repeat(3_000_000) })
  await call(client, 'write', { path: 'to', content: 'old' })
  const stop = new AbortController()
  const copying = call(client, 'copy', { from: 'from', to: 'to' }, stop.signal)
  stop.abort(new Error('cancelled'))
  await expect(copying).rejects.toThrow('cancelled')
  expect(readFileSync(join(client.root.path, 'to'), 'utf8')).toBe('old')
  expect(readdirSync(client.root.path).toSorted()).toEqual(['from', 'to'])
})

test('lists are sorted, filtered and paged', async () => {
  const client = await open()
  for (const path of ['b.csv', 'a.csv', 'a/x.csv', 'a/y/z.csv', 'a.txt'])
    await call(client, 'write', { path, content: '1' })
  const flat = await call(client, 'list', {})
  expect(flat).toMatchObject({ next_cursor: null })
  expect(paths(flat)).toEqual(['a', 'a.csv', 'a.txt', 'b.csv'])
  expect(paths(await call(client, 'list', { recursive: true, pattern: '**/*.csv' }))).toEqual([
    'a.csv',
    'a/x.csv',
    'a/y/z.csv',
    'b.csv',
  ])
  expect(paths(await call(client, 'list', { path: 'a', recursive: true, pattern: '*.csv' }))).toEqual(['a/x.csv'])
  const first = await call(client, 'list', { recursive: true, limit: 3 })
  const second = await call(client, 'list', { recursive: true, limit: 10, cursor: first.next_cursor! })
  expect([...paths(first), ...paths(second)]).toEqual(['a', 'a.csv', 'a.txt', 'a/x.csv', 'a/y', 'a/y/z.csv', 'b.csv'])
  const { pages } = file.actions.list
  expect(pages!.next(file.actions.list.input.parse({ limit: 3 }), first)).toMatchObject({
    limit: 3,
    cursor: 'a.txt',
  })
  expect(await codeOf(call(client, 'list', { path: 'none' }))).toBe('file_not_found')
})

const paths = ({ entries }: ActionOutput<typeof file, 'list'>): string[] => entries.map(({ path }) => path)

test('delete, move, stat and exists', async () => {
  const client = await open()
  await call(client, 'write', { path: 'a/b/c.txt', content: '1' })
  expect(await codeOf(call(client, 'delete', { path: 'a' }))).toBe('file_not_empty')
  expect(await call(client, 'move', { from: 'a/b', to: 'moved/b' })).toEqual({ path: 'moved/b' })
  expect(await codeOf(call(client, 'move', { from: 'a/b', to: 'moved/c' }))).toBe('file_not_found')
  await call(client, 'write', { path: 'other.txt', content: '2' })
  expect(await codeOf(call(client, 'move', { from: 'other.txt', to: 'moved/b/c.txt' }))).toBe('file_exists')
  await call(client, 'move', { from: 'other.txt', to: 'moved/b/c.txt', overwrite: true })
  expect(await call(client, 'read', { path: 'moved/b/c.txt' })).toMatchObject({ content: '2' })
  expect(await call(client, 'stat', { path: 'moved/b' })).toMatchObject({ name: 'b', type: 'folder', size: null })
  expect(await call(client, 'exists', { path: 'moved/b/c.txt' })).toEqual({ exists: true, type: 'file' })
  expect(await call(client, 'exists', { path: 'moved/x/y' })).toEqual({ exists: false, type: null })
  expect(await call(client, 'delete', { path: 'moved', recursive: true })).toEqual({ deleted: true })
  expect(await call(client, 'delete', { path: 'moved/b/c.txt' })).toEqual({ deleted: false })
  expect(await call(client, 'mkdir', { path: 'm/n' })).toEqual({ path: 'm/n', created: true })
  expect(await call(client, 'mkdir', { path: 'm/n' })).toEqual({ path: 'm/n', created: false })
  expect(await codeOf(call(client, 'delete', { path: '.', recursive: true }))).toBe('file_path')
})

test('deep folders do not use up the handles of the process', async () => {
  const client = await open()
  const path = Array.from({ length: 120 }, (_, depth) => `d${depth}`).join('/')
  await call(client, 'write', { path: `${path}/leaf`, content: '' })
  expect(paths(await call(client, 'list', { recursive: true }))).toHaveLength(121)
  expect(await call(client, 'delete', { path: 'd0', recursive: true })).toEqual({ deleted: true })
  expect(readdirSync(client.root.path)).toEqual([])
})

const ESCAPES = ['../x', 'a/../../x', '/etc/passwd', 'a/\0b', '..', 'C:/x', './../x']

test.each(ESCAPES)('the path %j is refused by every action', async (path) => {
  const client = await open()
  const codes = await Promise.all([
    codeOf(call(client, 'read', { path })),
    codeOf(call(client, 'write', { path, content: '' })),
    codeOf(call(client, 'create', { path, content: '' })),
    codeOf(call(client, 'append', { path, content: '' })),
    codeOf(call(client, 'list', { path })),
    codeOf(call(client, 'delete', { path, recursive: true })),
    codeOf(call(client, 'move', { from: path, to: 'b' })),
    codeOf(call(client, 'copy', { from: path, to: 'b' })),
    codeOf(call(client, 'stat', { path })),
    codeOf(call(client, 'exists', { path })),
    codeOf(call(client, 'mkdir', { path })),
  ])
  expect(new Set(codes)).toEqual(new Set(['file_path']))
})

test('links lead inside only', async () => {
  const client = await open()
  const { path: root } = client.root
  writeFileSync(join(outside, 'secret'), 'secret')
  symlinkSync(outside, join(root, 'out'))
  symlinkSync(join(outside, 'secret'), join(root, 'leak'))
  symlinkSync(join(outside, 'new'), join(root, 'dangling'))
  mkdirSync(join(root, 'real'))
  writeFileSync(join(root, 'real/a'), 'inside')
  symlinkSync('real', join(root, 'in'))
  for (const path of ['out/secret', 'leak', 'dangling', 'out']) {
    expect([path, await codeOf(call(client, 'read', { path }))]).toEqual([path, 'file_path'])
    expect([path, await codeOf(call(client, 'write', { path, content: 'x' }))]).toEqual([path, 'file_path'])
    expect([path, await codeOf(call(client, 'append', { path, content: 'x' }))]).toEqual([path, 'file_path'])
  }
  for (const path of ['out/new', 'out/new/x']) {
    expect([path, await codeOf(call(client, 'write', { path, content: 'x' }))]).toEqual([path, 'file_path'])
    expect([path, await codeOf(call(client, 'mkdir', { path }))]).toEqual([path, 'file_path'])
    expect([path, await codeOf(call(client, 'delete', { path }))]).toEqual([path, 'file_path'])
  }
  expect(await codeOf(call(client, 'list', { path: 'out' }))).toBe('file_path')
  expect(await codeOf(call(client, 'move', { from: 'real/a', to: 'out/a' }))).toBe('file_path')
  expect(await call(client, 'read', { path: 'in/a' })).toMatchObject({ path: 'real/a', content: 'inside' })
  expect(paths(await call(client, 'list', { recursive: true }))).toEqual([
    'dangling',
    'in',
    'leak',
    'out',
    'real',
    'real/a',
  ])
  expect(await call(client, 'stat', { path: 'leak' })).toMatchObject({ type: 'link', size: null })
  expect(await call(client, 'delete', { path: 'out', recursive: true })).toEqual({ deleted: true })
  expect(readdirSync(outside)).toEqual(['secret'])
  expect(readFileSync(join(outside, 'secret'), 'utf8')).toBe('secret')
})

test.skipIf(process.platform !== 'linux')(
  'a folder that is swapped for a link while it is used is never followed',
  async () => {
    const client = await open()
    const { path: root } = client.root
    mkdirSync(join(root, 'dir'))
    writeFileSync(join(root, 'dir/f'), 'inside')
    writeFileSync(join(outside, 'f'), 'outside')
    const swapping = { on: true }
    const swap = async (): Promise<void> => {
      await rename(join(root, 'dir'), join(root, 'aside'))
      await symlink(outside, join(root, 'dir'))
      await rm(join(root, 'dir'))
      await rename(join(root, 'aside'), join(root, 'dir'))
    }
    const swapper = (async () => {
      while (swapping.on) {
        // The writes below make the folder anew where they come between.
        await swap().catch(async () => {
          await rm(join(root, 'dir'), { recursive: true, force: true })
          await rename(join(root, 'aside'), join(root, 'dir'))
        })
      }
    })()
    const seen = new Set<unknown>()
    for (let round = 0; round < 400; round += 1) {
      seen.add(
        await call(client, 'read', { path: 'dir/f' }).then(
          (answer) => answer.content,
          () => 'refused',
        ),
      )
      await call(client, 'write', { path: 'dir/new', content: 'x' }).catch(() => undefined)
    }
    swapping.on = false
    await swapper
    expect(seen).not.toContain('outside')
    expect(readdirSync(outside)).toEqual(['f'])
  },
)

test.skipIf(process.platform === 'win32')('pipes, sockets and folders are no files', async () => {
  const client = await open()
  const { path: root } = client.root
  execFileSync('mkfifo', [join(root, 'pipe')])
  mkdirSync(join(root, 'folder'))
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(join(root, 'socket'), resolve))
  for (const path of ['pipe', 'socket', 'folder']) {
    expect(await codeOf(call(client, 'read', { path }))).toBe('file_type')
    expect(await codeOf(call(client, 'append', { path, content: 'x' }))).toBe('file_type')
    expect(await codeOf(call(client, 'write', { path, content: 'x' }))).toBe('file_type')
  }
  await new Promise((resolve) => server.close(resolve))
})

test('the root is a folder inside the project folder, and nothing of the product', async () => {
  symlinkSync(outside, join(directory, 'link'))
  writeFileSync(join(directory, 'plain'), '')
  for (const [root, why] of [
    ['.', 'project folder itself'],
    ['..', 'outside of the project folder'],
    [outside, 'outside of the project folder'],
    ['link', 'behind a link'],
    ['link/sub', 'behind a link'],
    ['.plugwork/x', 'lies in .plugwork'],
    ['plain', 'file_exists'],
  ] as const) {
    const opening = open({ root })
    if (why === 'file_exists') expect(await codeOf(opening)).toBe(why)
    else await expect(opening).rejects.toThrow(why)
  }
  expect(existsSync(join(outside, 'sub'))).toBe(false)
  await expect(open({ root: 'missing', read_only: true })).rejects.toThrow('does not exist')
})

test('a read-only connection reads', async () => {
  mkdirSync(join(directory, 'files'))
  writeFileSync(join(directory, 'files/a'), 'x')
  const client = await open({ read_only: true })
  expect(await call(client, 'read', { path: 'a' })).toMatchObject({ content: 'x' })
  expect(await codeOf(call(client, 'write', { path: 'a', content: 'y' }))).toBe('file_read_only')
  expect(await codeOf(call(client, 'delete', { path: 'a' }))).toBe('file_read_only')
})

test('the example flow runs as it is', async () => {
  const result = await runExample(file.example({ name: 'main' }).source, { connectors: [file], directory })
  expect(result).toMatchObject({
    status: 'succeeded',
    outputs: { greeting: 'Hello, world!', files: ['greetings/hello.txt'] },
  })
})
