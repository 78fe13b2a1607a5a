/** Opens connections and calls actions as the runtime does, for tests of one connector. */
import type { z } from 'zod'
import type { Action, ConnectContext, Egress } from '@plugwork/core/node'

const NEVER = new AbortController().signal

export function connectContext(egress: Egress, directory: string, name = 'main'): ConnectContext {
  return { name, tenant: 'default', egress, directory, signal: NEVER, log: () => undefined }
}

export interface CallOptions {
  readonly egress: Egress
  readonly signal?: AbortSignal
  readonly idempotencyKey?: string
  readonly connection?: string
}

/** One call of an action with input as an author writes it; its output checked by its schema. */
export async function callAction<Handle, Input extends z.ZodType, Output extends z.ZodType>(
  action: Action<Handle, Input, Output>,
  client: Handle,
  input: z.input<Input>,
  { egress, signal = NEVER, idempotencyKey = 'key', connection = 'main' }: CallOptions,
): Promise<z.output<Output>> {
  const context = {
    client,
    connection,
    egress,
    signal,
    idempotencyKey,
    attempt: 1,
    tenant: 'default',
    log: () => undefined,
  }
  return action.output.parse(await action.run(context, action.input.parse(input)))
}

/** Code of the error that a promise ends with; `no error` when it does not. */
export function codeOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'no error',
    (error: unknown) => (error as { code?: unknown }).code ?? String(error),
  )
}
