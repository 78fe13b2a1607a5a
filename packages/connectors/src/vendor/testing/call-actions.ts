/** Calls actions of a connector as the runtime does: config and input through the schemas, output checked. */
import { createEgress, type ActionContext, type Connector, type ConnectContext } from '@plugwork/core/node'

export interface Calls {
  /** Runs an action and answers its output. */
  readonly call: (action: string, input: Record<string, unknown>) => Promise<Record<string, unknown>>
  /** All items of a list, page by page, and how many pages there were. */
  readonly all: (action: string, input: Record<string, unknown>) => Promise<{ items: unknown[]; pages: number }>
  readonly test: () => Promise<string>
  readonly close: () => Promise<void>
}

/** Opens a connection to a service on this machine, or a hosted one. */
export async function callActions(
  connector: Connector,
  config: Record<string, unknown>,
  more: Partial<ConnectContext> = {},
): Promise<Calls> {
  const egress = createEgress({ allow: ['127.0.0.1'] })
  const context: ConnectContext = {
    name: 'main',
    tenant: 'default',
    egress,
    directory: '/',
    signal: new AbortController().signal,
    log: () => undefined,
    ...more,
  }
  const client = await connector.connect(connector.config.parse(config), context)
  let count = 0
  const actionContext = (): ActionContext<unknown> => ({
    client,
    connection: 'main',
    egress,
    signal: context.signal,
    idempotencyKey: `key-${(count += 1)}`,
    attempt: 1,
    tenant: 'default',
    log: () => undefined,
  })
  const actionOf = (name: string) => {
    const action = connector.actions[name]
    if (action === undefined) throw new Error(`${connector.name} has no action ${name}`)
    return action
  }
  const call = async (name: string, input: Record<string, unknown>): Promise<Record<string, unknown>> => {
    const action = actionOf(name)
    const output = action.output.parse(await action.run(actionContext(), action.input.parse(input)))
    return output as Record<string, unknown>
  }
  return {
    call,
    async all(name, input) {
      const { pages } = actionOf(name)
      if (pages === undefined) throw new Error(`${name} has no pages`)
      const items: unknown[] = []
      let count = 0
      for (let next: unknown = input; next !== null; count += 1) {
        const output = await call(name, next as Record<string, unknown>)
        items.push(...(output[pages.items] as unknown[]))
        next = pages.next(next, output)
      }
      return { items, pages: count }
    },
    async test() {
      return (await connector.test!(client, context)).message
    },
    async close() {
      await connector.disconnect?.(client)
      await egress.close()
    },
  }
}
