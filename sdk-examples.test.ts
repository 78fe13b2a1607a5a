/** Every example application of the SDK starts, answers through the adapter and by itself, and ends when it is told to. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { globSync, readFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'

const root = import.meta.dirname
const started: ChildProcess[] = []

afterEach(async () => {
  for (const child of started.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    child.kill()
    await once(child, 'exit')
  }
})

/** A port that was free a moment ago: an application has to know its own address before it listens. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, 'localhost')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function post(url: string, body: unknown): Promise<unknown> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  expect(answer.status).toBe(200)
  return answer.json()
}

const apps = globSync('examples/sdk-*/app.ts', { cwd: root })

test('there is an application for every framework that runs without a build', () => {
  expect(apps.map((app) => app.split('/')[1]).toSorted()).toEqual([
    'sdk-express',
    'sdk-fastify',
    'sdk-hono',
    'sdk-node',
  ])
})

test.each(apps)('%s', async (app) => {
  const port = await freePort()
  const child = spawn(process.execPath, [join(root, app)], { env: { ...process.env, PORT: String(port) } })
  started.push(child)
  const said: string[] = []
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => said.push(chunk.toString()))
  await expect.poll(() => said.join('')).toBe(`http://localhost:${port}/notes\n`)

  const origin = `http://localhost:${port}`
  expect(await post(`${origin}/notes`, { text: 'Hello' })).toEqual([{ id: 1, text: 'Hello' }])
  const called = await post(`${origin}/api/plugwork/actions/sqlite/query`, {
    params: { query: 'select text from notes where id = ?', params: [1] },
  })
  expect(called).toMatchObject({ output: { rows: [{ text: 'Hello' }] } })
  expect((await fetch(`${origin}/nowhere`)).status).toBe(404)
  expect((await fetch(`${origin}/api/plugwork/nowhere`)).headers.get('content-type')).toContain('problem+json')
})

test('the versions of the frameworks are those that the adapters are tested with', () => {
  const read = (path: string): { dependencies: Record<string, string>; devDependencies: Record<string, string> } =>
    JSON.parse(readFileSync(join(root, path), 'utf8'))
  const tested = read('package.json').devDependencies
  for (const file of globSync('examples/sdk-*/package.json', { cwd: root })) {
    const { plugwork: _own, ...frameworks } = read(file).dependencies
    expect(tested).toMatchObject(frameworks)
  }
})
