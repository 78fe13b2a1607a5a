/** Flows call actions through the executor: limits, cache, breaker and metrics hold for them as for code. */
import { expect, it } from 'vitest'
import { z } from 'zod'
import { createExecutor, type ExecutorOptions } from '../action/executor.ts'
import type { Action, ActionContext, Connector } from '../connector/connector.ts'
import { describeConnector } from '../connector/describe-connector.ts'
import { PlugworkError } from '../error.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import { openWorkshop, until, type Workshop } from './testing/workshop.ts'

interface Service {
  readonly shop: Workshop
  readonly clock: VirtualClock
  readonly executor: ReturnType<typeof createExecutor>
  readonly times: number[]
  opened: number
}

async function open(
  steps: string,
  behave: (call: number, context: ActionContext<unknown>) => unknown,
  more: {
    readonly connector?: Partial<Connector>
    readonly executor?: Partial<ExecutorOptions>
  } = {},
): Promise<Service> {
  const clock = new VirtualClock()
  const times: number[] = []
  const action = (rest: Partial<Action>): Action => ({
    description: 'Does what the test says.',
    input: z.object({ n: z.number().default(1) }),
    output: z.object({ value: z.unknown() }),
    effect: 'write',
    idempotency: 'natural',
    run: async (context) => {
      times.push(clock.now())
      return { value: await behave(times.length, context) }
    },
    ...rest,
  })
  const service = { opened: 0 }
  const connector: Connector = {
    name: 'svc',
    title: 'Service',
    description: 'For tests.',
    version: '1.0.0',
    prefixes: ['svc'],
    config: z.object({ account: z.string().default('a') }),
    connect: async () => {
      service.opened++
      return {}
    },
    actions: { act: action({}), look: action({ effect: 'read', cache: '1m' }) },
    scaffold: () => '',
    example: () => ({ fileName: 'flow.yaml', source: '' }),
    ...more.connector,
  }
  const executor = createExecutor({ clock, log: () => undefined, ...more.executor })
  const source = `
flow: F
connections:
  main: { type: svc, account: "\${env.ACCOUNT ?? 'a'}" }
  other: { type: svc, account: b }
steps:
${steps}
`
  const shop = await openWorkshop({
    flows: [source],
    connectors: [connector],
    catalog: [describeConnector(connector)],
    clock,
    runtime: { executor },
  })
  return Object.assign(service, { shop, clock, executor, times })
}

it('steps wait for the limit of their connection, and no longer than their time-out', async () => {
  const limits = { requests: 1, per: '10s' }
  const { shop, clock, times, executor } = await open(
    `
  - parallel:
      - [{ id: a, svc.act: { connection: main } }]
      - [{ id: b, svc.act: { connection: main } }]
      - [{ id: c, svc.act: { connection: other } }]
  - { id: d, svc.act: { connection: main }, timeout: 2s }`,
    () => 1,
    { connector: { limits } },
  )
  const began = clock.now()
  const { rid } = await shop.start('F')
  const finished = shop.runtime.finished(rid)
  await until(() => times.length === 2 && clock.next() !== null, 'one step waits')
  await clock.step()
  expect(times.map((time) => time - began)).toEqual([0, 0, 10_000])
  expect(await finished).toMatchObject({
    status: 'failed',
    error: { code: 'action_rate_limited', step: 'd', data: { retryAfterMs: 10_000 } },
  })
  expect(executor.metrics()[0]).toMatchObject({ calls: 4, errors: 1, limitWaits: 1, limitWaitMs: 10_000 })
})

it('answers are shared by runs, and never with another connection or other settings', async () => {
  const steps = `
  - { id: a, svc.look: { connection: main } }
  - { id: b, svc.look: { connection: other } }`
  const { shop, times, executor, clock } = await open(steps, (call) => call)
  await shop.run('F')
  await shop.run('F')
  expect(times).toHaveLength(2)
  shop.env['ACCOUNT'] = 'c'
  await clock.advance(31_000)
  await shop.run('F')
  expect(times).toHaveLength(3)
  expect(executor.metrics()[0]).toMatchObject({ action: 'svc.look', calls: 6, cacheHits: 3 })
})

it('a service that is down is left alone, and retries wait until it may be asked', async () => {
  const { shop, clock, times } = await open(
    `
  - { id: a, svc.act: { connection: main }, retry: { max_attempts: 7, delay: 10ms, backoff: 1, jitter: false } }`,
    (call) => {
      if (call <= 5) throw new PlugworkError('http_503', 'down', { retryable: true, data: { status: 503 } })
      return 'back'
    },
  )
  const { id, rid } = await shop.start('F')
  const finished = shop.runtime.finished(rid)
  for (let turn = 0; times.length < 6; turn++) {
    await until(() => clock.next() !== null, `timer ${turn}`)
    await clock.step()
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(await finished).toMatchObject({ status: 'succeeded' })
  expect(times.at(-1)! - times[4]!).toBeGreaterThanOrEqual(5_000)
  expect((await shop.detail(id)).steps[0]).toMatchObject({ attempts: 7 })
  expect(await shop.runtime.verify('acme', id)).toEqual([])
})

it('what a task calls on a connection counts too', async () => {
  const { shop, executor } = await open(`  - { id: t, task: Use }`, () => 1)
  shop.tasks['Use'] = async (_, context) => {
    const connection = await context.connection('main')
    await connection.call('look', {})
    return connection.call('look', {})
  }
  expect(await shop.run('F')).toMatchObject({ status: 'succeeded' })
  expect(executor.metrics()).toMatchObject([{ action: 'svc.look', calls: 2, cacheHits: 1 }])
  expect(executor.recent()).toMatchObject([{ connection: 'main', cached: true, tenant: 'acme' }, { cached: false }])
})

it('a dry run carries out reads only', async () => {
  const service = await open(
    `
  - { id: a, svc.look: { connection: main } }
  - { id: b, svc.act: { connection: main } }`,
    () => 'real',
    { executor: { dryRun: true } },
  )
  const { shop, times } = service
  const { id, rid } = await shop.start('F')
  expect(await shop.runtime.finished(rid)).toMatchObject({ status: 'succeeded' })
  expect((await shop.detail(id)).steps.map(({ output }) => output)).toEqual([
    { value: 'real' },
    { dry_run: true, action: 'svc.act', effect: 'write' },
  ])
  expect([times.length, service.opened]).toEqual([1, 1])
})
