/** A connector for tests of the executor: its actions do what a test says, and count. */
import { z } from 'zod'
import type { Action, ActionContext, Connector } from '../../connector/connector.ts'
import type { Egress } from '../../egress/egress.ts'
import { VirtualClock } from '../../testing/virtual-clock.ts'
import type { ActionConnection, ActionRequest } from '../execute.ts'
import { createExecutor, type Executor, type ExecutorOptions } from '../executor.ts'

export type Behaviour = (context: ActionContext<unknown>, input: { n: number }, call: number) => unknown

export interface Service {
  readonly clock: VirtualClock
  readonly executor: Executor
  readonly connector: Connector
  readonly logs: string[]
  /** Calls of actions' code, `action:n`. */
  readonly calls: string[]
  /** Errors that leases were released with; undefined for success. */
  readonly released: unknown[]
  acquired: number
  request(action: string, more?: Partial<ActionRequest>): ActionRequest
  connection(key: string, more?: Partial<ActionConnection>): ActionConnection
}

const NO_EGRESS = {} as Egress

export function openService(
  behaviour: Behaviour,
  options: Partial<ExecutorOptions> & {
    readonly actions?: Record<string, Partial<Action>>
    readonly connector?: object
  } = {},
): Service {
  const { actions = {}, connector: more = {}, ...executorOptions } = options
  const clock = new VirtualClock()
  const logs: string[] = []
  const calls: string[] = []
  const released: unknown[] = []
  const action = (name: string, rest: Partial<Action>): Action => ({
    description: name,
    input: z.object({ n: z.number().default(1) }).loose(),
    output: z.object({ value: z.unknown() }),
    effect: 'write',
    idempotency: 'none',
    connectionOptional: true,
    run: async (context, input) => {
      calls.push(`${name}:${(input as { n: number }).n}`)
      return { value: await behaviour(context, input as { n: number }, calls.length) }
    },
    ...rest,
  })
  const kinds: Record<string, Partial<Action>> = {
    read: { effect: 'read', idempotency: 'natural' },
    cached: { effect: 'read', idempotency: 'natural', cache: '30s' },
    natural: { idempotency: 'natural' },
    keyed: { idempotency: 'key' },
    none: { idempotency: 'none' },
    destroy: { effect: 'destructive', idempotency: 'natural' },
    ...actions,
  }
  const connector = {
    name: 'svc',
    version: '1.0.0',
    actions: Object.fromEntries(Object.entries(kinds).map(([name, rest]) => [name, action(name, rest)])),
    ...more,
    // What the executor does not read is left out.
  } as unknown as Connector
  const executor = createExecutor({
    clock,
    random: () => 1,
    log: (level, message) => void logs.push(`${level}: ${message}`),
    ...executorOptions,
  })
  const service: Service = {
    clock,
    executor,
    connector,
    logs,
    calls,
    released,
    acquired: 0,
    request: (name, rest = {}) => ({
      tenant: 'acme',
      connector,
      action: name,
      input: {},
      egress: NO_EGRESS,
      connection: service.connection('main'),
      ...rest,
    }),
    connection: (key, rest = {}) => ({
      key,
      name: key,
      acquire: async () => {
        service.acquired++
        return { handle: `handle of ${key}`, release: (error) => void released.push(error) }
      },
      ...rest,
    }),
  }
  return service
}
