import type { Json } from '@plugwork/core'
import type { Runtime, RunNotice, RunSummary } from '@plugwork/core/node'
import type { Stopping } from '../stopping.ts'

export type StepWait =
  | { readonly kind: 'output'; readonly output: Json }
  /** The run ended without that step. */
  | { readonly kind: 'ended'; readonly summary: RunSummary }
  | { readonly kind: 'timeout' }

/** Waits until a step of a run has its output (`respond: { with_step }`), the run ends, or time is up. */
export async function waitForStep(options: {
  readonly runtime: Runtime
  readonly tenant: string
  readonly runId: string
  /** Id of the step. */
  readonly step: string
  readonly timeoutMs: number
  readonly stopping: Stopping
}): Promise<StepWait> {
  const { runtime, tenant, runId, step, timeoutMs, stopping } = options
  let wake: () => void = () => {}
  let news = new Promise<void>((resolve) => (wake = resolve))
  let late = false
  const stop = () => {
    late = true
    wake()
  }
  const timer = setTimeout(stop, timeoutMs)
  const forget = stopping.onStop(stop)
  const unwatch = runtime.watch((notice) => {
    if (concerns(notice, step)) wake()
  }, runId)
  try {
    // The step may have ended before the watch began, so each round looks before it waits.
    for (;;) {
      const detail = await runtime.get(tenant, runId)
      if (detail === null) return { kind: 'timeout' }
      const trace = detail.steps.find((candidate) => candidate.id === step && candidate.status === 'succeeded')
      if (trace !== undefined) return { kind: 'output', output: trace.output }
      if (detail.finishedAt !== null) return { kind: 'ended', summary: detail }
      if (late) return { kind: 'timeout' }
      await news
      news = new Promise<void>((resolve) => (wake = resolve))
    }
  } finally {
    clearTimeout(timer)
    forget()
    unwatch()
  }
}

function concerns(notice: RunNotice, step: string): boolean {
  return notice.type === 'status' || notice.step.id === step
}
