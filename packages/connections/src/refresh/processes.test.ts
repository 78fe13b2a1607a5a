/** Two processes with fifty calls each, and a provider that rotates, stalls, fails, dies: one refresh, no token lost. */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { postgres, type TemporaryDatabase } from '@plugwork/test-services'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Connections } from '../connection/connections.ts'
import { startProvider, type Provider, type ProviderOptions } from './testing/provider.ts'
import { ACTOR, openService, plainTokens, tokenSet } from './testing/service.ts'
import { openStore, type WorkerOrder, type WorkerReport, type WorkerSetup } from './testing/worker.ts'

const CALLS = 50
const LIFE_S = 3_600

let directory: string
let database: TemporaryDatabase
let number = 0
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'plugwork-refresh-'))
  database = await (await postgres()).createDatabase()
})
afterAll(async () => {
  rmSync(directory, { recursive: true })
  await database.drop()
})

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

const STORES: Readonly<Record<string, () => WorkerSetup['store']>> = {
  sqlite: () => ({ file: join(directory, `${++number}.db`) }),
  postgres: () => ({ url: database.url, schema: `refresh_${++number}` }),
}

interface Scene {
  readonly provider: Provider
  readonly connections: Connections
  readonly id: string
  /** Starts a process more. */
  start(): Promise<Worker>
  /** An hour later than the last time: the token has expired. */
  later(): number
}

interface Worker {
  readonly child: ChildProcess
  tell(order: Omit<WorkerOrder, 'calls'>): Promise<WorkerReport | 'killed'>
}

async function scene(kind: string, options: Partial<ProviderOptions> = {}): Promise<Scene> {
  const provider = await startProvider({ expiresIn: LIFE_S, delayMs: 50, ...options })
  closing.push(provider.close)
  const place = STORES[kind]!()
  const store = await openStore(place)
  closing.push(store.close)
  const connections = await openService({ store, tokens: plainTokens(provider.url, { now: Date.now }) })
  const tokens = tokenSet({ refreshToken: provider.refreshToken, expiresAt: Date.now() + LIFE_S * 1_000 })
  const { id } = await connections.create({ actor: ACTOR, connector: 'acme', tokens })
  let offset = 0
  return {
    provider,
    connections,
    id,
    start: async () => startWorker({ store: place, provider: provider.url, connection: id }),
    later: () => (offset += LIFE_S * 1_000 + 60_000),
  }
}

async function startWorker(setup: WorkerSetup): Promise<Worker> {
  const child = fork(join(import.meta.dirname, 'testing/worker.ts'), [JSON.stringify(setup)], { execArgv: [] })
  closing.push(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
  await once(child, 'message')
  return {
    child,
    async tell(order) {
      child.send({ ...order, calls: CALLS } satisfies WorkerOrder)
      return Promise.race([
        once(child, 'message').then(([report]) => report as WorkerReport),
        once(child, 'exit').then(() => 'killed' as const),
      ])
    },
  }
}

describe.each(Object.keys(STORES))('%s', (kind) => {
  test('each expiry causes one refresh, whatever the provider does before it answers', async () => {
    const { provider, start, later, connections, id } = await scene(kind)
    const workers = await Promise.all([start(), start()])
    for (const moods of [[], [], [], ['fail'], ['stall'], ['fail', 'stall', 'fail'], []] as const) {
      provider.reset(moods)
      const offset = later()
      const reports = await Promise.all(workers.map(async (worker) => worker.tell({ offset })))
      const expected = { tokens: Array.from({ length: CALLS }, () => provider.accessToken), errors: [] }
      expect({ moods, reports }).toEqual({ moods, reports: [expected, expected] })
      expect({ granted: provider.granted, asked: provider.asked, reused: provider.reused }).toEqual({
        granted: 1,
        asked: moods.length + 1,
        reused: 0,
      })
    }
    expect((await connections.get(ACTOR, id)).status).toBe('active')
  }, 120_000)

  test('an answer that is cut in the middle is asked for again, where the provider has grace', async () => {
    const { provider, start, later } = await scene(kind, { grace: true })
    const workers = await Promise.all([start(), start()])
    provider.reset(['cut'])
    const offset = later()
    const reports = await Promise.all(workers.map(async (worker) => worker.tell({ offset })))
    const expected = { tokens: Array.from({ length: CALLS }, () => provider.accessToken), errors: [] }
    expect(reports).toEqual([expected, expected])
    expect(provider).toMatchObject({ asked: 2, granted: 2, reused: 0 })
  }, 60_000)

  test('a process that is killed between answer and write costs the others a wait, and no token', async () => {
    const { provider, start, later, connections, id } = await scene(kind, { grace: true })
    const [doomed, other] = await Promise.all([start(), start()])
    provider.reset()
    const offset = later()
    const killed = doomed.tell({ offset, die: true })
    // It has the lease once the provider was asked.
    await expect.poll(() => provider.asked).toBe(1)
    const report = await other.tell({ offset })
    expect(await killed).toBe('killed')
    expect(doomed.child.signalCode).toBe('SIGKILL')
    expect(report).toEqual({ tokens: Array.from({ length: CALLS }, () => provider.accessToken), errors: [] })
    expect(provider).toMatchObject({ asked: 2, granted: 2, reused: 0 })
    const again = await start()
    expect(await again.tell({ offset })).toEqual(report)
    provider.reset()
    const next = later()
    await Promise.all([other.tell({ offset: next }), again.tell({ offset: next })])
    expect(provider).toMatchObject({ asked: 1, granted: 1, reused: 0 })
    expect((await connections.get(ACTOR, id)).status).toBe('active')
  }, 60_000)

  test('a provider without grace has locked its user out then: the connection says so, once and to everybody', async () => {
    const { provider, start, later, connections, id } = await scene(kind)
    const [doomed, other] = await Promise.all([start(), start()])
    provider.reset()
    const offset = later()
    const killed = doomed.tell({ offset, die: true })
    await expect.poll(() => provider.asked).toBe(1)
    const report = await other.tell({ offset })
    expect(await killed).toBe('killed')
    expect(report).toEqual({ tokens: [], errors: Array.from({ length: CALLS }, () => 'connection_needs_reauth') })
    expect(provider).toMatchObject({ asked: 2, granted: 1, reused: 1 })
    expect(await connections.get(ACTOR, id)).toMatchObject({
      status: 'needs_reauth',
      reason: { code: 'invalid_grant' },
    })
    await connections.reconnect(ACTOR, id, {
      tokens: tokenSet({ accessToken: provider.accessToken, refreshToken: provider.refreshToken }),
    })
    expect((await other.tell({ offset })) as WorkerReport).toMatchObject({ errors: [] })
  }, 60_000)
})
