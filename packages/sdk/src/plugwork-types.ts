/** How the actions of the given connectors become methods: `github` with `issues.create` becomes `plug.github.issues.create`. */
import type { z } from 'zod'
import type { Action, Connector } from '@plugwork/core/node'
import type { Connectable, ConnectorOf } from './connectable.ts'

/** For whom something is done. */
export interface OnBehalf {
  /** The user whose connections are used; null acts as the tenant itself. There is no default, so that nobody is forgotten. */
  readonly userId: string | null
  /** Default: `default`. */
  readonly tenantId?: string
}

/** How one action is called, whatever its parameters. */
export interface CallOptions extends OnBehalf {
  /** Name or id of the connection. Default: the user's `default`, or the only one they have. */
  readonly connection?: string
  /** Makes repeating the call safe where the service knows such keys. */
  readonly idempotencyKey?: string
  /** Milliseconds for the call with all its attempts and waits. Default 60,000. */
  readonly timeout?: number
  readonly signal?: AbortSignal
  /** How long the answer may be served again (`30s`), false for never. Reads only. Default: what the action says. */
  readonly cache?: string | false
}

/** What an action that changes something answers to a dry run. */
export interface DryRun {
  readonly dry_run: true
  readonly action: string
  readonly effect: string
}

/** Parameters may be left out where all of them are optional. */
type Params<Input> = Record<never, never> extends Input ? { readonly params?: Input } : { readonly params: Input }

/** One action as a method. */
export type ActionMethod<A extends Action> = <Dry extends boolean = false>(
  call: CallOptions & Params<z.input<A['input']>> & WithDryRun<Dry>,
) => Promise<z.output<A['output']> | (true extends Dry ? DryRun : never)>

export interface WithDryRun<Dry extends boolean> {
  /** Carries out reads only; anything else answers a `DryRun`. */
  readonly dryRun?: Dry
}

type Head<Name> = Name extends `${infer First}.${string}` ? First : Name
type Below<Named, First extends string> = {
  readonly [Name in keyof Named as Name extends `${First}.${infer Rest}` ? Rest : never]: Named[Name]
}

/** Dotted names as nested objects. */
export type ActionMethods<Named> = {
  readonly [First in Head<keyof Named & string>]: (First extends keyof Named
    ? Named[First] extends Action
      ? ActionMethod<Named[First]>
      : never
    : unknown) &
    (keyof Below<Named, First> extends never ? unknown : ActionMethods<Below<Named, First>>)
}

type Named = Pick<Connector, 'name' | 'actions'>

/** The connectors of a list, by name. */
export type ConnectorsByName<Given extends readonly Connectable[]> = {
  readonly [C in ConnectorOf<Given[number]> as C extends Named ? C['name'] : never]: C
}

/** What `plug` has of the given connectors. */
export type Methods<Given extends readonly Connectable[]> = {
  readonly [Name in keyof ConnectorsByName<Given>]: ConnectorsByName<Given>[Name] extends Named
    ? ActionMethods<ConnectorsByName<Given>[Name]['actions']>
    : never
}
