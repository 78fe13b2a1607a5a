/**
 * A run that takes the process down with it would do so for ever. Crashes are counted before the run's effects begin
 * again, and a run that has seen too many without coming any further is held.
 */
import { inFlight } from '../engine/state.ts'
import type { ErrorInfo } from '../error.ts'
import type { RunActor } from './run-actor.ts'

/** A run may be running during this many crashes in a row. */
const TOLERATED = 3

export function isCrashLoop(crashCount: number): boolean {
  return crashCount > TOLERATED
}

/** So many that reading the run may be what the process dies of. */
export function isUntouchable(crashCount: number): boolean {
  return crashCount > TOLERATED * 2
}

export function crashLoopError(crashCount: number): ErrorInfo {
  return {
    code: 'crash_loop',
    message:
      `The process died ${crashCount} times while it ran this run, so the run is held. Look at what its step does (memory, ` +
      'native code), then resolve the step, cancel the run, or resume it.',
  }
}

/** Holds the steps that were in flight, so that somebody can decide about each. */
export function holdInterrupted(run: RunActor, crashCount: number, now: number): void {
  const { state } = run
  if (state === null) return
  for (const { path, kind } of inFlight(state)) {
    if (kind === 'child') continue
    run.feed({ type: 'hold', at: now, path, reason: 'The process died several times while this step ran.' })
  }
  run.showError(crashLoopError(crashCount))
}
