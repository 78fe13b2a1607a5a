/**
 * Leaving early. A frame that is left passes that on to what runs below it, and ends when all of that has ended; then
 * the frame above learns of it, and so on upward. What cannot be hurried: `finally` blocks, once they run.
 */
import { assertNever } from '../error.ts'
import { abandonEffect, leaveEffect } from './effects.ts'
import type { Cause, Frame } from './frames.ts'
import { eachChild } from './frames.ts'
import { count, reset } from './live.ts'
import { wake } from './machine.ts'
import type { Machine } from './machine.ts'
import { abandonWait, leaveWait } from './waits.ts'

const CANCELLED: Cause = { kind: 'cancelled', error: null }

/** Leaves a frame for a cause of its own (an error inside, an exit, its time-out), or because it is left from above. */
export function leave(m: Machine, frame: Frame, cause: Cause): void {
  if (frame.outcome !== null) return
  if (frame.leaving !== null) {
    // Left from above while it was being left for a cause of its own: nothing may handle that cause any more.
    if (cause.kind === 'cancelled' && frame.leaving.kind !== 'cancelled') frame.leaving = cause
    else return
  }
  // What is being left cannot run out of its time any more; for an effect the grace takes this place.
  frame.deadline = null
  switch (frame.kind) {
    case 'effect':
      return leaveEffect(m, frame, reasonOf(cause))
    case 'wait':
      return leaveWait(m, frame)
    case 'block':
    case 'loop':
    case 'parallel':
      frame.leaving = cause
      leaveChildren(m, frame)
      // Goes on when it is woken: it ends if nothing is left below.
      return wake(m, frame)
    case 'repeat':
      frame.leaving = cause
      if (frame.phase === 'delay') {
        count(m.live, frame, -1)
        frame.phase = 'after'
        frame.due = null
      }
      leaveChildren(m, frame)
      return wake(m, frame)
    case 'try':
      frame.leaving = cause
      if (frame.phase !== 'finally') leaveChildren(m, frame)
      return
    case 'run':
      frame.leaving = cause
      if (frame.phase === 'steps') leaveChildren(m, frame)
      return
    default:
      return assertNever(frame)
  }
}

/** Leaves everything that runs below a frame. */
export function leaveChildren(m: Machine, frame: Frame): void {
  const running: Frame[] = []
  eachChild(frame, (child) => {
    if (child.outcome === null) running.push(child)
  })
  for (const child of running.toSorted((a, b) => a.serial - b.serial)) leave(m, child, CANCELLED)
}

function reasonOf(cause: Cause): string {
  switch (cause.kind) {
    case 'failed':
      return cause.error.code
    case 'exited':
      return 'exit'
    case 'cancelled':
      return 'cancelled'
  }
}

/** Gives up everything at once: attempts are aborted without grace, no `finally` runs. */
export function abandon(m: Machine): void {
  for (const frame of m.live.pending.values()) {
    if (frame.kind === 'effect') abandonEffect(m, frame)
    else abandonWait(m, frame)
  }
  reset(m.live)
}
