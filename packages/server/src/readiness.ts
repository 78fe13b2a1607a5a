/** Whether the server can take work: its store takes writes, recovery has been done, and the main loop is not stuck. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Clock, Store } from '@plugwork/core/node'

export interface ReadinessState {
  readonly ready: boolean
  readonly checks: { readonly [name: string]: { readonly ok: boolean; readonly detail?: string } }
}

export interface Readiness {
  check(): Promise<ReadinessState>
  /** Recovery of earlier runs has been scheduled. */
  recovered(): void
  /** The server takes no new work. */
  closing(): void
  close(): void
}

/** How long a store may take for one small write. */
const WRITE_TIMEOUT_MS = 5_000
/** A result is kept this long, so that probes do not become load. */
const KEEP_MS = 1_000
/** A main loop that was held up this long since the last check is not alive enough to take work. */
const MAX_LAG_MS = 2_000
const PROBE_KEY = 'readiness'

export function createReadiness(options: { readonly store: Store; readonly clock: Clock }): Readiness {
  const { store, clock } = options
  const loop = monitorEventLoopDelay({ resolution: 20 })
  loop.enable()
  let recovered = false
  let closing = false
  let lost: string | null = null
  let probe: { readonly until: number; readonly result: Promise<string | null> } | undefined
  store.onLost((reason) => (lost = reason))

  /** Null when the store took a write. */
  const writable = (): Promise<string | null> => {
    const now = clock.now()
    if (probe === undefined || probe.until <= now) probe = { until: now + KEEP_MS, result: write(now) }
    return probe.result
  }

  const write = async (now: number): Promise<string | null> => {
    if (lost !== null) return lost
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<string>((resolve) => {
      timer = setTimeout(resolve, WRITE_TIMEOUT_MS, `a write took longer than ${WRITE_TIMEOUT_MS / 1000} s`)
    })
    const done = store.setMeta(PROBE_KEY, String(now)).then(
      () => null,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    )
    return await Promise.race([done, late]).finally(() => clearTimeout(timer))
  }

  return {
    async check() {
      const problem = await writable()
      const lagMs = loop.max / 1e6
      loop.reset()
      const checks = {
        store: problem === null ? { ok: true } : { ok: false, detail: problem },
        runtime: recovered ? { ok: true } : { ok: false, detail: 'earlier runs are still being taken over' },
        loop: lagMs < MAX_LAG_MS ? { ok: true } : { ok: false, detail: `was held up for ${Math.round(lagMs)} ms` },
        accepting: closing ? { ok: false, detail: 'the server is stopping' } : { ok: true },
      }
      return { ready: Object.values(checks).every(({ ok }) => ok), checks }
    },
    recovered() {
      recovered = true
    },
    closing() {
      closing = true
    },
    close: () => loop.disable(),
  }
}
