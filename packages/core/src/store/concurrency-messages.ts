/**
 * What a store writes of itself when a concurrency key is full, in the transaction that finds it so. Messages and not
 * answers: a process that dies right after the commit must leave nobody waiting for what it would have told.
 */
import type { ErrorInfo } from '../error.ts'
import { parseChildPath } from './child-path.ts'
import type { NewMessage } from './store.ts'

/** Why a child is stored as failed. `holders`: ids of the runs that hold its key. */
export function skippedError(key: string, holders: readonly string[]): ErrorInfo {
  const message = `Concurrency key ${key} is held by ${holders.join(', ')}, and the policy is to skip.`
  return { code: 'concurrency_full', message }
}

/** The dedupe key of a child's end in its parent's inbox: an end counts once, whoever tells of it. */
export function endKey(childId: string): string {
  return `end:${childId}`
}

/** Tells the parent `rid` that its child has ended before it began. */
export function skippedMessage(
  rid: number,
  child: { readonly id: string; readonly parentPath: string; readonly createdAt: number },
  error: ErrorInfo,
): NewMessage {
  const { path, attempt } = parseChildPath(child.parentPath)
  const { code, message } = error
  const payload = { path, attempt, runId: child.id, status: 'failed', error: { code, message } }
  return { rid, kind: 'child_ended', dedupe: endKey(child.id), at: child.createdAt, payload }
}

/**
 * Asks the holder `rid` to cancel, for `when_full: cancel_running`. Once per new run: a holder that could not be cancelled
 * then (it was failing already), and was retried later, is asked anew by the next.
 */
export function replacedMessage(rid: number, by: { readonly id: string; readonly createdAt: number }): NewMessage {
  const payload = { force: false, reason: `replaced by run ${by.id}` }
  return { rid, kind: 'cancel', dedupe: `concurrency:${by.id}`, at: by.createdAt, payload }
}
