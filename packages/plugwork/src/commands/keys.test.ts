import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openSqliteConnectionStore, ringKeyProvider, Vault } from '@plugwork/connections'
import { openKeys } from '@plugwork/core/node'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openSandbox, type Sandbox } from '../testing/spawn.ts'

const FLOW = `flow: Secretive
inputs: [{ name: token, type: secret }]
steps:
  - { id: decision, wait: { approval: { title: Go on? } } }
  - { id: kept, task: Keep, inputs: { token: '\${inputs.token}' } }
outputs: [{ name: length, value: '\${kept.length}' }]
`
const TASKS = `import { defineTask } from 'plugwork'
import { z } from 'zod'
export const Keep = defineTask({
  input: z.object({ token: z.string().meta({ 'x-plugwork': 'secret' }) }),
  output: z.object({ length: z.int() }),
  run: ({ token }) => ({ length: token.length }),
})
`
const PLACES = Array.from({ length: 12 }, (_, n) => ({ tenant: `tenant ${n}`, connectionId: 'c1', field: 'tokens' }))

let sandbox: Sandbox
let data: string
beforeEach(() => {
  sandbox = openSandbox({ 'flow.yaml': FLOW, 'tasks.ts': TASKS })
  data = join(sandbox.directory, '.plugwork')
})
afterEach(() => sandbox[Symbol.dispose]())

async function json(...args: string[]): Promise<Record<string, unknown>> {
  const { stdout, code } = await sandbox.plugwork([...args, '--json'])
  return { ...(JSON.parse(stdout) as Record<string, unknown>), code }
}

/** Stores credentials as an application does. */
async function vault(): Promise<{ readonly vault: Vault } & AsyncDisposable> {
  const store = await openSqliteConnectionStore({ file: join(data, 'connections.db') })
  const opened = await Vault.open({ store, keys: ringKeyProvider(openKeys(data, null).ring) })
  return { vault: opened, [Symbol.asyncDispose]: store.close }
}

async function storeSecrets(): Promise<readonly string[]> {
  await using opened = await vault()
  return await Promise.all(PLACES.map(async (place, n) => opened.vault.encrypt(place, `secret ${n}`)))
}

async function readSecrets(records: readonly string[]): Promise<readonly string[]> {
  await using opened = await vault()
  const secrets = await Promise.all(records.map(async (record, n) => opened.vault.decrypt(PLACES[n]!, record)))
  return secrets.map((secret) => secret.reveal())
}

test('before the first start there is nothing, and looking makes nothing', async () => {
  expect(await json('keys', 'status')).toEqual({
    code: 0,
    keys: [],
    current: null,
    from: null,
    dataKeys: [],
    outdated: 0,
  })
  expect((await sandbox.plugwork(['keys', 'status'])).stdout).toContain('There is no key ring yet')
  expect(existsSync(data)).toBe(false)
})

test('a rotation makes a key, wraps every data key with it, and everything opens as before', async () => {
  const records = await storeSecrets()
  expect(await json('keys', 'status')).toMatchObject({
    keys: ['k1'],
    dataKeys: [{ keyId: 'k1', count: 12 }],
    outdated: 0,
  })
  expect(await json('keys', 'rotate', '--batch', '5')).toMatchObject({
    code: 0,
    added: 'k2',
    rewrapped: 12,
    keys: ['k2', 'k1'],
    current: 'k2',
    dataKeys: [{ keyId: 'k2', count: 12 }],
    outdated: 0,
  })
  expect(statSync(join(data, 'keys')).mode & 0o777).toBe(0o600)
  expect(await readSecrets(records)).toEqual(PLACES.map((_, n) => `secret ${n}`))
  // The old key protects no credential any more.
  const path = join(data, 'keys')
  writeFileSync(path, readFileSync(path, 'utf8').split('\n')[0]!)
  expect(await readSecrets(records)).toHaveLength(12)
  const shown = await sandbox.plugwork(['keys', 'status'])
  expect(shown.stdout).toMatch(/k2 +encrypts +12 data keys/)
})

test('a rotation that was interrupted goes on, without another new key', async () => {
  const records = await storeSecrets()
  const { addKey } = await import('@plugwork/core/node')
  addKey(data)
  const { stderr } = await sandbox.plugwork(['keys', 'status'])
  expect(stderr).toContain('12 data keys not wrapped with k2 yet: plugwork keys rotate')
  expect(await json('keys', 'rotate')).toMatchObject({ added: null, current: 'k2', rewrapped: 12, outdated: 0 })
  expect(await readSecrets(records)).toHaveLength(12)
})

test('the wrong key is named before anything is done', async () => {
  await storeSecrets()
  rmSync(join(data, 'keys'))
  openKeys(data, null)
  expect(await json('keys', 'rotate')).toMatchObject({ code: 1, error: { code: 'keys_wrong' } })
  expect(readFileSync(join(data, 'keys'), 'utf8')).not.toContain('k2')
  const other = await sandbox.plugwork(['keys', 'status'], { env: { PLUGWORK_KEYS: `k9:${'A'.repeat(43)}=` } })
  expect(other.stderr).toContain('Add k1 to the end of the ring')
})

test('with PLUGWORK_KEYS the new key is given there', async () => {
  const [a, b] = [`a:${'A'.repeat(43)}=`, `b:${'B'.repeat(43)}=`]
  const environment = { env: { PLUGWORK_KEYS: a } }
  const store = await openSqliteConnectionStore({ file: join(data, 'connections.db') })
  const first = await Vault.open({ store, keys: ringKeyProvider(openKeys(data, a).ring) })
  await first.encrypt(PLACES[0]!, 'secret')
  await store.close()
  const told = await sandbox.plugwork(['keys', 'rotate'], environment)
  expect(told.stderr).toContain('put `k2:$(openssl rand -base64 32)` in front')
  const done = await sandbox.plugwork(['keys', 'rotate', '--json'], {
    env: { PLUGWORK_KEYS: `${b},${a}` },
  })
  expect(JSON.parse(done.stdout)).toMatchObject({ current: 'b', rewrapped: 1, outdated: 0 })
  expect((await sandbox.plugwork(['keys', 'status'], { env: { PLUGWORK_KEYS: b } })).code).toBe(0)
  expect(existsSync(join(data, 'keys'))).toBe(false)
})

test('a backup has the connections, and a restore brings them back', async () => {
  const records = await storeSecrets()
  await json('run', 'flow.yaml', '-i', 'token=hunter22')
  expect(await json('backup', 'copy', '--with-keys')).toMatchObject({ code: 0, keys: true })
  rmSync(data, { recursive: true })
  expect(await json('restore', 'copy')).toMatchObject({ code: 0 })
  expect(await readSecrets(records)).toEqual(PLACES.map((_, n) => `secret ${n}`))
})

test('without a ring there is nothing to rotate, and stored connections are not given another key', async () => {
  expect(await json('keys', 'rotate')).toMatchObject({ code: 0, added: null, current: null })
  await storeSecrets()
  rmSync(join(data, 'keys'))
  expect(await json('keys', 'rotate')).toMatchObject({
    code: 2,
    error: { message: expect.stringContaining('Connections are stored here, but there is no key ring') },
  })
  expect(existsSync(join(data, 'keys'))).toBe(false)
})

test('while a server works: what it sealed before and after opens, before and after it starts again', async () => {
  const records = await storeSecrets()
  const begin = async (): Promise<{ end(): Promise<unknown>; pid: number }> => {
    const server = sandbox.begin(['start', '--port', '0', '--log-level', 'warn'])
    await server.sees(/http:\/\/127\.0\.0\.1:\d+/)
    return {
      pid: server.child.pid!,
      end: async () => {
        server.child.kill('SIGTERM')
        return server.finished
      },
    }
  }
  const run = async (): Promise<string> => {
    const { id } = await json('run', 'flow.yaml', '-i', 'token=hunter22')
    return id as string
  }
  const finish = async (id: string): Promise<void> => {
    const ended = await json('runs', 'signal', id, 'decision', '--approve')
    expect(ended).toMatchObject({ status: 'succeeded', outputs: { length: 8 } })
  }
  const server = await begin()
  const [first, second] = [await run(), await run()]
  const rotated = await sandbox.plugwork(['keys', 'rotate'])
  expect(rotated).toMatchObject({ code: 0, stderr: expect.stringContaining(`Process ${server.pid}, which works here`) })
  expect(rotated.stderr).toContain('Keep k1 in the ring')
  await finish(first)
  const third = await run()
  await server.end()
  const again = await begin()
  await finish(second)
  await finish(third)
  await finish(await run())
  await again.end()
  expect(await readSecrets(records)).toHaveLength(12)
})
