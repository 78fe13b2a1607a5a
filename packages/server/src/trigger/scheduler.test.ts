import { describe, expect, test } from 'vitest'
import type { RunRow } from '@plugwork/core/node'
import { openHarness, until } from '../testing/harness.ts'
import type { Harness, HarnessOptions } from '../testing/harness.ts'
import { ManualClock } from '../testing/manual-clock.ts'

const START = Date.parse('2026-01-01T00:00:30Z')
const MINUTE = 60_000

const flow = (schedule: string, steps = '[{ id: s, set: { at: "${inputs.at}" } }]') => `
flow: Tick
inputs: [{ name: at, type: string }]
triggers: [{ schedule: ${schedule} }]
steps: ${steps}
`
const MINUTELY = '{ cron: "* * * * *", inputs: { at: "${trigger.scheduled_at}" } }'
const minutely = (catchUp: string) =>
  `{ cron: "* * * * *", catch_up: ${catchUp}, inputs: { at: "\${trigger.scheduled_at}" } }`

async function open(source: string, options: HarnessOptions = {}) {
  const clock = new ManualClock(START)
  // Elapsed time follows the clock, unless a test says that the clock was set.
  let offset = 0
  const monotonic = () => clock.time - offset
  const harness = await openHarness({ files: { 'flow.yaml': source }, clock, monotonic, ...options })
  return { harness, clock, monotonic, setClock: (ms: number) => ((clock.time += ms), (offset += ms)) }
}

const runs = async (harness: Harness): Promise<readonly RunRow[]> =>
  (await harness.store.listRuns({ tenant: 'default', flow: 'Tick', limit: 500 })).toReversed()
const times = (rows: readonly RunRow[]) => rows.map((row) => String(row.trigger.scheduled_at).slice(11, 19))

/** Lets timers fire at the time that it is until there are so many runs. */
const reach = (harness: Harness, clock: ManualClock, count: number) =>
  until(
    () => {
      clock.fire()
      return runs(harness)
    },
    (rows) => rows.length >= count,
  )

/** Lets timers fire until the schedule has moved past the present. */
const settled = (harness: Harness, clock: ManualClock) =>
  until(
    async () => {
      clock.fire()
      return (await harness.store.listSchedules())[0]
    },
    (row) => row !== undefined && row.nextAt > clock.time,
  )

const skips = async (harness: Harness) =>
  (await harness.store.eventsAfter('default', null, 0, 100))
    .filter(({ name }) => name.startsWith('plugwork.trigger.'))
    .map(({ name, data }) => ({ name: name.split('.').at(-1), ...(data as object) }))

test('a tick starts a run with its inputs, once, and the next one is stored', async () => {
  const { harness, clock } = await open(flow(MINUTELY))
  await using _ = harness
  clock.time += 30_000
  const [run] = await reach(harness, clock, 1)
  expect(run).toMatchObject({
    inputs: { at: '2026-01-01T00:01:00.000Z' },
    trigger: { kind: 'schedule', index: 0, scheduled_at: '2026-01-01T00:01:00.000Z' },
    idempotencyKey: `schedule:Tick:0:${Date.parse('2026-01-01T00:01:00Z')}`,
  })
  await settled(harness, clock)
  clock.time += MINUTE
  await reach(harness, clock, 2)
  await settled(harness, clock)
  expect(times(await runs(harness))).toEqual(['00:01:00', '00:02:00'])
  const listed = (await harness.request('GET', '/api/v1/schedules')).json()
  expect(listed.schedules).toMatchObject([
    { flow: 'Tick', last_at: '2026-01-01T00:02:00.000Z', next_at: '2026-01-01T00:03:00.000Z' },
  ])
})

describe('after a time in which nothing ran', () => {
  const restarted = async (source: string, ms: number) => {
    const first = await open(source)
    await until(
      () => first.harness.store.listSchedules(),
      (rows) => rows.length === 1,
    )
    await first.harness.close({ keep: true })
    first.clock.time += ms
    const { clock, monotonic } = first
    const harness = await openHarness({ folder: first.harness.folder, clock, monotonic })
    return { harness, clock }
  }

  test('none: leaves out what was missed, and records that', async () => {
    const { harness, clock } = await restarted(flow(minutely('none')), 10 * MINUTE)
    await using _ = harness
    await settled(harness, clock)
    expect(await runs(harness)).toEqual([])
    expect(await skips(harness)).toMatchObject([
      { name: 'skipped', reason: 'missed', from: '2026-01-01T00:01:00.000Z', before: '2026-01-01T00:11:00.000Z' },
    ])
  })

  test('last: starts the newest', async () => {
    const { harness, clock } = await restarted(flow(minutely('last')), 10 * MINUTE)
    await using _ = harness
    await settled(harness, clock)
    expect(times(await runs(harness))).toEqual(['00:10:00'])
  })

  test('all: starts every one, more than a pass takes, in their order', async () => {
    const { harness, clock } = await restarted(flow(minutely('all')), 150 * MINUTE)
    await using _ = harness
    await settled(harness, clock)
    const rows = await runs(harness)
    expect(rows.length).toBe(150)
    expect(times(rows)).toEqual(times(rows).toSorted())
    expect(new Set(times(rows)).size).toBe(150)
  })

  test('a tick whose start was stored before the crash is not started again', async () => {
    const first = await open(flow(minutely('all')))
    const { clock, monotonic } = first
    clock.time += 30_000
    await reach(first.harness, clock, 1)
    const [row] = await until(
      () => first.harness.store.listSchedules(),
      (rows) => rows[0]?.lastAt !== null,
    )
    // As if the process had died between the start and the move of the row.
    await first.harness.store.putSchedule({ ...row!, lastAt: null, nextAt: Date.parse('2026-01-01T00:01:00Z') })
    await first.harness.close({ keep: true })
    clock.time += MINUTE
    await using second = await openHarness({ folder: first.harness.folder, clock, monotonic })
    await settled(second, clock)
    expect(times(await runs(second))).toEqual(['00:01:00', '00:02:00'])
  })
})

test('a machine that slept follows the policy too', async () => {
  const { harness, clock, setClock } = await open(flow(minutely('last')))
  await using _ = harness
  setClock(30 * MINUTE)
  await settled(harness, clock)
  expect(times(await runs(harness))).toEqual(['00:30:00'])
})

test('a clock that was set back neither starts a tick twice nor waits for the old future', async () => {
  const { harness, clock, setClock } = await open(flow(minutely('none')))
  await using _ = harness
  clock.time += 30_000
  await reach(harness, clock, 1)
  await settled(harness, clock)
  const nextAt = async () => {
    clock.fire()
    const { schedules } = (await harness.request('GET', '/api/v1/schedules')).json() as {
      schedules: { next_at: string }[]
    }
    return schedules[0]?.next_at
  }
  expect(await nextAt()).toBe('2026-01-01T00:02:00.000Z')
  setClock(-90_000)
  clock.time += 1_000
  await until(nextAt, (next) => next === '2026-01-01T00:00:00.000Z')
  clock.time = Date.parse('2026-01-01T00:00:00Z')
  await reach(harness, clock, 2)
  await settled(harness, clock)
  clock.time = Date.parse('2026-01-01T00:01:00Z')
  await settled(harness, clock)
  expect(times(await runs(harness))).toEqual(['00:01:00', '00:00:00'])
})

test('max_instances: a tick past it is skipped, and recorded', async () => {
  const { harness, clock } = await open(
    flow('{ cron: "* * * * *", max_instances: 1 }', '[{ id: w, wait: { event: go, timeout: 1h } }]'),
  )
  await using _ = harness
  clock.time += 30_000
  await reach(harness, clock, 1)
  await settled(harness, clock)
  clock.time += MINUTE
  await settled(harness, clock)
  expect(times(await runs(harness))).toEqual(['00:01:00'])
  expect(await skips(harness)).toMatchObject([
    { name: 'skipped', flow: 'Tick', trigger: 0, reason: 'max_instances', scheduled_at: '2026-01-01T00:02:00.000Z' },
  ])
  await harness.request('POST', '/api/v1/events', { name: 'go' })
  await until(
    () => runs(harness),
    (rows) => rows.every((row) => row.finishedAt !== null),
  )
  clock.time += MINUTE
  await reach(harness, clock, 2)
})

test('inputs that do not fit are recorded, and the schedule goes on', async () => {
  // What the checker cannot know: the value of a variable.
  const source = flow('{ cron: "* * * * *", inputs: { at: "${env.KIND == \\"text\\" ? trigger.scheduled_at : 1}" } }')
  const { harness, clock } = await open(source, { mayBeBroken: true })
  await using _ = harness
  clock.time += 30_000
  await settled(harness, clock)
  expect(await skips(harness)).toMatchObject([{ name: 'failed', reason: 'inputs_invalid' }])
})

test('a changed schedule begins anew, a removed one is forgotten', async () => {
  const { harness, clock } = await open(flow(MINUTELY))
  await using _ = harness
  const spec = async () => (await harness.store.listSchedules()).map((row) => row.spec)
  await until(spec, (specs) => specs[0] === '* * * * * UTC')
  await harness.write('flow.yaml', flow('{ cron: "0 5 * * *", timezone: Europe/Berlin }'))
  await until(spec, (specs) => specs[0] === '0 5 * * * Europe/Berlin')
  const [row] = await harness.store.listSchedules()
  expect(new Date(row!.nextAt).toISOString()).toBe('2026-01-01T04:00:00.000Z')
  await harness.request('POST', '/api/v1/flows/Tick/disable')
  await until(spec, (specs) => specs.length === 0)
  clock.fire()
  expect(await runs(harness)).toEqual([])
})
