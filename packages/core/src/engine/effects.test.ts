import { expect, test } from 'vitest'
import type { SecretText } from '../expression/value.ts'
import { deserialize, inFlight, needsAttention, serialize } from './state.ts'
import { action, attempt, plan, set, subflow, task } from './testing/build.ts'
import { simulate } from './testing/simulate.ts'

test('retry: delays grow by the factor up to the longest, and the number of attempts is the policy’s', () => {
  const retry = { maxAttempts: 4, delayMs: 1000, backoff: 3, maxDelayMs: 5000 }
  const run = simulate(plan([task('a', { retry, input: { now: '${now}' } })]))
  const first = run.attempt('a')
  const delays: number[] = []
  for (let n = 0; n < 3; n++) {
    run.fail('a')
    expect(run.status).toBe('waiting: timer')
    const before = run.now
    run.tick()
    delays.push(run.now - before)
  }
  expect(delays).toEqual([1000, 3000, 5000])
  expect(run.attempt('a')).toMatchObject({ attempt: 4 })
  expect({ ...run.attempt('a'), attempt: 1 }).toEqual(first)
  run.fail('a')
  expect(run.error).toMatchObject({ code: 'boom', step: 'a' })
})

test('jitter shortens a delay by up to half, the same in every replay', () => {
  const run = simulate(plan([task('a', { retry: { maxAttempts: 20, delayMs: 1000, backoff: 1, jitter: true } })]))
  const delays = new Set<number>()
  for (let n = 0; n < 19; n++) {
    run.fail('a')
    const before = run.now
    run.tick()
    delays.add(run.now - before)
  }
  expect(Math.min(...delays)).toBeGreaterThanOrEqual(500)
  expect(Math.max(...delays)).toBeLessThanOrEqual(1000)
  expect(delays.size).toBeGreaterThan(10)
})

test('a server that says when to come back is obeyed', () => {
  const run = simulate(plan([task('a', { retry: {} })]))
  run.fail('a', 'http_429', { retryAfterMs: 90_000 })
  const before = run.now
  run.tick()
  expect(run.now - before).toBe(90_000)
})

test.each([
  ['a code that is not listed', { on: ['timeout'] }, {}],
  ['a final error', {}, { final: true }],
  ['an error that says it will not get better', {}, { error: { retryable: false } }],
])('no retry for %s', (_what, retry, more) => {
  const run = simulate(plan([task('a', { retry })]))
  run.fail('a', 'boom', more)
  expect(run.status).toBe('failed')
})

test('a listed code is retried even when the error says it will not get better', () => {
  const run = simulate(plan([task('a', { retry: { on: ['boom'] } })]))
  run.fail('a', 'boom', { error: { retryable: false } })
  expect(run.status).toBe('waiting: timer')
})

test('the result of an attempt that has been given up is ignored', () => {
  const run = simulate(plan([task('a', { retry: { delayMs: 0 } })]))
  run.fail('a')
  expect(run.attempt('a').attempt).toBe(2)
  expect(run.send({ type: 'completed', path: 'a', attempt: 1, output: 1, startedAt: run.now })).toBe(false)
  expect(run.send({ type: 'completed', path: 'b', attempt: 1, output: 1, startedAt: run.now })).toBe(false)
  run.complete('a')
  expect(run.complete('a')).toBe(false)
})

test('a time-out of an effect is the shell’s business, per attempt', () => {
  const run = simulate(plan([task('a', { timeoutMs: 5000 })]))
  expect(run.commands).toMatchObject([{ type: 'effect', timeoutMs: 5000 }])
})

test('takeover: retry runs the step again with the journaled input and the same key', () => {
  const run = simulate(plan([task('a', { input: { n: '${inputs.n}' }, onInterrupt: 'retry' })]), { n: 1 })
  const first = run.attempt('a')
  run.state = deserialize(serialize(run.state))
  expect(run.send({ type: 'takeover' })).toBe(true)
  expect(run.attempt('a')).toEqual({ ...first, attempt: 2 })
  expect(run.send({ type: 'completed', path: 'a', attempt: 1, output: 1, startedAt: 0 })).toBe(false)
})

test('an interruption is no failure: it does not use up attempts', () => {
  const run = simulate(plan([task('a', { retry: { maxAttempts: 2, delayMs: 0 } })]))
  for (let n = 0; n < 3; n++) run.send({ type: 'takeover' })
  run.fail('a')
  expect(run.status).toBe('running')
  run.fail('a')
  expect(run.status).toBe('failed')
})

test('takeover: check looks the effect up, and runs it again only if it did not happen', () => {
  const flow = plan([action('a', { onInterrupt: 'check' })], { outputs: { a: '${a.v}' } })
  const found = simulate(flow)
  found.send({ type: 'takeover' })
  expect(found.commands).toMatchObject([
    { type: 'lookup', path: 'a', idempotencyKey: found.attempt('a').idempotencyKey },
  ])
  expect(found.status).toBe('running')
  found.send({ type: 'looked_up', path: 'a', found: true, output: { v: 1 } })
  expect(found.outputs).toEqual({ a: 1 })
  const missing = simulate(flow)
  missing.send({ type: 'takeover' })
  missing.send({ type: 'looked_up', path: 'a', found: false })
  expect(missing.commands).toMatchObject([{ type: 'effect', path: 'a', attempt: 2 }])
})

test('takeover: a look-up that was interrupted is asked for again', () => {
  const run = simulate(plan([action('a', { onInterrupt: 'check' })]))
  run.send({ type: 'takeover' })
  run.send({ type: 'takeover' })
  expect(run.commands).toMatchObject([{ type: 'lookup' }])
})

test('takeover: fail raises `interrupted`, which can be caught and is not retried', () => {
  const run = simulate(
    plan([attempt([task('a', { onInterrupt: 'fail', retry: {} })], { catch: [set('c', { code: '${error.code}' })] })], {
      outputs: { c: '${c.code}' },
    }),
  )
  run.send({ type: 'takeover' })
  expect(run.outputs).toEqual({ c: 'interrupted' })
})

test('takeover: hold waits for a decision', () => {
  const run = simulate(plan([task('a', { onInterrupt: 'hold' })], { outputs: { a: '${a}' } }))
  run.send({ type: 'takeover' })
  expect(run.status).toBe('waiting: needs_attention')
  expect(needsAttention(run.state)).toMatchObject([{ path: 'a' }])
  expect(run.send({ type: 'takeover' })).toBe(false)
  run.send({ type: 'resolve', path: 'a', decision: 'output', output: { by: 'hand' } })
  expect(run.outputs).toEqual({ a: { by: 'hand' } })
})

test('a held step: retry and fail', () => {
  const flow = plan([task('a', { retry: {} })])
  const again = simulate(flow)
  again.send({ type: 'hold', path: 'a', reason: 'The task a is missing.' })
  expect(needsAttention(again.state)).toEqual([{ path: 'a', reason: 'The task a is missing.' }])
  expect(again.send({ type: 'hold', path: 'a', reason: 'twice' })).toBe(false)
  again.send({ type: 'resolve', path: 'a', decision: 'retry' })
  expect(again.commands).toMatchObject([{ type: 'effect', path: 'a', attempt: 2 }])
  const failed = simulate(flow)
  failed.send({ type: 'hold', path: 'a', reason: 'gone' })
  failed.send({ type: 'resolve', path: 'a', decision: 'fail' })
  expect(failed.error).toMatchObject({ code: 'resolved_as_failed', step: 'a' })
  expect(failed.error?.message).toContain('gone')
})

test('nothing in flight, nothing to take over', () => {
  const run = simulate(plan([task('a', { retry: {} })]))
  run.fail('a')
  expect(run.send({ type: 'takeover' })).toBe(false)
})

test('a sub-flow is a child run: outputs, failure with its cause, retry as a new one', () => {
  const run = simulate(
    plan([subflow('c', { input: { x: 1 }, retry: { delayMs: 0, maxAttempts: 2 } })], { outputs: { c: '${c.v}' } }),
  )
  expect(run.commands).toMatchObject([
    { type: 'start_child', path: 'c', attempt: 1, flow: 'Child', hash: 'hash-of-child', inputs: { x: 1 } },
  ])
  expect(run.status).toBe('waiting: child')
  expect(inFlight(run.state)).toEqual([{ path: 'c', attempt: 1, kind: 'child', leaving: false }])
  expect(run.complete('c')).toBe(false)
  run.childEnded('c', 'failed', { error: { code: 'inner', message: 'inner broke' } })
  expect(run.commands).toMatchObject([{ type: 'start_child', attempt: 2 }])
  run.childEnded('c', 'succeeded', { outputs: { v: 5 } })
  expect(run.outputs).toEqual({ c: 5 })
})

test('a sub-flow that failed for good, or was cancelled from outside, is an error', () => {
  const flow = plan([subflow('c', { retry: {} })])
  const failed = simulate(plan([subflow('c')]))
  failed.childEnded('c', 'failed', { error: { code: 'inner', message: 'inner broke' } })
  expect(failed.error).toMatchObject({ code: 'subflow_failed', step: 'c', cause: { code: 'inner' } })
  const cancelled = simulate(flow)
  cancelled.childEnded('c', 'cancelled')
  expect(cancelled.error).toMatchObject({ code: 'subflow_cancelled' })
})

test('a sub-flow that takes too long is cancelled, and has failed with a time-out', () => {
  const run = simulate(plan([subflow('c', { timeoutMs: 1000 })]))
  run.tick()
  expect(run.commands).toMatchObject([{ type: 'cancel_child', path: 'c', force: false }, { type: 'finish' }])
  expect(run.error).toMatchObject({ code: 'timeout', step: 'c' })
})

test('cancelling the run cancels the child, and waits for its end', () => {
  const run = simulate(plan([subflow('c')]))
  run.send({ type: 'cancel', force: false })
  expect(run.commands).toEqual([{ type: 'cancel_child', path: 'c', attempt: 1, force: false }])
  expect(run.status).toBe('waiting: child')
  run.childEnded('c', 'cancelled')
  expect(run.status).toBe('cancelled')
})

test('a sub-flow that was not pinned is an error', () => {
  expect(simulate(plan([subflow('c')]), {}, { subflows: {} }).error).toMatchObject({
    code: 'subflow_unknown',
    step: 'c',
  })
})

test('secrets reach actions and tasks as references, and the state keeps them as such', () => {
  const run = simulate(
    plan([action('a', { input: { headers: { auth: 'Bearer ${secrets.TOKEN}' }, key: '${env.API_KEY}', x: null } })], {
      env: ['API_KEY'],
    }),
  )
  const restored = simulate(run.program.plan)
  restored.state = deserialize(serialize(run.state))
  restored.send({ type: 'takeover' })
  for (const { commands } of [run, restored]) {
    const [command] = commands
    const input = command?.type === 'effect' ? command.input : null
    expect(input).toMatchObject({ x: null })
    const { headers, key } = input as unknown as { headers: { auth: SecretText }; key: SecretText }
    expect(headers.auth.parts).toEqual(['Bearer ', { source: 'secret', name: 'TOKEN' }])
    expect(key.parts).toEqual([{ source: 'env', name: 'API_KEY' }])
  }
})

test('a task gets secrets only in inputs of type secret', () => {
  const input = { key: '${secrets.K}', other: 1 }
  expect(simulate(plan([task('a', { input, secretInputs: ['key'] })])).status).toBe('running')
  expect(simulate(plan([task('a', { input })])).error).toMatchObject({ code: 'secret_not_allowed', step: 'a' })
})

test('secret inputs of the run are references too', () => {
  const secrets = { '/key': [{ source: 'sealed' as const, name: 'box' }] }
  const inputs = [{ name: 'key', schema: { type: 'string' }, required: true, secret: true }]
  const run = simulate(plan([action('a', { input: { k: '${inputs.key}' } })], { inputs }), { key: null }, { secrets })
  const [command] = run.commands
  expect(command?.type === 'effect' && (command.input as { k: SecretText }).k.parts).toEqual(secrets['/key'])
  expect(JSON.stringify(run.records)).not.toContain('***')
})

test.each([
  ['set', set('s', { v: '${secrets.K}' })],
  ['subject to text', set('s', { v: 'key ${secrets.K}' })],
])('a secret in a value that is stored is an error: %s', (_what, node) => {
  expect(simulate(plan([node])).error).toMatchObject({ code: 'secret_not_allowed' })
})
