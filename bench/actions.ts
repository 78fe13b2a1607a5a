/** What the executor adds to a call of an action, against the same function called directly. */
import {
  createEgress,
  createExecutor,
  defineAction,
  defineConnector,
  systemClock,
  type ActionContext,
  type ActionRequest,
  type Connector,
} from '@plugwork/core/node'
import { z } from 'zod'
import { median, type Row } from './harness.ts'

interface Handle {
  readonly rows: number
}

const ROUNDS = 7
const WARM_UP_MS = 400
const ROUND_MS = 400
const input = { table: 'orders', limit: 20, where: { state: 'open' } }

const connector = defineConnector({
  name: 'bench',
  title: 'Bench',
  description: 'Does nothing, quickly.',
  version: '1.0.0',
  prefixes: ['bench'],
  config: z.object({}),
  connect: async (): Promise<Handle> => ({ rows: 1 }),
  actions: {
    select: defineAction({
      description: 'Answers one row.',
      input: z.object({ table: z.string(), limit: z.number().int(), where: z.record(z.string(), z.string()) }),
      output: z.object({ rows: z.array(z.object({ id: z.number(), state: z.string() })), count: z.number() }),
      effect: 'read',
      idempotency: 'natural',
      run: async ({ client }: ActionContext<Handle>, { where }) => ({
        rows: [{ id: 7, state: where['state'] ?? '' }],
        count: client.rows,
      }),
    }),
  },
  scaffold: () => '',
  example: () => ({ fileName: 'flow.yaml', source: '' }),
})

/** Microseconds of one call, one after the other. */
async function microseconds(call: () => Promise<unknown>, milliseconds: number): Promise<number> {
  let count = 0
  const began = performance.now()
  let now = began
  while (now - began < milliseconds) {
    for (let i = 0; i < 500; i++) await call()
    count += 500
    now = performance.now()
  }
  return ((now - began) / count) * 1000
}

export async function benchActions(): Promise<Row[]> {
  const egress = createEgress()
  const log = (): void => undefined
  const handle: Handle = { rows: 1 }
  const select = connector.actions.select
  const context: ActionContext<Handle> = {
    client: handle,
    connection: 'main',
    egress,
    signal: new AbortController().signal,
    idempotencyKey: 'key',
    attempt: 1,
    tenant: 'default',
    log,
  }
  const request: ActionRequest = {
    tenant: 'default',
    connector: connector as unknown as Connector,
    action: 'select',
    input,
    egress,
    connection: { key: 'main', name: 'main', acquire: async () => ({ handle, release: () => undefined }) },
  }
  const executor = createExecutor({ clock: systemClock, log })
  const limited = { requests: 1e12, per: '1s' }
  const calls: Record<string, () => Promise<unknown>> = {
    bare: () => select.run(context, input),
    execute: () => executor.execute(request),
    limited: () =>
      executor.execute({ ...request, connection: { ...request.connection!, key: 'limited', limits: limited } }),
    cached: () => executor.execute({ ...request, cache: '1h' }),
  }
  const { output } = await executor.execute(request)
  if (JSON.stringify(output) !== JSON.stringify(await calls['bare']!()))
    throw new Error('the executor answers otherwise')
  const measured: Record<string, number[]> = {}
  for (const name of Object.keys(calls)) await microseconds(calls[name]!, WARM_UP_MS)
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, call] of Object.entries(calls)) (measured[name] ??= []).push(await microseconds(call, ROUND_MS))
  }
  await egress.close()
  const bare = median(measured['bare']!)
  const row = (name: string, key: string): Row => {
    const taken = median(measured[key]!)
    const added = taken - bare
    return {
      name,
      value: `${added.toFixed(2)} µs added`,
      baseline: `bare ${bare.toFixed(2)} µs`,
      ratio: taken / bare,
      target: '<= 60 µs added',
      ok: added <= 60,
    }
  }
  return [
    row('action call: checked, breaker, metrics, log', 'execute'),
    row('the same with a limit of its connection', 'limited'),
    row('the same answered from the cache', 'cached'),
  ]
}
