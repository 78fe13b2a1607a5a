import { PlugworkError } from '../error.ts'
import { createExecutor } from '../action/executor.ts'
import { systemClock } from '../clock.ts'
import { Connections } from './connections.ts'
import { Control } from './control.ts'
import { Effects } from './effects.ts'
import { forkRun } from './fork.ts'
import { Ids } from './ids.ts'
import { InputChecker } from './inputs.ts'
import { KeyRing, singleKey } from './key-ring.ts'
import { inspectRun, verifyRun, wholeRow } from './inspection.ts'
import { Programs } from './programs.ts'
import { prune } from './retention.ts'
import type { RunSummary, Runtime, RuntimeOptions } from './runtime.ts'
import { Secrets } from './secrets.ts'
import { SignalBuffer } from './signal-buffer.ts'
import { Starter } from './start.ts'
import { StateReader } from './state-reader.ts'
import { TERMINAL, type RunRow } from '../store/store.ts'
import { isResting, rowSummary } from './summary.ts'
import { Waiters } from './waiters.ts'
import { Worker } from './worker.ts'

const DEFAULT_MAX_ACTIVE = 1_000
const DEFAULT_MAX_OPEN = 100_000
/** How long runs may take to be stored when the process stops. */
const EVICT_MS = 5_000
/** How often somebody's wait for a run of another process looks at it, in ms. */
const LOOK_MS = 500

/** Makes the runtime of a process on a store that it owns. Nothing happens before `open`. */
export function createRuntime(options: RuntimeOptions): Runtime {
  const { store, blobs, egress, connectors, definitions } = options
  const keys = options.key instanceof KeyRing ? options.key : singleKey(options.key)
  const clock = options.clock ?? systemClock
  const log = options.log.bind(options)
  const secrets = new Secrets(definitions, keys)
  const connections = new Connections({
    connectors,
    definitions,
    secrets,
    egress,
    clock,
    stored: options.storedConnections,
    log,
  })
  const { intercept } = options
  const executor = options.executor ?? createExecutor({ clock, log })
  const effects = new Effects({
    definitions,
    connections,
    secrets,
    egress,
    executor,
    clock,
    ...(intercept && { intercept }),
  })
  const programs = new Programs(store, definitions, clock)
  const inputs = new InputChecker()
  const { baseUrl } = options
  const factory = {
    ids: new Ids(),
    keys,
    baseUrl: typeof baseUrl === 'string' ? () => baseUrl : baseUrl,
    version: options.version,
    definitions,
  }
  const worker = new Worker({
    store,
    blobs,
    clock,
    effects,
    programs,
    inputs,
    factory,
    maxActive: options.maxActive ?? DEFAULT_MAX_ACTIVE,
    ownOnly: options.takeOver === 'named',
    log,
  })
  let eventMark = 0
  const starter = new Starter({
    worker,
    programs,
    inputs,
    factory,
    blobs,
    maxOpen: options.maxOpen ?? DEFAULT_MAX_OPEN,
    eventMark: () => eventMark,
  })
  const states = new StateReader({ store, blobs, programs, worker })
  const signals = new SignalBuffer({ store, blobs, programs, worker })
  const control = new Control({ store, worker, programs, inputs, states, signals })
  const inspection = { store, blobs, programs }

  const waiters = new Waiters()
  store.onLost((reason) => {
    const message = `This process has lost its store: ${reason}. What it was doing goes on in the process that has it now.`
    log('error', message)
    effects.dropAll(message)
    worker.dropAll(message)
    waiters.end(new PlugworkError('store_lost', message, { retryable: true }))
    options.onLost?.(reason)
  })

  /** Resolves when time is up; `cancel` when nobody waits any more. */
  const after = (ms: number): { readonly promise: Promise<void>; readonly cancel: () => void } => {
    const { promise, resolve } = Promise.withResolvers<void>()
    return { promise, cancel: clock.at(clock.now() + ms, resolve) }
  }

  /** Gives what runs its grace. */
  const untilIdle = async (graceMs: number): Promise<void> => {
    if (graceMs <= 0) return
    const timeout = after(graceMs)
    await Promise.race([effects.whenIdle(), timeout.promise]).finally(timeout.cancel)
  }

  /** Stores where every run stands. A store that does not answer is not waited for long, in real time. */
  const evictAll = async (): Promise<void> => {
    const patience = Promise.withResolvers<void>()
    const timer = setTimeout(patience.resolve, EVICT_MS)
    await Promise.race([worker.evictAll(), patience.promise]).finally(() => clearTimeout(timer))
  }

  const summary = async (tenant: string, id: string): Promise<RunSummary | null> => {
    const row = await store.findRun(tenant, id)
    return row === null ? null : rowSummary(await wholeRow(row, blobs))
  }

  /** Looks now and then at a run that another process may work on; nobody here is told of what happens to it there. */
  const lookElsewhere = (rid: number, seen: (row: RunRow) => void | Promise<void>): (() => void) => {
    if (store.isElsewhere === undefined) return () => undefined
    let stop = (): void => undefined
    let stopped = false
    const look = async (): Promise<void> => {
      const row = worker.isHere(rid) ? null : await store.getRun(rid)
      if (row !== null) await seen(row)
    }
    const next = (): void => {
      if (stopped) return
      // A store that cannot be read now is read again.
      stop = clock.at(clock.now() + LOOK_MS, () => void look().then(next, next))
    }
    next()
    return () => {
      stopped = true
      stop()
    }
  }

  /** A run that is not in memory may have ended already. */
  const endedBefore = async (rid: number, resolve: (summary: RunSummary) => void): Promise<void> => {
    const row = await store.getRun(rid)
    if (row === null) throw new PlugworkError('run_unknown', `There is no run ${rid}; it may have been pruned.`)
    if (row.finishedAt !== null) resolve(rowSummary(await wholeRow(row, blobs)))
  }

  return {
    async open() {
      eventMark = await store.lastEventId()
      await worker.open()
    },
    start: (request) => starter.start(request),
    adopt: (tenant, id) => control.adopt(tenant, id),

    async wait(tenant, id, timeoutMs) {
      const rested = Promise.withResolvers<void>()
      const unwatch = worker.observers.watchStatus(id, (status, reason) => {
        if (isResting(status, reason)) rested.resolve()
      })
      try {
        const row = await store.findRun(tenant, id)
        if (row === null || timeoutMs <= 0) return await summary(tenant, id)
        // A parked run that is being brought back has been sent something, which may move it on.
        const rests = isResting(row.status, row.reason) && (TERMINAL.has(row.status) || !worker.isHere(row.rid))
        if (rests) return rowSummary(await wholeRow(row, blobs))
        const timeout = after(timeoutMs)
        const stopLooking = lookElsewhere(row.rid, (now) => {
          if (isResting(now.status, now.reason)) rested.resolve()
        })
        await waiters
          .wait<void>((resolve) => Promise.race([rested.promise, timeout.promise]).then(resolve))
          .finally(() => {
            timeout.cancel()
            stopLooking()
          })
        return await summary(tenant, id)
      } finally {
        unwatch()
      }
    },

    finished(rid) {
      const recent = worker.ends.recent(rid)
      if (recent !== null) return Promise.resolve(recent)
      let stopLooking = (): void => undefined
      return waiters
        .wait<RunSummary>((resolve) => {
          worker.ends.wait(rid, resolve)
          stopLooking = lookElsewhere(rid, () => endedBefore(rid, resolve))
          if (worker.find(rid) === null) return endedBefore(rid, resolve)
        })
        .finally(() => stopLooking())
    },

    get: (tenant, id) => inspectRun(inspection, tenant, id),
    cancel: (...request) => control.cancel(...request),
    retry: (...request) => control.retry(...request),
    resolve: (...request) => control.resolve(...request),
    signal: (...request) => control.signal(...request),
    resumeToken: (...request) => control.resumeToken(...request),

    async replay(tenant, id, request) {
      const row = await store.findRun(tenant, id)
      return row === null ? { kind: 'not_found' } : forkRun({ store, blobs, programs, inputs, starter }, row, request)
    },

    async publish(tenant, { name, data, key: dedupe }) {
      const event = { tenant, name, data, at: clock.now(), ...(dedupe === undefined ? {} : { key: dedupe }) }
      const { id, waiting } = await store.publish(event)
      eventMark = Math.max(eventMark, id)
      for (const { rid } of waiting) worker.wake(rid)
      return { id }
    },

    watch: (listener, runId) => worker.observers.watch(listener, runId),

    async verify(tenant, id) {
      const row = await store.findRun(tenant, id)
      return row === null ? [`there is no run ${id}`] : verifyRun(inspection, row)
    },

    prune: (policy) => prune({ store, blobs, clock, definitions }, policy),

    stats: () => ({
      active: worker.active,
      queued: worker.queued,
      open: worker.active + worker.queued,
      effects: effects.running,
      stepsTotal: worker.steps,
      runsTotal: { ...worker.ends.counts },
    }),

    async stop(graceMs) {
      worker.drain()
      await untilIdle(graceMs)
      const unfinished = worker.active
      effects.dropAll('The process is stopping.')
      await evictAll()
      worker.dropAll('The process is stopping.')
      waiters.end(
        new PlugworkError('stopping', 'The process stops; the run goes on with the next one.', { retryable: true }),
      )
      await connections.close()
      return { unfinished }
    },
  }
}
