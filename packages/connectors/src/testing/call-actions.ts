/** Calls a connector's actions as the runtime does, through their schemas, for the tests of connectors. */
import { PlugworkError, type Json, type JsonObject } from '@plugwork/core'
import { createEgress, type ActionContext, type Connector, type Egress } from '@plugwork/core/node'

export interface CallOptions {
  readonly signal?: AbortSignal
}

export interface Caller<Client> {
  readonly client: Client
  call(action: string, input: object, options?: CallOptions): Promise<JsonObject>
  /** What `test` of the connector says. */
  test(): Promise<string>
  close(): Promise<void>
}

export interface CallerOptions {
  /** `PLUGWORK_EGRESS_ALLOW`. Default: this machine. */
  readonly allow?: readonly string[]
  readonly directory?: string
  readonly signal?: AbortSignal
}

let calls = 0

/** Connects under the name `main`. Throws what connecting throws. */
export async function openCaller<Client>(
  connector: Connector,
  config: object,
  { allow = ['127.0.0.1', 'localhost'], directory = '.', signal = new AbortController().signal }: CallerOptions = {},
): Promise<Caller<Client>> {
  const egress: Egress = createEgress({ allow })
  const log = (): void => undefined
  const connect = { name: 'main', tenant: 'default', egress, directory, signal, log }
  const client = await connector.connect(connector.config.parse(config), connect).catch(async (error: unknown) => {
    await egress.close()
    throw error
  })
  return {
    // The connector's own client; what it is, the caller of this function knows.
    client: client as Client,
    async call(name, input, options = {}) {
      const action = connector.actions[name]
      if (action === undefined) throw new Error(`${connector.name} has no action ${name}`)
      calls += 1
      const context: ActionContext<unknown> = {
        client,
        connection: 'main',
        egress,
        signal: options.signal ?? new AbortController().signal,
        idempotencyKey: `call-${calls}`,
        attempt: 1,
        tenant: 'default',
        log,
      }
      return action.output.parse(await action.run(context, action.input.parse(input))) as JsonObject
    },
    test: async () => (await connector.test!(client, connect)).message,
    async close() {
      await connector.disconnect?.(client)
      await egress.close()
    },
  }
}

/** The error with which something fails; anything but an error of the product is thrown on. */
export async function failureOf(promise: Promise<unknown>): Promise<PlugworkError> {
  const error: unknown = await promise.then(
    (value) => new Error(`it was expected to fail and answered ${JSON.stringify(value as Json)}`),
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof PlugworkError)) throw error
  return error
}
