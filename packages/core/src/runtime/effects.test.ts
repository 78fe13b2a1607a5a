import { createServer } from 'node:http'
import { readdir } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'

import type { Connector } from '../connector/connector.ts'
import { createEgress } from '../egress/guarded-egress.ts'
import { PlugworkError } from '../error.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import { openWorkshop, TENANT, until } from './testing/workshop.ts'

const one = (step: string) => `
flow: One
steps:
  - { id: step, ${step} }
outputs:
  - { name: value, value: "\${step}" }
`

describe('a task', () => {
  it('gets its context, and a copy of its inputs', async () => {
    const seen: unknown[] = []
    const shop = await openWorkshop({
      flows: [one('task: Look, inputs: { list: [1] }')],
      tasks: {
        Look: (inputs, context) => {
          seen.push({ ...inputs }, context.attempt, context.tenant, context.run.flow, context.idempotencyKey)
          expect(context.signal.aborted).toBe(false)
          ;(inputs.list as number[]).push(2)
          return null
        },
      },
    })
    const { id, rid } = await shop.start('One')
    await shop.runtime.finished(rid)
    expect(seen).toEqual([{ list: [1, 2] }, 1, TENANT, 'One', expect.stringMatching(/^[a-z2-7]{52}$/)])
    expect((await shop.detail(id)).steps[0]!.input).toEqual({ list: [1] })
  })

  it('keeps only the outputs that the flow lists, and warns of one that is not there', async () => {
    const shop = await openWorkshop({
      flows: [one('task: Give, outputs: [a, b]')],
      tasks: { Give: () => ({ a: 1, c: 3 }) },
    })
    const { id, rid } = await shop.start('One')
    expect(await shop.runtime.finished(rid)).toMatchObject({ outputs: { value: { a: 1, b: null } } })
    expect((await shop.detail(id)).steps[0]!.logs).toMatchObject([
      { level: 'warn', message: expect.stringContaining('"b"') },
    ])
  })

  it.each([
    ['a number where outputs are listed', 'task: Give, outputs: [a]', () => 5, 'output_missing'],
    ['what is no JSON', 'task: Give', () => ({ a: Number.NaN }), 'value_not_json'],
    ['a value past the hard limit', 'task: Give', () => 'x'.repeat(33 * 1024 * 1024), 'value_too_large'],
  ])('fails for good when it returns %s, whatever its retry policy says', async (_, step, give, code) => {
    let calls = 0
    const task = () => {
      calls++
      return give()
    }
    const shop = await openWorkshop({ flows: [one(`${step}, retry: { max_attempts: 3 }`)], tasks: { Give: task } })
    expect(await shop.run('One')).toMatchObject({ status: 'failed', error: { code, step: 'step' } })
    expect(calls).toBe(1)
  })

  it('fails with the code, data and cause of what it throws', async () => {
    const thrown = Object.assign(new Error('no stock', { cause: new Error('shelf is empty') }), {
      code: 'NO_STOCK',
      data: { sku: 'A1' },
    })
    const shop = await openWorkshop({
      flows: [one('task: Throw')],
      tasks: {
        Throw: async () => {
          throw thrown
        },
      },
    })
    expect((await shop.run('One')).error).toEqual({
      code: 'NO_STOCK',
      message: 'no stock',
      step: 'step',
      data: { sku: 'A1' },
      cause: { code: 'error', message: 'shelf is empty' },
    })
  })

  it.each([
    ['nothing', undefined, 'undefined was thrown'],
    ['a string', 'plain', 'plain'],
    ['an object', { reason: 1 }, '{"reason":1} was thrown'],
  ])('fails with a message when it throws %s', async (_, thrown, message) => {
    const shop = await openWorkshop({
      flows: [one('task: Throw')],
      tasks: {
        Throw: () => {
          throw thrown
        },
      },
    })
    expect((await shop.run('One')).error).toMatchObject({ code: 'task_failed', message })
  })

  it('is retried with pauses, under the same key, and keeps the log lines of every attempt', async () => {
    const clock = new VirtualClock()
    const keys = new Set<string>()
    const times: number[] = []
    const shop = await openWorkshop({
      clock,
      flows: [one('task: Flaky, retry: { max_attempts: 4, delay: 100ms, backoff: 2, jitter: false }')],
      tasks: {
        Flaky: (_, context) => {
          keys.add(context.idempotencyKey)
          times.push(clock.now())
          context.log.info(`attempt ${context.attempt}`)
          if (context.attempt < 4) throw new Error('not yet')
          return 'done'
        },
      },
    })
    const { id, rid } = await shop.start('One')
    const finished = shop.runtime.finished(rid)
    for (let attempts = 1; attempts < 4; attempts++) {
      await until(() => times.length === attempts && clock.next() !== null, `attempt ${attempts} has failed`)
      await clock.step()
    }
    expect(await finished).toMatchObject({ status: 'succeeded', outputs: { value: 'done' } })
    expect(times.map((time) => time - times[0]!)).toEqual([0, 100, 300, 700])
    expect(keys.size).toBe(1)
    const [step] = (await shop.detail(id)).steps
    expect(step).toMatchObject({ attempts: 4, status: 'succeeded' })
    expect(step!.logs.map((line) => line.message)).toEqual(['attempt 1', 'attempt 2', 'attempt 3', 'attempt 4'])
  })

  it('is aborted and fails when it takes too long, and its late result is dropped', async () => {
    const clock = new VirtualClock()
    const late = Promise.withResolvers<string>()
    let aborted: unknown
    const shop = await openWorkshop({
      clock,
      flows: [one('task: Slow, timeout: 5s')],
      tasks: {
        Slow: (_, context) => {
          context.signal.addEventListener('abort', () => (aborted = context.signal.reason))
          return late.promise
        },
      },
    })
    const { id, rid } = await shop.start('One')
    await until(() => shop.runtime.stats().effects === 1, 'the task runs')
    await clock.advance(5_000)
    expect(await shop.runtime.finished(rid)).toMatchObject({ status: 'failed', error: { code: 'timeout' } })
    expect(aborted).toBeInstanceOf(PlugworkError)
    late.resolve('too late')
    await clock.advance(0)
    expect(await shop.status(id)).toMatchObject({ status: 'failed' })
    expect(await shop.runtime.verify(TENANT, id)).toEqual([])
  })

  it('that is missing holds its step until it is there', async () => {
    const shop = await openWorkshop({ store: 'sqlite', flows: [one('task: Missing')] })
    const { id } = await shop.start('One')
    const held = await shop.runtime.wait(TENANT, id, 60_000)
    expect(held).toMatchObject({ status: 'waiting', reason: 'needs_attention' })
    const [step] = (await shop.detail(id)).steps
    expect(step).toMatchObject({ status: 'needs_attention', error: { message: expect.stringContaining('tasks.ts') } })
    shop.tasks.Missing = () => 'here now'
    expect(await shop.runtime.resolve(TENANT, id, 'step', { kind: 'retry' })).toEqual({ kind: 'done', id })
    expect(await shop.ended(id)).toMatchObject({ status: 'succeeded', outputs: { value: 'here now' } })
    expect(await shop.runtime.verify(TENANT, id)).toEqual([])
  })

  it('whose schema does not fit holds its step', async () => {
    const validate = {
      Typed: () => {
        throw new Error('inputs.n must be a number')
      },
    }
    const shop = await openWorkshop({
      flows: [one('task: Typed, inputs: { n: x }')],
      tasks: { Typed: () => 1 },
      validate,
    })
    const { id } = await shop.start('One')
    await shop.parked(id, 'needs_attention')
    expect((await shop.detail(id)).steps[0]!.error!.message).toContain('inputs.n must be a number')
    await shop.runtime.resolve(TENANT, id, 'step', { kind: 'output', output: { by: 'hand' } })
    expect(await shop.ended(id)).toMatchObject({ status: 'succeeded', outputs: { value: { by: 'hand' } } })
  })

  it('leaves a bounded number of log lines', async () => {
    const shop = await openWorkshop({
      flows: [one('task: Chatty')],
      tasks: {
        Chatty: (_, { log }) => {
          for (let i = 0; i < 1_000; i++) log.info(`line ${i}`, { i, bad: Number.NaN })
        },
      },
    })
    const { id, rid } = await shop.start('One')
    await shop.runtime.finished(rid)
    const { logs } = (await shop.detail(id)).steps[0]!
    expect(logs).toHaveLength(201)
    expect(logs[0]).toMatchObject({ level: 'info', message: 'line 0', data: expect.stringContaining('NaN') })
    expect(logs.at(-1)!.message).toContain('left out')
  })

  it('passes large values on by reference, in the journal, the row and the trace', async () => {
    const big = { rows: Array.from({ length: 5_000 }, (_, i) => ({ i, text: 'x'.repeat(20) })) }
    const flow = `
flow: Big
inputs: [{ name: big, type: any }]
steps:
  - { id: double, task: Double, inputs: { rows: "\${inputs.big.rows}" } }
  - { id: count, set: { n: "\${double.rows.length}" } }
  - { id: nap, wait: 1h }
outputs:
  - { name: n, value: "\${count.n}" }
  - { name: rows, value: "\${double.rows}" }
`
    const clock = new VirtualClock()
    const shop = await openWorkshop({
      store: 'sqlite',
      clock,
      flows: [flow],
      tasks: { Double: ({ rows }) => ({ rows: [...(rows as object[]), ...(rows as object[])] as never }) },
    })
    const { id } = await shop.start('Big', { big })
    await shop.parked(id, 'timer')
    const { row } = (await shop.store.load((await shop.store.findRun(TENANT, id))!.rid))!
    expect(JSON.stringify(row.inputs).length).toBeLessThan(1_000)
    const records = await shop.store.readJournal(row.rid, 1, 100)
    expect(Math.max(...records.map((record) => record.data.length))).toBeLessThan(10_000)
    await shop.reopen()
    await clock.advance(3_600_000)
    const ended = await shop.ended(id)
    expect(ended.outputs).toEqual({ n: 10_000, rows: [...big.rows, ...big.rows] })
    expect((await shop.detail(id)).steps[0]).toMatchObject({ input: big, output: { rows: ended.outputs!.rows } })
    expect(await shop.runtime.verify(TENANT, id)).toEqual([])
    expect((await readdir(join(shop.folder, 'blobs'))).length).toBeGreaterThan(0)
  })

  it('reaches the network through the guarded egress, and no further than the attempt', async () => {
    const server = createServer((_, response) => response.end('pong'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    const { port } = server.address() as AddressInfo
    const shop = await openWorkshop({
      flows: [one('task: Ping')],
      egress: createEgress({ allow: [`127.0.0.1:${port}`] }),
      tasks: { Ping: async (_, { fetch }) => (await fetch(`http://127.0.0.1:${port}/`)).text() },
    })
    expect(await shop.run('One')).toMatchObject({ outputs: { value: 'pong' } })
  })

  it('can be replaced', async () => {
    const calls: unknown[] = []
    const shop = await openWorkshop({
      flows: [one('task: Real, inputs: { n: 1 }, outputs: [a]')],
      tasks: { Real: () => ({ a: 'real' }) },
      runtime: {
        intercept: async (call) => {
          calls.push(call)
          return calls.length === 1 ? { output: { a: 'fake', b: 1 } } : undefined
        },
      },
    })
    expect(await shop.run('One')).toMatchObject({ outputs: { value: { a: 'fake' } } })
    expect(await shop.run('One')).toMatchObject({ outputs: { value: { a: 'real' } } })
    expect(calls[0]).toMatchObject({
      kind: 'task',
      name: 'Real',
      flow: 'One',
      path: 'step',
      attempt: 1,
      input: { n: 1 },
    })
  })
})

describe('an action', () => {
  const handles = { taken: 0, given: 0, keys: [] as string[] }
  const toy: Connector = {
    name: 'toy',
    title: 'Toy',
    description: 'Counts.',
    version: '1.2.3',
    prefixes: [],
    config: z.object({ start: z.number() }),
    connect: async (config) => ({ start: (config as { start: number }).start }),
    acquire: async (client) => {
      handles.taken++
      return client
    },
    release: async () => {
      handles.given++
    },
    actions: {
      add: {
        description: 'Adds.',
        effect: 'write',
        idempotency: 'lookup',
        input: z.object({ n: z.number().int() }),
        output: z.object({ sum: z.number(), extra: z.string().default('e') }),
        run: async (context, input) => {
          const { n } = input as { n: number }
          context.log('info', `adding ${n}`)
          handles.keys.push(context.idempotencyKey)
          if (n < 0) return { sum: 'wrong' }
          return { sum: (context.client as { start: number }).start + n }
        },
      },
    },
    scaffold: () => '',
    example: () => ({ fileName: '', source: '' }),
  }
  const catalog = [
    {
      name: 'toy',
      description: '',
      prefixes: [],
      config: {},
      actions: [
        {
          connector: 'toy',
          name: 'add',
          description: '',
          input: { type: 'object', properties: { n: {} } },
          output: { type: 'object', properties: { sum: {}, extra: {} } },
          effect: 'write' as const,
          idempotency: 'natural' as const,
          needsConnection: true,
        },
      ],
    },
  ]
  const flow = `
flow: Add
connections:
  counter: { type: toy, start: 40 }
inputs: [{ name: n, type: any }]
steps:
  - toy.add: { id: add, connection: counter, n: "\${inputs.n}" }
outputs:
  - { name: add, value: "\${add}" }
`

  it('runs on its connection, with checked input and output', async () => {
    const shop = await openWorkshop({ flows: [flow], connectors: [toy], catalog })
    handles.taken = handles.given = 0
    const { id, rid } = await shop.start('Add', { n: 2 })
    expect(await shop.runtime.finished(rid)).toMatchObject({ outputs: { add: { sum: 42, extra: 'e' } } })
    expect(handles).toMatchObject({ taken: 1, given: 1 })
    expect((await shop.detail(id)).steps[0]).toMatchObject({
      kind: 'action',
      name: 'toy.add',
      code: 'toy@1.2.3',
      logs: [{ message: 'adding 2' }],
    })
  })

  it('fails for good when its input or output does not fit, and gives its handle back', async () => {
    const shop = await openWorkshop({ flows: [flow], connectors: [toy], catalog })
    handles.taken = handles.given = 0
    expect((await shop.run('Add', { n: 1.5 })).error).toMatchObject({
      code: 'action_input_invalid',
      message: expect.stringContaining('n: '),
    })
    expect((await shop.run('Add', { n: -1 })).error).toMatchObject({
      code: 'action_output_invalid',
      message: expect.stringContaining('toy.add'),
    })
    expect(handles.given).toBe(handles.taken)
  })

  it('of a connector that is not installed holds its step', async () => {
    const shop = await openWorkshop({ flows: [flow], catalog })
    const { id } = await shop.start('Add', { n: 2 })
    await shop.parked(id, 'needs_attention')
    await shop.reopen({ connectors: [toy] })
    await shop.runtime.resolve(TENANT, id, 'add', { kind: 'retry' })
    expect(await shop.ended(id)).toMatchObject({ status: 'succeeded' })
  })

  it('can be called by a task, on a connection of the flow', async () => {
    const source = `
flow: Task
connections:
  counter: { type: toy, start: 40 }
steps:
  - { id: use, task: Use }
outputs:
  - { name: use, value: "\${use}" }
`
    const shop = await openWorkshop({
      flows: [source],
      connectors: [toy],
      catalog,
      tasks: {
        Use: async (_, context) => {
          const counter = await context.connection('counter')
          expect(await context.connection('counter')).toBe(counter)
          expect(counter.client).toEqual({ start: 40 })
          await expect(counter.call('nope', {})).rejects.toThrow('It has: add')
          await expect(context.connection('nope')).rejects.toMatchObject({ code: 'connection_unknown' })
          return counter.call('add', { n: 1 })
        },
      },
    })
    handles.taken = handles.given = 0
    const { id, rid } = await shop.start('Task')
    expect(await shop.runtime.finished(rid)).toMatchObject({ outputs: { use: { sum: 41 } } })
    expect(handles).toMatchObject({ taken: 1, given: 1 })
    const { logs } = (await shop.detail(id)).steps[0]!
    expect(logs.map((line) => line.message)).toContain('counter: toy.add succeeded')
  })

  it('called twice by a task has a key for each call, the same in the next attempt', async () => {
    const source = `
flow: Twice
connections:
  counter: { type: toy, start: 40 }
steps:
  - { id: use, task: Use, retry: { max_attempts: 2, delay: 1ms } }
`
    const shop = await openWorkshop({
      flows: [source],
      connectors: [toy],
      catalog,
      tasks: {
        Use: async (_, context) => {
          const counter = await context.connection('counter')
          await counter.call('add', { n: 1 })
          await counter.call('add', { n: 1 })
          if (context.attempt === 1) throw new Error('once more')
          return {}
        },
      },
    })
    handles.keys.length = 0
    const { rid } = await shop.start('Twice')
    expect(await shop.runtime.finished(rid)).toMatchObject({ status: 'succeeded' })
    const [first, second] = handles.keys
    expect(first).not.toBe(second)
    expect(handles.keys).toEqual([first, second, first, second])
  })
})
