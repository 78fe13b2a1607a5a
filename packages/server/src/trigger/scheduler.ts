/**
 * Starts runs by the clock. A schedule is a row: its next tick. A pass starts the runs of all ticks that are due, each
 * under the idempotency key of its tick, and then moves the row on; a crash between the two repeats a start that lands
 * on the same run. What was missed (no process, a suspended machine, a clock that was set) is judged by how late it is.
 */
import type { JsonObject, PlanTrigger } from '@plugwork/core'
import type { Clock, Runtime, RunStatus, ScheduleRow, Store } from '@plugwork/core/node'
import type { FlowRegistry, ServedFlow } from '../flow/registry.ts'
import type { Log } from '../log.ts'
import { jitterOf, planDue, ticksOf } from './due-ticks.ts'
import type { Ticks } from './due-ticks.ts'
import type { Renderer } from './render.ts'
import { settle } from './trigger-record.ts'
import type { RecordTrigger } from './trigger-record.ts'

type ScheduleTrigger = Extract<PlanTrigger, { readonly kind: 'schedule' }>

export interface SchedulerOptions {
  readonly registry: FlowRegistry
  readonly runtime: Runtime
  readonly store: Store
  readonly renderer: Renderer
  readonly record: RecordTrigger
  readonly tenant: string
  readonly clock: Clock
  /** Milliseconds that never jump; tells a clock that was set from time that passed. */
  readonly monotonic: () => number
  readonly log: Log
}

export interface ScheduleState {
  readonly flow: string
  readonly trigger: number
  readonly cron: string
  readonly timezone: string
  readonly lastAt: number | null
  readonly nextAt: number
}

export interface Scheduler {
  /** Reads the rows and begins. */
  start(): Promise<void>
  list(): readonly ScheduleState[]
  /** Ends; a pass under way is waited for. */
  close(): Promise<void>
}

/** How often the clock is compared with the time that passed. */
const LOOK_MS = 1_000
/** A difference between clock and elapsed time that counts as a jump. */
const JUMP_MS = 5_000
const OPEN: readonly RunStatus[] = ['queued', 'running', 'waiting']

interface Entry {
  readonly flow: ServedFlow
  readonly index: number
  readonly trigger: ScheduleTrigger
  readonly spec: string
  readonly ticks: Ticks
  lastAt: number | null
  nextAt: number
  /** Not before this time: the system was full. */
  pausedUntil: number
}

export function createScheduler(options: SchedulerOptions): Scheduler {
  const { registry, runtime, store, renderer, record, tenant, clock, monotonic, log } = options
  let entries = new Map<string, Entry>()
  let cancelTimer = () => {}
  let unfollow = () => {}
  let look: NodeJS.Timeout | undefined
  let closed = false
  let seen = { wall: clock.now(), elapsed: monotonic() }
  // Passes and reloads follow each other: both move rows.
  let work: Promise<void> = Promise.resolve()

  const enqueue = (task: () => Promise<void>): Promise<void> => {
    work = work.then(async () => {
      if (closed) return
      try {
        await task()
      } catch (error) {
        log.error({ err: error }, 'schedules could not be worked on; it is tried again')
      }
    })
    return work
  }

  const save = (entry: Entry): Promise<void> =>
    store.putSchedule({
      tenant,
      flow: entry.flow.name,
      trigger: String(entry.index),
      spec: entry.spec,
      lastAt: entry.lastAt,
      nextAt: entry.nextAt,
    })

  /** Takes the schedules of the flows as they are now; those that are unchanged keep their place. */
  const reload = async (first: boolean): Promise<void> => {
    const rows = new Map((await store.listSchedules()).map((row) => [`${row.flow}/${row.trigger}`, row]))
    const next = new Map<string, Entry>()
    for (const flow of registry.list(tenant)) {
      if (!flow.enabled) continue
      for (const [index, trigger] of flow.plan.triggers.entries()) {
        if (trigger.kind !== 'schedule') continue
        const key = `${flow.name}/${index}`
        const entry = openEntry(flow, index, trigger, rows.get(key))
        if (entry === null) continue
        next.set(key, entry)
        const row = rows.get(key)
        if (row?.spec !== entry.spec || row.nextAt !== entry.nextAt) await save(entry)
        rows.delete(key)
      }
    }
    entries = next
    await forgetRows(rows.values(), first)
  }

  const openEntry = (
    flow: ServedFlow,
    index: number,
    trigger: ScheduleTrigger,
    row: ScheduleRow | undefined,
  ): Entry | null => {
    const { cron, timezone } = trigger
    const spec = `${cron} ${timezone}`
    const ticks = ticksOf(cron, timezone)
    const fresh = ticks.next(clock.now())
    if (fresh === null) return null
    const known = row?.spec === spec ? row : undefined
    // A next tick beyond the clock's own next one was computed while the clock was ahead.
    const nextAt = known === undefined ? fresh : Math.min(known.nextAt, fresh)
    return { flow, index, trigger, spec, ticks, lastAt: known?.lastAt ?? null, nextAt, pausedUntil: 0 }
  }

  /** Rows of flows that are gone. At the start a flow may be missing only because its file has errors just now. */
  const forgetRows = async (rows: Iterable<ScheduleRow>, first: boolean): Promise<void> => {
    const mayReturn = first && registry.fileProblems().some((problem) => problem.severity === 'error')
    for (const row of rows) {
      if (row.tenant === tenant && !(mayReturn && registry.get(tenant, row.flow) === null)) {
        await store.deleteSchedule(tenant, row.flow, row.trigger)
      }
    }
  }

  const pass = async (): Promise<void> => {
    noticeJump()
    const now = clock.now()
    for (const entry of entries.values()) if (entry.pausedUntil <= now) await workOn(entry, now)
  }

  const workOn = async (entry: Entry, now: number): Promise<void> => {
    const { flow, index, trigger } = entry
    const jitter = (tick: number) => jitterOf(`${flow.name}/${index}`, tick, trigger.jitterMs)
    if (entry.nextAt + jitter(entry.nextAt) > now) return
    const { ticks, nextAt } = entry
    const due = planDue({ ticks, nextAt, now, catchUp: trigger.catchUp, jitter, maxJitter: trigger.jitterMs })
    if (due.left !== null) await recordMissed(entry, due.left)
    for (const tick of due.start) {
      const paused = await startTick(entry, tick)
      if (paused !== null) {
        entry.pausedUntil = now + paused * 1000
        entry.nextAt = tick
        return save(entry)
      }
      entry.lastAt = tick
    }
    entry.nextAt = due.next ?? Number.MAX_SAFE_INTEGER
    await save(entry)
    if (due.next !== null && due.next + jitter(due.next) <= now) {
      log.info(
        { flow: flow.name, trigger: index, next: new Date(due.next).toISOString() },
        'a schedule has more to catch up',
      )
    }
  }

  /** Starts the run of a tick. Answers the seconds to wait when the system is full, else null. */
  const startTick = async (entry: Entry, tick: number): Promise<number | null> => {
    const { flow, index, trigger } = entry
    const key = `schedule:${flow.name}:${index}:${tick}`
    const scheduledAt = new Date(tick).toISOString()
    const note = (outcome: 'skipped' | 'failed', reason: string, detail: JsonObject = {}) =>
      record({ outcome, flow: flow.name, index, reason, detail: { scheduled_at: scheduledAt, ...detail }, key })

    if (
      trigger.maxInstances !== undefined &&
      (await openRuns(flow.name, index, trigger.maxInstances)) >= trigger.maxInstances
    ) {
      await note('skipped', 'max_instances', { max_instances: trigger.maxInstances })
      return null
    }
    const facts: JsonObject = { kind: 'schedule', index, scheduled_at: scheduledAt }
    let inputs: JsonObject
    try {
      inputs = renderInputs(entry, facts)
    } catch (error) {
      await note('failed', 'inputs', { message: error instanceof Error ? error.message : String(error) })
      return null
    }
    const settled = settle(
      await runtime.start({ tenant, flow: flow.name, inputs, trigger: facts, idempotencyKey: key }),
    )
    if (settled.kind === 'later') return settled.seconds
    if (settled.kind === 'settled') await note(settled.outcome, settled.reason, settled.detail)
    return null
  }

  const renderInputs = ({ flow, trigger }: Entry, facts: JsonObject): JsonObject => {
    if (trigger.inputs === undefined) return {}
    const context = { tenant, flow: flow.name, now: clock.now(), names: { trigger: facts } }
    return renderer.value(trigger.inputs, context) as JsonObject
  }

  /** Open runs of one trigger, counted up to a limit. */
  const openRuns = async (flow: string, index: number, limit: number): Promise<number> => {
    let count = 0
    let before: number | undefined
    for (;;) {
      const query = { tenant, flow, status: OPEN, limit: 200, ...(before === undefined ? {} : { before }) }
      const rows = await store.listRuns(query)
      count += rows.filter(({ trigger }) => trigger.kind === 'schedule' && trigger.index === index).length
      const last = rows.at(-1)
      if (count >= limit || last === undefined || rows.length < 200) return count
      before = last.rid
    }
  }

  const recordMissed = async ({ flow, index }: Entry, left: { readonly from: number; readonly before: number }) => {
    const detail = { from: new Date(left.from).toISOString(), before: new Date(left.before).toISOString() }
    await record({
      outcome: 'skipped',
      flow: flow.name,
      index,
      reason: 'missed',
      detail,
      key: `missed:${flow.name}:${index}:${left.from}`,
    })
  }

  /** Milliseconds by which the clock moved more (or less) than time passed since it was last looked at. */
  const jumpNow = (): number => clock.now() - seen.wall - (monotonic() - seen.elapsed)

  const hasJumped = (): boolean => {
    if (Math.abs(jumpNow()) >= JUMP_MS) return true
    // Drift adds up to nothing: only a leap between two looks counts.
    seen = { wall: clock.now(), elapsed: monotonic() }
    return false
  }

  const noticeJump = (): void => {
    const wall = clock.now()
    const jump = jumpNow()
    seen = { wall, elapsed: monotonic() }
    if (Math.abs(jump) < JUMP_MS) return
    log.warn(
      { ms: Math.round(jump) },
      jump > 0 ? 'the machine slept or its clock was set forward' : 'the clock was set back',
    )
    // Ticks computed under the old clock may lie far ahead. Those that ran already are protected by their keys.
    if (jump < 0)
      for (const entry of entries.values())
        entry.nextAt = Math.min(entry.nextAt, entry.ticks.next(wall) ?? entry.nextAt)
  }

  /** Sets the timer of the earliest tick. A second one looks at the clock itself: timers do not notice that it was set. */
  const arm = (): void => {
    cancelTimer()
    clearInterval(look)
    look = undefined
    if (closed || entries.size === 0) return
    const now = clock.now()
    let at = Number.POSITIVE_INFINITY
    for (const { flow, index, trigger, nextAt, pausedUntil } of entries.values()) {
      const due = nextAt + jitterOf(`${flow.name}/${index}`, nextAt, trigger.jitterMs)
      at = Math.min(at, Math.max(due, pausedUntil, now))
    }
    const work = () => void enqueue(pass).then(arm)
    cancelTimer = clock.at(at, work)
    look = setInterval(() => {
      if (hasJumped()) work()
    }, LOOK_MS)
  }

  return {
    async start() {
      unfollow = registry.onChange(() => void enqueue(() => reload(false)).then(arm))
      await enqueue(() => reload(true))
      seen = { wall: clock.now(), elapsed: monotonic() }
      arm()
    },
    list: () =>
      Array.from(entries.values(), ({ flow, index, trigger, lastAt, nextAt }) => ({
        flow: flow.name,
        trigger: index,
        cron: trigger.cron,
        timezone: trigger.timezone,
        lastAt,
        nextAt,
      })),
    async close() {
      closed = true
      unfollow()
      cancelTimer()
      clearInterval(look)
      await work
    },
  }
}
