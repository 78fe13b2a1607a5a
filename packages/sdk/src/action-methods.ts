/** The run-time half of `plug.github.issues.create`: names are looked up when they are called, and unknown ones say so. */
import { sdkError } from './errors.ts'
import type { ActionCall } from './actions.ts'
import type { Providers } from './providers.ts'

type Execute = (connector: string, action: string, call: ActionCall) => Promise<unknown>

/** Names that are asked of any object (by `await`, by printing) and mean no action. */
const ORDINARY: ReadonlySet<string> = new Set([
  'then',
  'toJSON',
  'constructor',
  'toString',
  'valueOf',
  'inspect',
  'nodeType',
  '$$typeof',
  'asymmetricMatch',
])

/** `own` with the connectors beside it. */
export function withMethods<Own extends object>(own: Own, providers: Providers, execute: Execute): Own {
  const made = new Map<string, object>()
  return new Proxy(own, {
    get(target, name, receiver) {
      if (typeof name === 'symbol' || name in target || ORDINARY.has(name)) return Reflect.get(target, name, receiver)
      // Throws for a connector that is not there.
      providers.find(name)
      let methods = made.get(name)
      if (methods === undefined) made.set(name, (methods = methodsOf(name, '', providers, execute)))
      return methods
    },
    has: (target, name) => name in target || (typeof name === 'string' && providers.has(name)),
  })
}

/** What is below a dotted name: a function where it is an action, with further names on it. */
function methodsOf(connector: string, path: string, providers: Providers, execute: Execute): object {
  const call = (options: ActionCall | undefined): Promise<unknown> =>
    execute(connector, path, options ?? missingOptions())
  const made = new Map<string, object>()
  return new Proxy(call, {
    get(target, name, receiver) {
      if (typeof name === 'symbol' || ORDINARY.has(name)) return Reflect.get(target, name, receiver)
      const below = path === '' ? name : `${path}.${name}`
      const known = Object.keys(providers.find(connector).connector.actions)
      if (!known.some((action) => action === below || action.startsWith(`${below}.`))) {
        throw unknownAction(connector, below, known)
      }
      let methods = made.get(name)
      if (methods === undefined) made.set(name, (methods = methodsOf(connector, below, providers, execute)))
      return methods
    },
  })
}

function unknownAction(connector: string, action: string, known: readonly string[]): Error {
  return sdkError(
    'sdk_action_unknown',
    `The connector ${connector} has no action "${action}". It has: ${known.join(', ')}.`,
    {
      data: { connector, action },
    },
  )
}

function missingOptions(): ActionCall {
  throw sdkError('sdk_user_missing', 'The call has no options: give `userId` (or null for the tenant) and `params`.')
}
