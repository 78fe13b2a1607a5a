import { expect, test } from 'vitest'
import { waitToken } from './key.ts'
import { deserialize, serialize, wakeAt, waits } from './state.ts'
import { approval, delay, event, loop, parallel, plan, repeat, set, task, until, webhook } from './testing/build.ts'
import { START, simulate } from './testing/simulate.ts'

const outputs = { outputs: { w: '${w}' } }
const at = (offset: number): string => new Date(START + offset).toISOString()

test('a delay parks the run until its time', () => {
  const run = simulate(plan([delay('w', '2h')], outputs))
  expect(run.status).toBe('waiting: timer')
  expect(wakeAt(run.state)).toBe(START + 7_200_000)
  run.pass(7_199_999)
  expect(run.send({ type: 'timer' })).toBe(false)
  run.tick()
  expect(run.outputs).toEqual({ w: { outcome: 'timeout', data: null, actor: null, at: at(7_200_000) } })
})

test('a number is a duration in seconds, and may be computed', () => {
  expect(wakeAt(simulate(plan([delay('w', '${inputs.n * 2}')]), { n: 45 }).state)).toBe(START + 90_000)
})

test('what is no duration is an error', () => {
  expect(simulate(plan([delay('w', 'soon')])).error).toMatchObject({ code: 'bad_duration', step: 'w' })
})

test.each([
  ['2026-01-01T01:00:00Z', 3_600_000],
  ['2026-01-01T02:00:00+01:00', 3_600_000],
  ['2026-01-02', 86_400_000],
  [START + 5, 5],
])('until %s', (time, offset) => {
  expect(wakeAt(simulate(plan([until('w', time)])).state)).toBe(START + offset)
})

test.each(['2026-01-01T01:00:00', 'tomorrow', true])('until %s is an error: it says no time, or no zone', (time) => {
  expect(simulate(plan([until('w', time)])).error).toMatchObject({ code: 'bad_time', step: 'w' })
})

test('a time that has passed does not park the run', () => {
  const run = simulate(plan([until('w', '2020-01-01'), delay('w2', 0), task('a')]))
  expect(run.started()).toEqual(['a'])
})

test('an event wait subscribes, takes the first event that matches, and unsubscribes', () => {
  const run = simulate(plan([event('w', 'paid', { match: 'event.data.id == inputs.id' })], outputs), { id: 7 })
  expect(run.commands).toEqual([{ type: 'subscribe', path: 'w', event: 'paid', since: 'run' }])
  expect(run.status).toBe('waiting: event')
  const offer = (data: { id: number } | null, eventId: number) =>
    run.send({ type: 'event', path: 'w', eventId, name: 'paid', data, publishedAt: run.now })
  expect(offer({ id: 6 }, 1)).toBe(false)
  expect(offer(null, 2)).toBe(false)
  run.pass(1000)
  expect(offer({ id: 7 }, 3)).toBe(true)
  expect(run.commands).toMatchObject([{ type: 'unsubscribe', path: 'w' }, { type: 'finish' }])
  expect(run.outputs).toEqual({ w: { outcome: 'received', data: { id: 7 }, actor: null, at: at(1000) } })
  expect(run.records.at(-1)).toMatchObject({ kind: 'event', path: 'w', completes: true })
})

test('events since the start of the run count, with `since: wait` only later ones', () => {
  const sinceRun = simulate(plan([task('a'), event('w', 'paid')]))
  const sinceWait = simulate(plan([task('a'), event('w', 'paid', { since: 'wait' })]))
  for (const run of [sinceRun, sinceWait]) {
    run.pass(1000)
    run.complete('a')
  }
  const early = { type: 'event', path: 'w', eventId: 1, name: 'paid', data: null, publishedAt: START + 10 } as const
  expect(sinceWait.send(early)).toBe(false)
  expect(sinceRun.send(early)).toBe(true)
  expect(sinceRun.send({ ...early, publishedAt: START - 1 })).toBe(false)
})

test('an iteration of a repeat does not see the event that an earlier one has received', () => {
  const run = simulate(plan([repeat('r', [event('w', 'tick')], { max: 2 })]))
  const offer = (path: string, eventId: number) =>
    run.send({ type: 'event', path, eventId, name: 'tick', data: null, publishedAt: run.now })
  expect(offer('r[0]/w', 5)).toBe(true)
  run.state = deserialize(serialize(run.state))
  expect(offer('r[1]/w', 5)).toBe(false)
  expect(offer('r[1]/w', 6)).toBe(true)
})

test('a wait that nobody answers has the outcome `timeout`', () => {
  const run = simulate(plan([event('w', 'paid', { timeout: '3d' })], outputs))
  run.tick()
  expect(run.outputs?.w).toMatchObject({ outcome: 'timeout', data: null })
  expect(run.commands).toMatchObject([{ type: 'unsubscribe' }, { type: 'finish' }])
})

test('the time-out of the step, unlike that of the wait, is an error', () => {
  const run = simulate(plan([approval('w', { timeoutMs: 1000, timeout: '1h' })]))
  run.tick()
  expect(run.error).toMatchObject({ code: 'timeout', step: 'w' })
})

test('an approval takes decisions, and tells who made them', () => {
  const run = simulate(plan([approval('w', { title: 'Pay ${inputs.n}?' })], outputs), { n: 5 })
  expect(waits(run.state)).toEqual([
    {
      path: 'w',
      kind: 'approval',
      name: 'w',
      since: START,
      until: null,
      event: null,
      title: 'Pay 5?',
      assignees: null,
    },
  ])
  expect(run.status).toBe('waiting: approval')
  run.signal('w', 'received')
  expect(run.status).toBe('waiting: approval')
  run.send({ type: 'signal', id: 'd1', name: 'w', outcome: 'rejected', data: { why: 'no' }, actor: 'ann' })
  expect(run.outputs).toEqual({ w: { outcome: 'rejected', data: { why: 'no' }, actor: 'ann', at: at(0) } })
})

test('signals are kept from the start of the run, first come first served by name, and count once by id', () => {
  const run = simulate(
    plan([task('a'), webhook('w'), webhook('v'), loop('l', '[1, 2]', [webhook('x')], { collect: 'x.data' })], {
      outputs: { w: '${w.data}', v: '${v.data}', x: '${l.results}' },
    }),
  )
  expect(run.signal('x', 'received', 'x1', 'id1')).toBe(true)
  expect(run.signal('x', 'received', 'x1 again', 'id1')).toBe(false)
  run.signal('x', 'received', 'x2', 'id2')
  run.signal('w', 'received', 'w1', 'id3')
  run.state = deserialize(serialize(run.state))
  expect(run.signal('w', 'received', 'w1 again', 'id3')).toBe(false)
  run.complete('a')
  expect(run.status).toBe('waiting: webhook')
  run.signal('v', 'received', 'v1', 'id4')
  expect(run.outputs).toEqual({ w: 'w1', v: 'v1', x: ['x1', 'x2'] })
})

test('of several waits with one name the oldest takes a signal; by path one can be meant', () => {
  const run = simulate(
    plan([loop('l', '[1, 2, 3]', [webhook('w')], { concurrency: 3, collect: 'w.data' })], {
      outputs: { r: '${l.results}' },
    }),
  )
  run.signal('l[1]/w', 'received', 'second')
  run.signal('w', 'received', 'first')
  run.signal('w', 'received', 'third')
  expect(run.outputs).toEqual({ r: ['first', 'second', 'third'] })
})

test('an event wait also takes a signal with the name of the event', () => {
  const run = simulate(plan([event('w', 'paid', { match: 'event.data > 1' })], outputs))
  run.signal('paid', 'received', 1)
  expect(run.status).toBe('waiting: event')
  run.signal('paid', 'received', 2)
  expect(run.outputs?.w).toMatchObject({ outcome: 'received', data: 2 })
})

test('leaving a block cancels its waits and their subscriptions', () => {
  const run = simulate(plan([parallel([[task('a')], [event('w', 'paid')], [delay('d', '1d')]])]))
  run.fail('parallel@0/branch[0]/a')
  expect(run.commands).toMatchObject([{ type: 'unsubscribe', path: 'parallel@0/branch[1]/w' }, { type: 'finish' }])
})

test('timers fire in the order of their times, then of their beginnings, in one decision', () => {
  const run = simulate(plan([loop('l', '[3, 1, 2, 1]', [delay('d', '${item}'), task('t')], { concurrency: 4 })]))
  run.pass(10_000)
  run.state = deserialize(serialize(run.state))
  run.send({ type: 'timer' })
  expect(run.started()).toEqual(['l[1]/t', 'l[3]/t', 'l[2]/t', 'l[0]/t'])
})

test('wait_url: by id, and inside an iteration by path', () => {
  const run = simulate(
    plan(
      [
        set('s', { link: '${wait_url("w")}' }),
        webhook('w'),
        loop('l', '[1]', [set('t', { link: '${wait_url("inner")}' }), webhook('inner')], { collect: 't.link' }),
      ],
      { outputs: { s: '${s.link}', l: '${l.results}' } },
    ),
  )
  run.signal('w')
  run.signal('l[0]/inner')
  const token = (wait: string): string => waitToken('token-of-the-run', wait)
  expect(run.outputs).toEqual({
    s: `http://localhost:7420/resume/run-1/w?token=${token('w')}`,
    l: [`http://localhost:7420/resume/run-1/l%5B0%5D%2Finner?token=${token('l[0]/inner')}`],
  })
})

test('wait_url of a wait that does not exist is an error', () => {
  expect(simulate(plan([set('s', { v: '${wait_url("nothing")}' })])).error).toMatchObject({ code: 'wait_unknown' })
})
