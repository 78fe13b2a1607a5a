/** Opens connections of a database server's connector the way the runtime does, for tests. */
import type { Json, JsonObject, PlugworkError } from '@plugwork/core'
import { createEgress, type Connector, type Egress } from '@plugwork/core/node'
import type { Operation, RunOptions } from '../operation.ts'
import type { ServerClient } from '../server-client.ts'

export interface Harness {
  readonly egress: Egress
  open(config: JsonObject): Promise<ServerClient>
  /** One action with its schemas, as a step runs it. */
  act(client: ServerClient, action: string, input: JsonObject, options?: ActOptions): Promise<JsonObject>
  close(): Promise<void>
}

export interface ActOptions {
  readonly key?: string
  readonly signal?: AbortSignal
  readonly lookup?: boolean
}

export function createHarness(connector: Connector, allow: readonly string[] = ['127.0.0.1']): Harness {
  const egress = createEgress({ allow })
  const clients: ServerClient[] = []
  let keys = 0
  return {
    egress,
    async open(config) {
      const client = (await connector.connect(connector.config.parse(config), {
        name: 'main',
        tenant: 'default',
        egress,
        directory: '/nowhere',
        signal: new AbortController().signal,
        log: () => undefined,
      })) as ServerClient
      clients.push(client)
      return client
    },
    async act(client, name, input, { key, signal, lookup = false } = {}) {
      const action = connector.actions[name]!
      keys += 1
      const context = {
        client,
        connection: 'main',
        egress,
        signal: signal ?? new AbortController().signal,
        idempotencyKey: key ?? `key-${keys}`,
        attempt: 1,
        tenant: 'default',
        log: () => undefined,
      }
      const parsed = action.input.parse(input)
      const result = lookup ? await action.lookup!(context, parsed) : await action.run(context, parsed)
      return (result === null ? null : action.output.parse(result)) as JsonObject
    },
    async close() {
      await Promise.all(clients.map((client) => client.close()))
      await egress.close()
    },
  }
}

export async function failure(promise: Promise<unknown>): Promise<PlugworkError> {
  return promise.then(
    (value) => {
      throw new Error(`was expected to fail, answered ${JSON.stringify(value)}`)
    },
    (error: PlugworkError) => error,
  )
}

/** Rows of a statement outside of the actions. */
export async function rowsOf(client: ServerClient, text: string, params: readonly Json[] = []): Promise<JsonObject[]> {
  const operation: Operation = { kind: 'query', statement: { text, params }, maxRows: 1_000 }
  const options: RunOptions = { signal: new AbortController().signal }
  return ((await client.run(operation, options)) as { rows: JsonObject[] }).rows
}
