import type { z } from 'zod'
import { PlugworkError } from '../error.ts'
import { checkConnector } from './check-connector.ts'
import type { Action, Connector, ConnectorSpec } from './connector.ts'
import type { Trigger } from './trigger.ts'

/** The actions of a connector by name, all for the same handle. */
export type Actions<Handle> = { readonly [name: string]: Action<Handle> }

/** The triggers of a connector by name. */
export type Triggers = { readonly [name: string]: Trigger }

/** A connector that still knows its name, and the types of its config, handle, actions and triggers. */
export type DefinedConnector<
  Config extends z.ZodObject,
  Client,
  Handle,
  Named extends Actions<Handle>,
  Name extends string = string,
  Events extends Triggers = Triggers,
> = Omit<ConnectorSpec<Config, Client, Handle>, 'actions' | 'name' | 'triggers'> & {
  readonly name: Name
  readonly actions: Named
  readonly triggers?: Events
}

/** What an action of a connector takes: `ActionInput<typeof http, 'get'>`. */
export type ActionInput<C extends Pick<Connector, 'actions'>, Name extends keyof C['actions']> = z.input<
  C['actions'][Name]['input']
>

/** What an action of a connector answers. */
export type ActionOutput<C extends Pick<Connector, 'actions'>, Name extends keyof C['actions']> = z.output<
  C['actions'][Name]['output']
>

/**
 * Declares one action. Types flow from its schemas: annotate the context with the connector's handle
 * (`context: ActionContext<Client>`), the input needs no annotation.
 */
export function defineAction<Handle, Input extends z.ZodType, Output extends z.ZodType>(
  action: Action<Handle, Input, Output>,
): Action<Handle, Input, Output> {
  return action
}

/**
 * Declares a connector. The config type comes from its zod schema, the handle's from `acquire` or `connect`, and the
 * actions keep their own. Throws `connector_invalid` that lists everything wrong with the definition.
 */
export function defineConnector<
  Config extends z.ZodObject,
  Client,
  Named extends Actions<Handle>,
  Handle = Client,
  Name extends string = string,
  Events extends Triggers = Triggers,
>(
  spec: DefinedConnector<Config, Client, Handle, Named, Name, Events>,
): DefinedConnector<Config, Client, Handle, Named, Name, Events> {
  const problems = checkConnector(spec)
  if (problems.length > 0) {
    throw new PlugworkError('connector_invalid', `The connector "${spec.name}" is not valid. ${problems.join(' ')}`, {
      data: { connector: spec.name, problems: [...problems] },
    })
  }
  return spec
}
