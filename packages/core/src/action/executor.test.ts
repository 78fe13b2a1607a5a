import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { ActionContext } from '../connector/connector.ts'
import { PlugworkError } from '../error.ts'
import type { ActionCache } from './cache.ts'
import type { LimitSpec } from './limit-store.ts'
import { openService } from './testing/service.ts'

/** An action that ends when it is told to. */
const untilAborted = (context: ActionContext<unknown>): Promise<never> =>
  new Promise((_, reject) => context.cancellation!.onAbort((why) => reject(why as Error)))
const busy = (data: Record<string, number> = {}) =>
  new PlugworkError('http_503', 'busy', { retryable: true, data: { status: 503, ...data } })
const failure = (promise: Promise<unknown>): Promise<PlugworkError> =>
  promise.then(
    (value) => {
      throw new Error(`it did not fail: ${JSON.stringify(value)}`)
    },
    (error: unknown) => error as PlugworkError,
  )

describe('a call', () => {
  test('is checked, run with the connection, and its output checked', async () => {
    const seen: unknown[] = []
    const { executor, request, released } = openService((context, input) => {
      seen.push(context.client, context.connection, context.tenant, context.attempt, input)
      return 'done'
    })
    const outcome = await executor.execute(request('none', { input: { n: 5 } }))
    expect(outcome).toMatchObject({
      output: { value: 'done' },
      attempts: 1,
      cached: false,
      dryRun: false,
      limitWaitMs: 0,
    })
    expect(seen).toEqual(['handle of main', 'main', 'acme', 1, { n: 5 }])
    expect(released).toEqual([undefined])
  })

  test('with wrong input or output names the field, and is not repeated', async () => {
    const { executor, request, calls } = openService(() => 1, {
      actions: { odd: { effect: 'read', idempotency: 'natural', output: z.object({ value: z.string() }) } },
    })
    const input = await failure(executor.execute(request('none', { input: { n: 'x' } })))
    expect(input).toMatchObject({ code: 'action_input_invalid', data: { problems: [{ field: 'n' }] } })
    expect(calls).toEqual([])
    const output = await failure(executor.execute(request('odd')))
    expect(output).toMatchObject({ code: 'action_output_invalid', data: { problems: [{ field: 'value' }] } })
    expect(calls).toEqual(['odd:1'])
  })

  test('of an action that is not there says what there is', async () => {
    const { executor, request } = openService(() => 1)
    const error = await failure(executor.execute(request('nope')))
    expect(error.code).toBe('action_unknown')
    expect(error.message).toContain('read, cached, natural')
    expect((await failure(executor.execute(request('toString')))).code).toBe('action_unknown')
  })

  test('without a connection needs an action that works without', async () => {
    const { executor, request, connector } = openService(() => 1, { actions: { bound: { connectionOptional: false } } })
    const { connection: _, ...free } = request('none')
    expect((await executor.execute(free)).output).toEqual({ value: 1 })
    const error = await failure(executor.execute({ ...free, connector, action: 'bound' }))
    expect(error).toMatchObject({
      code: 'action_option_invalid',
      message: expect.stringContaining('needs a connection'),
    })
  })

  test.each([
    { timeoutMs: 0 },
    { timeoutMs: Number.NaN },
    { attemptTimeoutMs: -1 },
    { retry: { times: -1 } },
    { cache: 'soon' },
  ])('refuses the option %j', async (option) => {
    const { executor, request, calls } = openService(() => 1)
    expect((await failure(executor.execute(request('read', option)))).code).toBe('action_option_invalid')
    expect(calls).toEqual([])
  })

  test('takes the secrets of its connection out of output and log', async () => {
    const { executor, request, connection, logs } = openService((context) => {
      context.log('info', 'token is s3cret')
      return 'a s3cret b'
    })
    const secret = connection('main', {
      acquire: async () => ({
        handle: 1,
        redact: (text) => text.replaceAll('s3cret', '***'),
        release: () => undefined,
      }),
    })
    expect((await executor.execute(request('none', { connection: secret }))).output).toEqual({ value: 'a *** b' })
    expect(logs).toEqual(['info: token is ***'])
  })
})

describe('a call that fails', () => {
  test.each([
    ['read', {}, 3],
    ['natural', {}, 3],
    ['destroy', {}, 3],
    ['keyed', {}, 1],
    ['keyed', { idempotencyKey: 'k' }, 3],
    ['none', {}, 1],
    ['none', { idempotencyKey: 'k' }, 1],
    ['read', { retry: { times: 0 } }, 1],
    ['read', { retry: { times: 1 } }, 2],
  ])('of action %s with %j is attempted %i times', async (action, more, times) => {
    const { executor, request, calls, clock, released } = openService(() => {
      throw busy()
    })
    const failed = failure(executor.execute(request(action, more)))
    await clock.advance(10_000)
    expect((await failed).code).toBe('http_503')
    expect(calls).toHaveLength(times)
    expect(released).toHaveLength(times)
    expect(released.every((error) => (error as PlugworkError).code === 'http_503')).toBe(true)
  })

  test.each([
    ['says that it is final', new PlugworkError('http_404', 'no', { retryable: false }), 1],
    ['says nothing, and is no outage', new Error('odd'), 1],
    ['says nothing, and is an outage', Object.assign(new Error('gone'), { code: 'ECONNRESET' }), 3],
  ])('with an error that %s is attempted accordingly', async (_, error, times) => {
    const { executor, request, calls, clock } = openService(() => {
      throw error
    })
    const failed = failure(executor.execute(request('read')))
    await clock.advance(10_000)
    expect(await failed).toBe(error)
    expect(calls).toHaveLength(times)
  })

  test('pauses for a random part of a time that doubles up to its bound', async () => {
    const times: number[] = []
    const parts = [0.5, 1, 0.25, 1]
    const service = openService(
      () => {
        times.push(service.clock.now())
        throw busy()
      },
      { random: () => parts.shift()!, breaker: null },
    )
    const { executor, request, clock } = service
    const failed = failure(executor.execute(request('read', { retry: { times: 4, delayMs: 100, maxDelayMs: 300 } })))
    await clock.advance(10_000)
    await failed
    expect(times.map((time) => time - times[0]!)).toEqual([0, 50, 250, 325, 625])
  })

  test('waits as long as the service asks, unless that is more than it may', async () => {
    const times: number[] = []
    const service = openService((_, __, call) => {
      times.push(service.clock.now())
      if (call === 1) throw busy({ retryAfterMs: 4_000 })
      return 'late'
    })
    const done = service.executor.execute(service.request('read'))
    await service.clock.advance(10_000)
    expect(await done).toMatchObject({ output: { value: 'late' }, attempts: 2 })
    expect(times[1]! - times[0]!).toBe(4_000)
    const patient = openService(() => {
      throw busy({ retryAfterMs: 31_000 })
    })
    const failed = await failure(patient.executor.execute(patient.request('read')))
    expect([failed.code, patient.calls.length]).toEqual(['http_503', 1])
  })

  test('is not attempted again when the pause would outlast its time', async () => {
    const { executor, request, calls } = openService(() => {
      throw busy({ retryAfterMs: 5_000 })
    })
    await failure(executor.execute(request('read', { timeoutMs: 5_000 })))
    expect(calls).toHaveLength(1)
  })

  test('sends the same key with every attempt', async () => {
    const keys: string[] = []
    const { executor, request, clock } = openService((context, _, call) => {
      keys.push(context.idempotencyKey)
      if (call < 3) throw busy()
      return call
    })
    for (const more of [{ idempotencyKey: 'mine' }, { idempotencyKey: 'mine', attemptTimeoutMs: 1_000 }]) {
      const done = executor.execute(request('keyed', more))
      await clock.advance(10_000)
      await done
    }
    expect(new Set(keys)).toEqual(new Set(['mine']))
    keys.length = 0
    const done = executor.execute(request('natural', { attemptTimeoutMs: 1_000 }))
    await clock.advance(10_000)
    await done
    expect(new Set(keys).size).toBe(1)
  })

  test('asks what an earlier attempt did before it repeats an action with a look-up', async () => {
    const asked: number[] = []
    const lookup = (found: unknown) => ({
      idempotency: 'lookup' as const,
      lookup: async (context: { attempt: number }) => {
        asked.push(context.attempt)
        return found as { value: unknown } | null
      },
    })
    const service = openService(
      (_, __, call) => {
        if (call % 2 === 1) throw busy()
        return 'second'
      },
      { actions: { found: lookup({ value: 'it happened' }), lost: lookup(null) } },
    )
    const { executor, request, calls, clock, released } = service
    const found = executor.execute(request('found'))
    await clock.advance(1_000)
    expect(await found).toMatchObject({ output: { value: 'it happened' }, attempts: 2 })
    expect(calls).toEqual(['found:1'])
    calls.length = 0
    const lost = executor.execute(request('lost'))
    await clock.advance(1_000)
    expect(await lost).toMatchObject({ output: { value: 'second' }, attempts: 2 })
    expect(calls).toEqual(['lost:1', 'lost:1'])
    expect(asked).toEqual([2, 2])
    expect(released).toHaveLength(service.acquired)
  })

  test('before its action ran is attempted again, whatever the action is', async () => {
    let times = 0
    const { executor, request, connection, clock, calls } = openService(() => 'ran')
    const flaky = connection('main', {
      acquire: async () => {
        if (++times < 3) throw new PlugworkError('connection_failed', 'no', { retryable: true })
        return { handle: 1, release: () => undefined }
      },
    })
    const done = executor.execute(request('none', { connection: flaky }))
    await clock.advance(10_000)
    expect(await done).toMatchObject({ attempts: 3 })
    expect(calls).toEqual(['none:1'])
  })
})

describe('time and cancellation', () => {
  test('a call ends when its time is up, the action is told, and what it still answers is dropped', async () => {
    const late = Promise.withResolvers<string>()
    let reason: unknown
    const { executor, request, clock, released, calls } = openService((context) => {
      context.signal.addEventListener('abort', () => (reason = context.signal.reason))
      return late.promise
    })
    const failed = failure(executor.execute(request('read', { timeoutMs: 3_000 })))
    await clock.advance(3_000)
    const error = await failed
    expect(error).toMatchObject({
      code: 'action_timeout',
      retryable: true,
      message: expect.stringContaining('3000 ms'),
    })
    expect(reason).toBe(error)
    // The handle is still in use.
    expect(released).toEqual([])
    late.resolve('too late')
    await clock.advance(0)
    expect(released).toHaveLength(1)
    expect([calls.length, clock.next()]).toEqual([1, null])
  })

  test('an attempt that takes too long is followed by another', async () => {
    const { executor, request, clock, calls } = openService((context, _, call) =>
      call === 1
        ? new Promise((_resolve, reject) => context.cancellation!.onAbort((why) => reject(why as Error)))
        : 'second',
    )
    const done = executor.execute(request('read', { attemptTimeoutMs: 1_000 }))
    await clock.advance(5_000)
    expect(await done).toMatchObject({ output: { value: 'second' }, attempts: 2 })
    expect([calls.length, clock.next()]).toEqual([2, null])
  })

  test('the caller can abort it: while it runs, while it pauses, and before', async () => {
    const { executor, request, clock, calls } = openService((context, { n }) => {
      if (n === 2) throw busy()
      return new Promise((_, reject) => context.signal.addEventListener('abort', () => reject(context.signal.reason)))
    })
    for (const n of [1, 2]) {
      const controller = new AbortController()
      const failed = failure(executor.execute(request('read', { input: { n }, signal: controller.signal })))
      await clock.advance(0)
      controller.abort(new Error('no longer wanted'))
      const error = await failed
      expect(error).toMatchObject({ code: 'action_aborted', retryable: false })
      expect((error.cause as Error).message).toBe('no longer wanted')
      expect(clock.next()).toBeNull()
    }
    expect(calls).toEqual(['read:1', 'read:2'])
    await failure(executor.execute(request('read', { signal: AbortSignal.abort() })))
    expect(calls).toHaveLength(2)
  })

  test('nothing is left behind on a signal that outlives the call', async () => {
    const { executor, request } = openService(() => 1)
    let listeners = 0
    const signal = {
      aborted: false,
      reason: undefined,
      signal: new AbortController().signal,
      onAbort() {
        listeners++
        return () => void listeners--
      },
    }
    for (let i = 0; i < 5; i++) await executor.execute(request('read', { signal }))
    expect(listeners).toBe(0)
  })
})

describe('answers kept', () => {
  test('are served again to the same tenant, connection, version and input, until their time is over', async () => {
    const { executor, request, calls, connection, clock, connector } = openService((_, __, call) => call)
    const value = async (more: object = {}): Promise<unknown> => {
      const { output } = await executor.execute(request('cached', more))
      return (output as { value: unknown }).value
    }
    expect([await value(), await value(), await value({ input: { n: 1 } })]).toEqual([1, 1, 1])
    expect(await value({ input: { n: 2 } })).toBe(2)
    expect(await value({ tenant: 'other' })).toBe(3)
    expect(await value({ connection: connection('second') })).toBe(4)
    expect(await value({ connector: { ...connector, version: '1.0.1' } })).toBe(5)
    expect(await value({ cache: false })).toBe(6)
    await clock.advance(29_999)
    expect(await value()).toBe(1)
    await clock.advance(1)
    expect(await value()).toBe(7)
    expect(calls).toHaveLength(7)
  })

  test('need no connection and no limit, and each caller gets its own copy', async () => {
    const service = openService(() => ({ list: [1] }), { connector: { limits: { requests: 1, per: '1h' } } })
    const first = await service.executor.execute(service.request('cached'))
    ;(first.output as { value: { list: number[] } }).value.list.push(2)
    const second = await service.executor.execute(service.request('cached'))
    expect(second).toMatchObject({ output: { value: { list: [1] } }, cached: true })
    expect(service.acquired).toBe(1)
  })

  test('are kept for any read by the call, and for a write never', async () => {
    const { executor, request, calls } = openService((_, __, call) => call)
    for (const action of ['read', 'natural']) {
      await executor.execute(request(action, { cache: '1m' }))
      await executor.execute(request(action, { cache: '1m' }))
    }
    expect(calls).toEqual(['read:1', 'natural:1', 'natural:1'])
  })

  test('are not kept of failures, and calls for the same at the same time are one', async () => {
    const gate = Promise.withResolvers<void>()
    const { executor, request, calls } = openService(async (_, __, call) => {
      await gate.promise
      if (call === 1) throw new PlugworkError('http_404', 'no')
      return call
    })
    const all = Promise.allSettled(Array.from({ length: 5 }, () => executor.execute(request('cached'))))
    gate.resolve()
    const [first, ...others] = await all
    expect(first!.status).toBe('rejected')
    expect(others.every(({ status }) => status === 'fulfilled')).toBe(true)
    const before = calls.length
    const together = await Promise.all(
      Array.from({ length: 5 }, () => executor.execute(request('cached', { input: { n: 9 } }))),
    )
    expect(calls).toHaveLength(before + 1)
    expect(together.filter(({ cached }) => cached)).toHaveLength(4)
  })

  test('that cannot be reached are done without, and that is said once a minute', async () => {
    const broken: ActionCache = {
      get: () => Promise.reject(Object.assign(new Error('redis://user:pw@host is gone'), { code: 'ECONNREFUSED' })),
      set: () => Promise.reject(Object.assign(new Error('gone'), { code: 'ECONNREFUSED' })),
    }
    const { executor, request, calls, logs } = openService(() => 1, { cache: broken })
    for (let i = 0; i < 3; i++) await executor.execute(request('cached'))
    expect(calls).toHaveLength(3)
    expect(logs).toEqual([expect.stringContaining('(ECONNREFUSED)')])
  })
})

describe('limits', () => {
  const limits = { requests: 2, per: '1s' }

  test('of a connector hold back each connection by itself', async () => {
    const service = openService(() => service.clock.now(), { connector: { limits } })
    const { executor, request, connection, clock } = service
    const began = clock.now()
    const calls = [
      ...Array.from({ length: 4 }, () => request('none')),
      request('none', { connection: connection('second') }),
      request('none', { tenant: 'other' }),
    ].map((one) => executor.execute(one))
    await clock.advance(5_000)
    const outcomes = await Promise.all(calls)
    expect(outcomes.map(({ output }) => Number((output as { value: number }).value) - began)).toEqual([
      0, 0, 500, 1_000, 0, 0,
    ])
    expect(outcomes.map(({ limitWaitMs }) => limitWaitMs)).toEqual([0, 0, 500, 1_000, 0, 0])
  })

  test('of a connection replace those of its connector; null lifts them', async () => {
    const service = openService(() => 1, { connector: { limits: { requests: 1, per: '1h' } } })
    const { executor, request, connection } = service
    const own = connection('own', { limits: { requests: 5, per: '1h' } })
    const none = connection('none', { limits: null })
    for (let i = 0; i < 5; i++) await executor.execute(request('none', { connection: own }))
    for (let i = 0; i < 9; i++) await executor.execute(request('none', { connection: none }))
    expect((await failure(executor.execute(request('none', { connection: own })))).code).toBe('action_rate_limited')
  })

  test('of a connection can be changed while it is used', async () => {
    const { executor, request, connection } = openService(() => 1)
    const call = (limits: LimitSpec | null) =>
      executor.execute(request('none', { connection: connection('one', { limits }) }))
    await call({ requests: 1, per: '1h' })
    expect((await failure(call({ requests: 1, per: '1h' }))).code).toBe('action_rate_limited')
    await call({ requests: 10, per: '10h' })
    await call(null)
    expect((await failure(call({ requests: 0, per: '1h' }))).code).toBe('action_option_invalid')
  })

  test('of an operator hold for all connections of a connector together', async () => {
    const { executor, request, connection } = openService(() => 1, {
      connectorLimits: { svc: { requests: 2, per: '1h' } },
    })
    await executor.execute(request('none'))
    await executor.execute(request('none', { connection: connection('second'), tenant: 'other' }))
    const error = await failure(executor.execute(request('none', { connection: connection('third') })))
    expect(error).toMatchObject({ code: 'action_rate_limited', data: { retryAfterMs: 1_800_000 } })
  })

  test('are not waited for longer than the call has time, and that wait can be aborted', async () => {
    const service = openService(() => 1, { connector: { limits: { requests: 1, per: '10s' } } })
    const { executor, request, clock } = service
    await executor.execute(request('none'))
    const late = await failure(executor.execute(request('none', { timeoutMs: 9_000 })))
    expect(late).toMatchObject({ code: 'action_rate_limited', data: { retryAfterMs: 10_000 } })
    const controller = new AbortController()
    const aborted = failure(executor.execute(request('none', { signal: controller.signal })))
    await clock.advance(10)
    controller.abort()
    expect((await aborted).code).toBe('action_aborted')
    expect(clock.next()).toBeNull()
    expect(service.calls).toHaveLength(1)
  })

  test.each([
    ['an error asks for it', { connector: {} }],
    ['an error asks for it, and there is a limit', { connector: { limits: { requests: 100, per: '1s' } } }],
  ])('pause for every call of the connection when %s', async (_, options) => {
    const times: number[] = []
    const service = openService((_context, { n }) => {
      times.push(service.clock.now())
      if (n === 1)
        throw new PlugworkError('http_429', 'slow down', {
          retryable: true,
          data: { status: 429, retryAfterMs: 7_000 },
        })
      return n
    }, options)
    const { executor, request, connection, clock } = service
    const began = clock.now()
    await failure(executor.execute(request('none', { input: { n: 1 } })))
    const held = executor.execute(request('none', { input: { n: 2 } }))
    const other = executor.execute(request('none', { input: { n: 3 }, connection: connection('other') }))
    await clock.advance(20_000)
    expect(await held).toMatchObject({ limitWaitMs: 7_000 })
    expect(await other).toMatchObject({ limitWaitMs: 0 })
    expect(times.map((time) => time - began)).toEqual([0, 0, 7_000])
  })

  test('pause when an action passes on what the service said', async () => {
    const service = openService((context, _, call) => {
      if (call === 1) context.rateLimited!({ until: service.clock.now() + 2_000 })
      return call
    })
    const { executor, request, clock } = service
    await executor.execute(request('none'))
    const held = executor.execute(request('none'))
    await clock.advance(5_000)
    expect(await held).toMatchObject({ limitWaitMs: 2_000 })
  })

  test('that cannot be reached are kept by this process alone', async () => {
    const broken = {
      take: () => Promise.reject(new Error('gone')),
      pause: () => Promise.reject(new Error('gone')),
    }
    const { executor, request, logs } = openService(() => 1, {
      limits: broken,
      connector: { limits: { requests: 1, per: '1h' } },
    })
    await executor.execute(request('none'))
    expect((await failure(executor.execute(request('none')))).code).toBe('action_rate_limited')
    expect(logs).toEqual([expect.stringContaining('shared limits')])
  })
})

describe('the breaker', () => {
  const quick = { retry: { times: 0 } }

  test('opens after outages in a row, lets one call find out, and closes when it succeeds', async () => {
    let broken = true
    const { executor, request, calls, clock, connection } = openService(() => {
      if (broken) throw busy()
      return 'ok'
    })
    const call = (more: object = {}) => executor.execute(request('read', { ...quick, ...more }))
    for (let i = 0; i < 5; i++) expect((await failure(call())).code).toBe('http_503')
    const open = await failure(call())
    expect(open).toMatchObject({
      code: 'action_circuit_open',
      data: { closesAt: clock.now() + 5_000, retryAfterMs: 5_000 },
    })
    expect(calls).toHaveLength(5)
    expect((await failure(call({ tenant: 'other' }))).code).toBe('http_503')
    expect((await failure(call({ connection: connection('other') }))).code).toBe('http_503')
    await clock.advance(5_000)
    expect((await failure(call())).code).toBe('http_503')
    // The probe failed: twice as long.
    expect((await failure(call())).data).toMatchObject({ retryAfterMs: 10_000 })
    await clock.advance(10_000)
    broken = false
    const both = await Promise.allSettled([call(), call()])
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
    expect(await call()).toMatchObject({ output: { value: 'ok' } })
  })

  test.each([
    ['404', new PlugworkError('http_404', 'no', { data: { status: 404 } })],
    ['429', new PlugworkError('http_429', 'no', { data: { status: 429 }, retryable: true })],
    ['a refusal of the driver', Object.assign(new Error('duplicate'), { code: '23505' })],
  ])('does not open for %s, and such an answer ends the row', async (_, answer) => {
    let next: Error = answer
    const { executor, request } = openService(() => {
      throw next
    })
    const call = () => failure(executor.execute(request('read', quick)))
    for (let i = 0; i < 20; i++) expect(await call()).toBe(answer)
    next = busy()
    for (let i = 0; i < 4; i++) await call()
    next = answer
    await call()
    next = busy()
    for (let i = 0; i < 4; i++) await call()
    next = answer
    expect(await call()).toBe(answer)
  })

  test('counts time-outs, and not what its caller aborted', async () => {
    const { executor, request, clock } = openService(untilAborted)
    const call = (more: object) => failure(executor.execute(request('read', { ...quick, ...more })))
    for (let i = 0; i < 8; i++) {
      const controller = new AbortController()
      const aborted = call({ signal: controller.signal })
      await clock.advance(0)
      controller.abort()
      expect((await aborted).code).toBe('action_aborted')
    }
    const last = openService(
      (context) => new Promise((_, reject) => context.cancellation!.onAbort((why) => reject(why as Error))),
    )
    for (let i = 0; i < 5; i++) {
      const timedOut = failure(last.executor.execute(last.request('read', { ...quick, timeoutMs: 10 })))
      await last.clock.advance(10)
      expect((await timedOut).code).toBe('action_timeout')
    }
    expect((await failure(last.executor.execute(last.request('read', quick)))).code).toBe('action_circuit_open')
  })

  test('answers at once, also in the middle of retries, and then with the error that opened it', async () => {
    const { executor, request, calls, clock } = openService(() => {
      throw busy()
    })
    const many = failure(executor.execute(request('read', { retry: { times: 9 } })))
    await clock.advance(60_000)
    expect((await many).code).toBe('http_503')
    expect(calls).toHaveLength(5)
    for (let i = 0; i < 5; i++) {
      const one = failure(executor.execute(request('read', { retry: { times: 0 } })))
      await clock.advance(0)
      await one
    }
    const before = calls.length
    expect((await failure(executor.execute(request('read')))).code).toBe('action_circuit_open')
    expect(calls).toHaveLength(before)
  })

  test('a probe that never ends does not keep it shut for good', async () => {
    let hang = false
    const { executor, request, clock } = openService(() => {
      if (hang) return new Promise(() => undefined)
      throw busy()
    })
    const call = () => executor.execute(request('read', { ...quick, timeoutMs: Infinity }))
    for (let i = 0; i < 5; i++) await failure(call())
    hang = true
    await clock.advance(5_000)
    void call()
    expect((await failure(call())).code).toBe('action_circuit_open')
    await clock.advance(5_000)
    void call()
    await clock.advance(0)
    hang = false
    expect((await failure(call())).code).toBe('action_circuit_open')
  })
})

describe('a dry run', () => {
  test('carries out reads, and answers for the rest without touching the connection', async () => {
    const service = openService(() => 1, { dryRun: true })
    const { executor, request, calls } = service
    expect(await executor.execute(request('read'))).toMatchObject({ output: { value: 1 }, dryRun: false })
    service.acquired = 0
    for (const action of ['natural', 'none', 'destroy']) {
      const outcome = await executor.execute(request(action))
      expect(outcome).toMatchObject({ dryRun: true, output: { dry_run: true, action: `svc.${action}` } })
    }
    expect((await failure(executor.execute(request('none', { input: { n: 'x' } })))).code).toBe('action_input_invalid')
    expect([calls, service.acquired]).toEqual([['read:1'], 0])
    expect(await executor.execute(request('none', { dryRun: false }))).toMatchObject({ dryRun: false })
  })

  test('can be asked for by one call', async () => {
    const { executor, request, calls } = openService(() => 1)
    expect(await executor.execute(request('none', { dryRun: true }))).toMatchObject({ dryRun: true })
    expect(calls).toEqual([])
  })
})

describe('batch', () => {
  test('keeps the order, bounds what runs at a time, and gives each call its own result', async () => {
    let running = 0
    let most = 0
    const { executor, request } = openService(async (_, { n }) => {
      most = Math.max(most, ++running)
      for (let i = 0; i < n; i++) await Promise.resolve()
      running--
      if (n === 4) throw new PlugworkError('http_404', 'no')
      return n
    })
    const requests = [9, 1, 4, 2, 7, 3].map((n) => request('none', { input: { n } }))
    const results = await executor.batch(requests, { concurrency: 2 })
    expect(results.map((result) => (result.ok ? result.output : result.error))).toMatchObject([
      { value: 9 },
      { value: 1 },
      { code: 'http_404' },
      { value: 2 },
      { value: 7 },
      { value: 3 },
    ])
    expect(most).toBe(2)
    expect(await executor.batch([])).toEqual([])
    expect((await failure(executor.batch(requests, { concurrency: 0 }))).code).toBe('action_option_invalid')
  })

  test('can be aborted: what runs is told, what did not begin does not', async () => {
    const controller = new AbortController()
    const { executor, request, calls } = openService(
      (context) => new Promise((_, reject) => context.cancellation!.onAbort((why) => reject(why as Error))),
    )
    const batch = executor.batch(
      Array.from({ length: 5 }, () => request('none')),
      { concurrency: 2, signal: controller.signal },
    )
    await new Promise((resolve) => setImmediate(resolve))
    controller.abort()
    const results = await batch
    expect(results.map((result) => !result.ok && (result.error as PlugworkError).code)).toEqual(
      Array.from({ length: 5 }, () => 'action_aborted'),
    )
    expect(calls).toHaveLength(2)
  })
})

describe('pages', () => {
  const list = (last: number, next?: (input: { page: number }) => object | null) =>
    openService(() => undefined, {
      actions: {
        list: {
          effect: 'read',
          idempotency: 'natural',
          input: z.object({ page: z.number().default(1) }),
          output: z.object({ items: z.array(z.number()), more: z.boolean() }),
          pages: {
            items: 'items',
            next:
              next ??
              ((input: unknown, output: unknown) =>
                (output as { more: boolean }).more ? { page: (input as { page: number }).page + 1 } : null),
          } as never,
          run: async (_context, input) => {
            const { page } = input as { page: number }
            return { items: [page * 10, page * 10 + 1], more: page < last }
          },
        },
      },
    })
  const all = async <T>(source: AsyncIterable<T>): Promise<T[]> => {
    const found: T[] = []
    for await (const one of source) found.push(one)
    return found
  }

  test('go on until the list ends, page by page and item by item', async () => {
    const { executor, request } = list(3)
    expect((await all(executor.pages(request('list')))).map(({ output }) => output)).toEqual([
      { items: [10, 11], more: true },
      { items: [20, 21], more: true },
      { items: [30, 31], more: false },
    ])
    expect(await all(executor.pages(request('list')).items())).toEqual([10, 11, 20, 21, 30, 31])
  })

  test('stop at the bounds, and ask for no page that is not read', async () => {
    const { executor, request } = list(100)
    const calls = () => executor.metrics()[0]!.calls
    expect(await all(executor.pages(request('list'), { maxPages: 2 }).items())).toEqual([10, 11, 20, 21])
    expect(await all(executor.pages(request('list'), { maxItems: 3 }).items())).toEqual([10, 11, 20])
    expect(calls()).toBe(4)
    for await (const item of executor.pages(request('list')).items()) if (item === 20) break
    expect(calls()).toBe(6)
  })

  test('that do not come to an end are an error', async () => {
    const { executor, request } = list(100, () => ({ page: 2 }))
    const error = await failure(all(executor.pages(request('list'))))
    expect(error.code).toBe('action_pages_endless')
  })

  test('are refused for an action without, and for bounds that are none', () => {
    const { executor, request } = list(1)
    expect(() => executor.pages(request('read'))).toThrow('answers no list')
    expect(() => executor.pages(request('list'), { maxPages: 0 })).toThrow('maxPages')
  })
})

describe('metrics and log', () => {
  test('count what happened, and show nothing of what was sent', async () => {
    let tick = 0
    const service = openService(
      (_, { n }, call) => {
        tick += n
        if (n === 7 && call % 2 === 1) throw busy()
        if (n === 3) throw new PlugworkError('http_404', 'secret-body')
        return 'secret-output'
      },
      { monotonic: () => tick, logSize: 4 },
    )
    const { executor, request, clock } = service
    const run = async (action: string, n: number, more: object = {}): Promise<void> => {
      const done = executor
        .execute(request(action, { input: { n, secret: 'secret-input' }, ...more }))
        .catch(() => undefined)
      await clock.advance(1_000)
      await done
    }
    await run('read', 7)
    await run('read', 3)
    await run('cached', 5)
    await run('cached', 5)
    await run('none', 1, { tenant: 'other', dryRun: true })
    const [read, cached, none] = executor.metrics()
    expect(read).toMatchObject({ action: 'svc.read', calls: 2, errors: 1, errorCodes: { http_404: 1 }, retries: 1 })
    expect(read!.duration).toMatchObject({ sumMs: 17, maxMs: 14 })
    expect(cached).toMatchObject({ calls: 2, errors: 0, cacheHits: 1, cacheMisses: 1 })
    expect(none).toMatchObject({ calls: 1, dryRuns: 1 })
    const recent = executor.recent()
    expect(recent).toMatchObject([
      { action: 'svc.none', tenant: 'other', dryRun: true },
      { action: 'svc.cached', cached: true, error: null, connection: 'main' },
      { action: 'svc.cached', cached: false, durationMs: 5 },
      { action: 'svc.read', error: 'http_404', attempts: 1 },
    ])
    expect(executor.recent({ tenant: 'acme', limit: 2 }).map(({ action }) => action)).toEqual([
      'svc.cached',
      'svc.cached',
    ])
    expect(JSON.stringify([executor.metrics(), recent])).not.toContain('secret')
  })

  test('tell percentiles within the width of a bucket', async () => {
    let tick = 0
    const { executor, request } = openService((_, { n }) => void (tick += n), { monotonic: () => tick })
    for (let n = 1; n <= 1_000; n++) await executor.execute(request('none', { input: { n } }))
    const { p50Ms, p95Ms, p99Ms, buckets, maxMs } = executor.metrics()[0]!.duration
    expect(maxMs).toBe(1_000)
    for (const [measured, exact] of [
      [p50Ms, 500],
      [p95Ms, 950],
      [p99Ms, 990],
    ] as const) {
      expect(Math.abs(measured - exact) / exact).toBeLessThan(0.15)
    }
    for (const { atMostMs, count } of buckets) expect(count).toBe(Math.min(1_000, Math.floor(atMostMs)))
  })
})
