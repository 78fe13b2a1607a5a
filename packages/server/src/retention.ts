/** Deletes ended runs past their retention, hourly and on demand; never twice at once. */
import type { Clock, Runtime } from '@plugwork/core/node'
import type { Log } from './log.ts'

export interface Retention {
  start(): void
  prune(): Promise<{ readonly runs: number; readonly bytesFreed: number }>
  close(): Promise<void>
}

const EVERY_MS = 60 * 60_000
/** The first pass leaves a starting server alone. */
const FIRST_MS = 60_000

export function createRetention(options: {
  readonly runtime: Runtime
  readonly clock: Clock
  /** For flows that do not say themselves; milliseconds. */
  readonly defaultRetentionMs: number
  readonly log: Log
}): Retention {
  const { runtime, clock, defaultRetentionMs, log } = options
  let cancel = () => {}
  let closed = false
  let running: ReturnType<Retention['prune']> | null = null

  const prune = () =>
    (running ??= runtime.prune({ defaultRetentionMs }).finally(() => {
      running = null
    }))

  const pass = async (): Promise<void> => {
    try {
      const { runs, bytesFreed } = await prune()
      if (runs > 0) log.info({ runs, bytesFreed }, 'ended runs past their retention were deleted')
    } catch (error) {
      log.error({ err: error }, 'ended runs could not be deleted; it is tried again in an hour')
    }
    arm(EVERY_MS)
  }

  const arm = (ms: number): void => {
    if (!closed) cancel = clock.at(clock.now() + ms, () => void pass())
  }

  return {
    prune,
    start: () => arm(FIRST_MS),
    async close() {
      cancel()
      closed = true
      await running?.catch(() => {})
    },
  }
}
