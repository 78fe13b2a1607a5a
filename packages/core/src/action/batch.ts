/** Many calls, a few at a time. */
import type { PlugworkError } from '../error.ts'
import { actionError } from './errors.ts'
import type { ActionOutcome, ActionRequest } from './execute.ts'

export interface BatchOptions {
  /** Calls under way at a time. Default 10. */
  readonly concurrency?: number
  /** Aborts calls under way and begins no other; those that did not begin are `action_aborted`. */
  readonly signal?: AbortSignal
}

export type BatchResult =
  | ({ readonly ok: true } & ActionOutcome)
  /** `error` is what the call threw: nearly always a `PlugworkError` with a code. */
  | { readonly ok: false; readonly error: PlugworkError | Error }

export async function runBatch(
  execute: (request: ActionRequest) => Promise<ActionOutcome>,
  requests: Iterable<ActionRequest>,
  { concurrency = 10, signal }: BatchOptions,
): Promise<BatchResult[]> {
  if (!(concurrency >= 1)) {
    throw actionError('action_option_invalid', `The concurrency of a batch is ${concurrency}; give 1 or more.`)
  }
  const all = [...requests]
  const results: BatchResult[] = Array.from({ length: all.length })
  let next = 0
  const work = async (): Promise<void> => {
    while (next < all.length) {
      const index = next++
      results[index] = await one(execute, all[index]!, signal)
    }
  }
  await Promise.all(Array.from({ length: Math.min(Math.floor(concurrency), all.length) }, work))
  return results
}

async function one(
  execute: (request: ActionRequest) => Promise<ActionOutcome>,
  request: ActionRequest,
  signal: AbortSignal | undefined,
): Promise<BatchResult> {
  try {
    if (signal?.aborted) {
      const label = `${request.connector.name}.${request.action}`
      throw actionError('action_aborted', `${label} was not called: its batch was aborted.`, { cause: signal.reason })
    }
    if (signal === undefined) return { ok: true, ...(await execute(request)) }
    return { ok: true, ...(await execute({ ...request, signal: both(request.signal, signal) })) }
  } catch (error) {
    return { ok: false, error: error instanceof Error ? error : new Error(String(error)) }
  }
}

function both(own: ActionRequest['signal'], batch: AbortSignal): AbortSignal {
  if (own === undefined) return batch
  return AbortSignal.any(['onAbort' in own ? own.signal : own, batch])
}
