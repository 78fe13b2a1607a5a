import { describe, expect, test } from 'vitest'
import { CATCH_UP_WINDOW_MS, MAX_TICKS, ON_TIME_MS, jitterOf, planDue, ticksOf } from './due-ticks.ts'

const at = (text: string) => Date.parse(text)
const iso = (times: readonly number[]) => times.map((time) => new Date(time).toISOString())
const noJitter = () => 0

describe('ticks', () => {
  test('follow the clock of their time zone across the change to summer time', () => {
    const ticks = ticksOf('30 2 * * *', 'Europe/Berlin')
    const first = ticks.next(at('2026-03-27T12:00:00Z'))!
    // 02:30 does not exist on the 29th in Berlin; the tick comes when the gap ends.
    expect(iso([first, ticks.next(first)!, ticks.next(ticks.next(first)!)!])).toEqual([
      '2026-03-28T01:30:00.000Z',
      '2026-03-29T01:00:00.000Z',
      '2026-03-30T00:30:00.000Z',
    ])
  })

  test('come once in the hour that winter time repeats; those of every hour come in both', () => {
    const daily = ticksOf('30 2 * * *', 'Europe/Berlin')
    const first = daily.next(at('2026-10-24T12:00:00Z'))!
    expect(iso([first, daily.next(first)!])).toEqual(['2026-10-25T00:30:00.000Z', '2026-10-26T01:30:00.000Z'])
    const hourly = ticksOf('30 * * * *', 'Europe/Berlin')
    const seen = [at('2026-10-24T23:30:00Z')]
    for (let count = 0; count < 3; count++) seen.push(hourly.next(seen.at(-1)!)!)
    expect(iso(seen)).toEqual([
      '2026-10-24T23:30:00.000Z',
      '2026-10-25T00:30:00.000Z',
      '2026-10-25T01:30:00.000Z',
      '2026-10-25T02:30:00.000Z',
    ])
  })

  test('every few minutes do not stop at the gap of summer time', () => {
    const ticks = ticksOf('*/20 * * * *', 'America/New_York')
    const seen = [at('2026-03-08T06:40:00Z')]
    for (let count = 0; count < 2; count++) seen.push(ticks.next(seen.at(-1)!)!)
    expect(iso(seen).slice(1)).toEqual(['2026-03-08T07:00:00.000Z', '2026-03-08T07:20:00.000Z'])
  })

  test('take seconds', () => {
    expect(iso([ticksOf('*/15 * * * * *', 'UTC').next(at('2026-01-01T00:00:01Z'))!])).toEqual([
      '2026-01-01T00:00:15.000Z',
    ])
  })

  test('the last one at a time is that very time when it is a tick', () => {
    const ticks = ticksOf('0 * * * *', 'UTC')
    expect(iso([ticks.last(at('2026-01-01T05:00:00Z'))!, ticks.last(at('2026-01-01T04:59:59Z'))!])).toEqual([
      '2026-01-01T05:00:00.000Z',
      '2026-01-01T04:00:00.000Z',
    ])
  })
})

describe('planDue', () => {
  const hourly = ticksOf('0 * * * *', 'UTC')
  const nextAt = at('2026-01-01T01:00:00Z')
  const plan = (now: string, catchUp: 'none' | 'last' | 'all') =>
    planDue({ ticks: hourly, nextAt, now: at(now), catchUp, jitter: noJitter, maxJitter: 0 })

  test('starts a tick that is on time under every policy', () => {
    for (const catchUp of ['none', 'last', 'all'] as const) {
      const { start, left, next } = plan('2026-01-01T01:00:00.500Z', catchUp)
      expect([iso(start), left, iso([next!])]).toEqual([
        ['2026-01-01T01:00:00.000Z'],
        null,
        ['2026-01-01T02:00:00.000Z'],
      ])
    }
  })

  test('starts nothing before the time', () => {
    expect(plan('2026-01-01T00:59:59.999Z', 'all')).toEqual({ start: [], left: null, next: nextAt })
  })

  test('none: leaves out what was missed and says so', () => {
    const { start, left, next } = plan('2026-01-01T04:30:00Z', 'none')
    expect(start).toEqual([])
    expect(left).toEqual({ from: nextAt, before: at('2026-01-01T05:00:00Z') })
    expect(iso([next!])).toEqual(['2026-01-01T05:00:00.000Z'])
  })

  test('none: a restart within the grace loses no tick', () => {
    const { start, left } = planDue({
      ticks: hourly,
      nextAt,
      now: nextAt + ON_TIME_MS,
      catchUp: 'none',
      jitter: noJitter,
      maxJitter: 0,
    })
    expect(iso(start)).toEqual(['2026-01-01T01:00:00.000Z'])
    expect(left).toBeNull()
  })

  test('last: starts the newest missed tick only, however long ago it was', () => {
    const { start, left, next } = plan('2026-03-01T04:30:00Z', 'last')
    expect(iso(start)).toEqual(['2026-03-01T04:00:00.000Z'])
    expect(left).toEqual({ from: nextAt, before: at('2026-03-01T04:00:00Z') })
    expect(iso([next!])).toEqual(['2026-03-01T05:00:00.000Z'])
  })

  test('all: starts every missed tick, oldest first', () => {
    const { start, left } = plan('2026-01-01T04:30:00Z', 'all')
    expect(iso(start).map((time) => time.slice(11, 13))).toEqual(['01', '02', '03', '04'])
    expect(left).toBeNull()
  })

  test('all: bounded by the window', () => {
    const now = at('2026-01-05T00:30:00Z')
    const { start, left } = planDue({ ticks: hourly, nextAt, now, catchUp: 'all', jitter: noJitter, maxJitter: 0 })
    expect(start).toHaveLength(24)
    expect(start[0]).toBeGreaterThanOrEqual(now - CATCH_UP_WINDOW_MS)
    expect(left).toEqual({ from: nextAt, before: start[0] })
  })

  test('all: bounded per pass; the next pass goes on where this one ended', () => {
    const minutely = ticksOf('* * * * *', 'UTC')
    const now = nextAt + 250 * 60_000
    const first = planDue({ ticks: minutely, nextAt, now, catchUp: 'all', jitter: noJitter, maxJitter: 0 })
    const second = planDue({
      ticks: minutely,
      nextAt: first.next!,
      now,
      catchUp: 'all',
      jitter: noJitter,
      maxJitter: 0,
    })
    expect(first.start).toHaveLength(MAX_TICKS)
    expect(second.start[0]).toBe(first.start.at(-1)! + 60_000)
  })

  test('jitter delays a tick and is the same when computed again', () => {
    const jitter = (tick: number) => jitterOf('flow/0', tick, 30_000)
    const delay = jitter(nextAt)
    expect(delay).toBe(jitterOf('flow/0', nextAt, 30_000))
    expect(delay).toBeGreaterThan(0)
    expect(delay).toBeLessThanOrEqual(30_000)
    const due = (now: number) =>
      planDue({ ticks: hourly, nextAt, now, catchUp: 'none', jitter, maxJitter: 30_000 }).start
    expect(due(nextAt + delay - 1)).toEqual([])
    expect(due(nextAt + delay)).toEqual([nextAt])
  })
})
