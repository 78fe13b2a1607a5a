import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import pg from 'pg'
import { createConnection } from 'mysql2/promise'
import { afterEach, expect, test } from 'vitest'
import { findBinary, requireBinary } from './binaries.ts'
import { serviceUrl } from './broker.ts'
import { startBinary } from './daemon.ts'
import { freePort } from './free-port.ts'
import { locate, type Located, type ServiceSpec } from './locate.ts'
import { mysql } from './services/mysql.ts'
import { postgres, postgresSpec } from './services/postgres.ts'
import { redis, redisSpec } from './services/redis.ts'
import { SPECS } from './specs.ts'

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

test.each(SPECS.map((spec) => [spec.name, spec] as const))('%s answers', { timeout: 300_000 }, async (_name, spec) => {
  await expect(serviceUrl(spec).then(spec.probe)).resolves.toBeUndefined()
})

test.each(SPECS.map((spec) => [spec.name, spec] as const))(
  '%s: one of our own is started beside the running one, and ends with its folder',
  { timeout: 300_000 },
  async (_name, spec) => {
    const own = await locate(spec, { env: {}, useRunning: false })
    stops.push(() => own.stop())
    expect(own.source).toBe('started')
    expect(own.url).not.toBe(spec.defaultUrl)
    await spec.probe(new URL(own.url))
    await own.stop()
    await expect(spec.probe(new URL(own.url))).rejects.toThrow('ECONNREFUSED')
  },
)

test('the environment variable comes first, and a wrong one is an error', async () => {
  const port = await freePort()
  const url = `redis://127.0.0.1:${port}`
  await expect(locate(redisSpec, { env: { PLUGWORK_TEST_REDIS_URL: url } })).rejects.toThrow(
    'PLUGWORK_TEST_REDIS_URL is set, but redis does not answer there',
  )
  const { url: running } = await redis()
  const found: Located = await locate(redisSpec, { env: { PLUGWORK_TEST_REDIS_URL: running } })
  expect(found).toMatchObject({ source: 'environment', url: running })
})

test('something else on the default port is not taken for the service', async () => {
  const server = createServer((socket) =>
    socket.on('error', () => undefined).end('HTTP/1.1 400 Bad Request\r\n\r\n', () => socket.destroy()),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  stops.push(() => new Promise((resolve) => server.close(() => resolve())))
  const { port } = server.address() as AddressInfo
  for (const spec of SPECS) {
    await expect(spec.probe(new URL(spec.defaultUrl.replace(/:\d+/, `:${port}`)))).rejects.toBeInstanceOf(Error)
  }
})

test('what cannot be had is an error that says how to get it', { timeout: 120_000 }, async () => {
  const spec: ServiceSpec = {
    ...redisSpec,
    defaultUrl: `redis://127.0.0.1:${await freePort()}`,
    binary: { names: ['no-such-daemon'], packageName: 'plugwork-no-such-package' },
  }
  await expect(locate(spec, { env: {} })).rejects.toThrow(
    /The tests need redis[\s\S]*no-such-daemon is not installed[\s\S]*PLUGWORK_TEST_REDIS_URL[\s\S]*apt-get install plugwork-no-such-package[\s\S]*docker compose up -d redis/,
  )
})

test('a daemon ends with the process that started it, even a killed one', { timeout: 120_000 }, async () => {
  const source = `
    import { locate, redisSpec } from ${JSON.stringify(join(import.meta.dirname, 'index.ts'))}
    const { url } = await locate(redisSpec, { env: {}, useRunning: false })
    console.log(url)
    setInterval(() => undefined, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: ['ignore', 'pipe', 'inherit'] })
  const url = await new Promise<string>((resolve) => child.stdout.once('data', (data) => resolve(String(data).trim())))
  await redisSpec.probe(new URL(url))
  child.kill('SIGKILL')
  await expect
    .poll(() =>
      redisSpec.probe(new URL(url)).then(
        () => 'answers',
        () => 'gone',
      ),
    )
    .toBe('gone')
})

test('a daemon that does not start shows its log', async () => {
  let directory = ''
  const failing = startBinary({
    name: 'broken',
    command: (place) => {
      directory = place.directory
      return { command: process.execPath, args: ['-e', 'console.error("no disk"); process.exit(3)'] }
    },
  })
  await expect(failing).rejects.toThrow(/broken could not be started \(.*ended 3\)/)
  expect(existsSync(directory)).toBe(false)
})

test('each createDatabase is a database of its own', async () => {
  const server = await postgres()
  const [one, other] = await Promise.all([server.createDatabase(), server.createDatabase()])
  stops.push(one.drop, other.drop)
  expect(one.database).not.toBe(other.database)
  const client = new pg.Client({ connectionString: one.url })
  client.on('error', () => undefined)
  await client.connect()
  expect((await client.query('SELECT current_database() AS name')).rows).toEqual([{ name: one.database }])
  // Not closed: `drop` removes the database all the same.
  await one.drop()
  await expect(postgresSpec.probe(new URL(one.url))).rejects.toThrow('does not exist')
})

test('the same for MariaDB', async () => {
  const database = await (await mysql()).createDatabase()
  stops.push(database.drop)
  const connection = await createConnection(database.url)
  const [rows] = await connection.query('SELECT database() AS name')
  expect(rows).toEqual([{ name: database.database }])
  await connection.end()
})

test('programs are found in PATH and in given folders', async () => {
  expect(findBinary({ names: ['no-such-program', 'sh'] })).toMatch(/\/sh$/)
  expect(findBinary({ names: ['no-such-program'] })).toBeNull()
  expect(await requireBinary({ names: ['sh'], packageName: 'dash' })).toMatch(/\/sh$/)
  expect(spawnSync(findBinary({ names: ['sh'] })!, ['-c', 'exit 7']).status).toBe(7)
})
