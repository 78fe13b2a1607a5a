/**
 * What the checker and the compiler know of the world around a flow. Pure data: the shell fills it from connectors,
 * from `tasks.ts` and from the other flows of the project. A missing part (`undefined`) means "not known here": the
 * checker then leaves out what it cannot judge and says so once, it never guesses.
 */
import type { JsonSchema } from '../json.ts'
import type { OnInterrupt } from './plan.ts'

export interface CatalogAction {
  readonly connector: string
  /** Dotted name below the connector: `get`, `issues.create`. */
  readonly name: string
  readonly description: string
  readonly input: JsonSchema
  readonly output: JsonSchema
  readonly effect: 'read' | 'write' | 'destructive'
  /** How repeating it is made safe; `none` under `retry` is a warning. */
  readonly idempotency: 'natural' | 'key' | 'lookup' | 'none'
  readonly needsConnection: boolean
  /** `input` properties that are SQL text or URL paths (schema keyword `x-plugwork`). */
  readonly sqlDialect?: 'sqlite' | 'postgres' | 'mysql'
  readonly onInterrupt?: OnInterrupt
}

export interface CatalogConnector {
  readonly name: string
  readonly description: string
  /** Short prefixes for the underscore spelling: `sqlite_`, `pg_`. */
  readonly prefixes: readonly string[]
  readonly config: JsonSchema
  readonly actions: readonly CatalogAction[]
}

export interface CatalogTask {
  readonly name: string
  /** Absent: types are not known (no TypeScript compiler here, or the function is untyped). */
  readonly input?: JsonSchema
  readonly output?: JsonSchema
  readonly description?: string
}

export interface CatalogFlow {
  readonly name: string
  readonly input: JsonSchema
  readonly output: JsonSchema
}

export interface Catalog {
  readonly connectors: readonly CatalogConnector[]
  readonly tasks?: readonly CatalogTask[]
  readonly flows?: readonly CatalogFlow[]
  /** Names of stored connections that `use:` may name. */
  readonly storedConnections?: readonly string[]
}
