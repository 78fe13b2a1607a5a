import { expect, test } from 'vitest'
import { decodeRecord, encodeRecord } from './record.ts'
import type { EncodedRecord } from './record.ts'
import { commandsInFlight, replay } from './replay.ts'
import { deserialize, serialize } from './state.ts'
import { action, emit, event, parallel, plan, set, subflow, task } from './testing/build.ts'
import { START, simulate } from './testing/simulate.ts'

test('a record holds the event and what it started, and is read back as it was', () => {
  const run = simulate(plan([task('a'), action('b', { input: { x: 1, auth: 'Bearer ${secrets.T}' } })]))
  run.send({
    type: 'completed',
    path: 'a',
    attempt: 1,
    output: { v: [1, null] },
    startedAt: START,
    logs: [{ at: START, level: 'info', message: 'hello' }],
    code: 'abc',
  })
  const record = run.records[1]!
  expect(record).toMatchObject({ seq: 1, kind: 'completed', path: 'a', completes: true, at: START })
  expect(decodeRecord(record)).toEqual({
    event: {
      type: 'completed',
      at: START,
      path: 'a',
      attempt: 1,
      output: { v: [1, null] },
      startedAt: START,
      logs: [{ at: START, level: 'info', message: 'hello' }],
      code: 'abc',
    },
    started: [
      {
        do: 'effect',
        path: 'b',
        attempt: 1,
        input: { x: 1, auth: null },
        secrets: { '/auth': ['Bearer ', { source: 'secret', name: 'T' }] },
      },
    ],
  })
})

test.each([
  [{ type: 'failed', path: 'a', attempt: 1, error: { code: 'c', message: 'm' }, startedAt: 1 } as const, false],
  [{ type: 'timer' } as const, false],
  [{ type: 'event', path: 'w', eventId: 1, name: 'n', data: null, publishedAt: 1 } as const, true],
  [{ type: 'child_ended', path: 'c', attempt: 1, runId: 'r', status: 'succeeded', outputs: {} } as const, true],
  [{ type: 'child_ended', path: 'c', attempt: 1, runId: 'r', status: 'failed' } as const, false],
  [{ type: 'looked_up', path: 'a', found: true, output: 1 } as const, true],
  [{ type: 'looked_up', path: 'a', found: false } as const, false],
  [{ type: 'resolve', path: 'a', decision: 'output', output: 1 } as const, true],
  [{ type: 'resolve', path: 'a', decision: 'retry' } as const, false],
  [{ type: 'signal', id: 's', name: 'w', outcome: 'received', data: { started: 1, path: 'x' } } as const, false],
  [{ type: 'cancel', force: true, reason: 'r' } as const, false],
  [{ type: 'hold', path: 'a', reason: 'r' } as const, false],
])('$type is read back, and completes its step or not', (event, completes) => {
  const record = encodeRecord({ ...event, at: 5 }, [], 9)
  expect(record.completes).toBe(completes)
  expect(decodeRecord(record)).toEqual({ event: { ...event, at: 5 }, started: [] })
})

test('what is no record is refused', () => {
  const record: EncodedRecord = { seq: 3, kind: 'completed', path: 'a', completes: true, at: 1, data: '{' }
  expect(() => decodeRecord(record)).toThrow(expect.objectContaining({ code: 'record_invalid' }))
  expect(() => decodeRecord({ ...record, data: '[]' })).toThrow(expect.objectContaining({ code: 'record_invalid' }))
  expect(() => decodeRecord({ ...record, kind: 'other', data: '{}' })).toThrow(
    expect.objectContaining({ code: 'record_invalid' }),
  )
})

test('replay gives the state and asks again for what is in flight, with the journaled inputs', () => {
  const flow = plan([
    emit('started'),
    parallel([[task('a', { input: { n: '${inputs.n}' } })], [subflow('c')], [event('w', 'paid')], [task('done')]]),
  ])
  const run = simulate(flow, { n: 1 })
  run.complete('parallel@1/branch[3]/done')
  const edited = run.records.map((record) => ({
    ...record,
    data: record.data.replace('"input":{"n":1}', '"input":{"n":99}'),
  }))
  const replayed = replay(run.program, edited)
  if (replayed.kind !== 'replayed') throw new Error('diverged')
  expect(replayed.nextSeq).toBe(2)
  expect(replayed.commandsInFlight).toMatchObject([
    { type: 'effect', path: 'parallel@1/branch[0]/a', attempt: 1, input: { n: 99 } },
    { type: 'start_child', path: 'parallel@1/branch[1]/c' },
    { type: 'subscribe', path: 'parallel@1/branch[2]/w', event: 'paid', since: 'run' },
  ])
  expect(commandsInFlight(run.program, deserialize(run.states.at(-1)!))).toMatchObject([{ input: { n: 1 } }, {}, {}])
})

test('replay on a snapshot passes over the records before it', () => {
  const run = simulate(plan([task('a'), task('b'), task('c')]))
  run.complete('a')
  run.complete('b')
  const from = { seq: 1, state: run.states[1]! }
  for (const records of [run.records, run.records.slice(2)]) {
    const replayed = replay(run.program, records, from)
    expect(replayed.kind === 'replayed' && replayed.state && serialize(replayed.state)).toBe(run.states[2])
  }
  expect(replay(run.program, [], null)).toEqual({ kind: 'replayed', state: null, commandsInFlight: [], nextSeq: 0 })
})

test('a journal that another plan wrote is nondeterminism, never another run', () => {
  const run = simulate(plan([task('a'), task('b')]))
  run.complete('a')
  run.complete('b')
  const other = simulate(plan([task('a'), set('s', { v: 1 }), task('x')])).program
  expect(replay(other, run.records)).toEqual({
    kind: 'nondeterminism',
    nondeterminism: { seq: 1, expected: 'effect b #1', got: 'effect x #1' },
  })
  const shorter = simulate(plan([task('a')])).program
  expect(replay(shorter, run.records)).toMatchObject({
    nondeterminism: { seq: 1, expected: 'effect b #1', got: 'nothing started' },
  })
  const [first, , third] = run.records
  expect(replay(run.program, [first!, third!])).toMatchObject({
    nondeterminism: { seq: 2, expected: 'completed b', got: 'nothing that this event applies to' },
  })
})

test('a state of another version is refused', () => {
  const run = simulate(plan([task('a')]))
  const text = serialize(run.state).replace('"version":1', '"version":0')
  expect(() => deserialize(text)).toThrow(expect.objectContaining({ code: 'state_version' }))
  expect(() => deserialize('null')).toThrow(expect.objectContaining({ code: 'state_version' }))
})

test('the state of a parked run is small', () => {
  const run = simulate(plan([parallel([[task('a')], [event('w', 'paid')]])]))
  run.complete('parallel@0/branch[0]/a')
  expect(serialize(run.state).length).toBeLessThan(2500)
})
