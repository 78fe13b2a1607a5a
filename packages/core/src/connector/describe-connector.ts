import { z } from 'zod'
import { PlugworkError } from '../error.ts'
import type { CatalogAction, CatalogConnector } from '../flow/catalog.ts'
import type { JsonSchema } from '../json.ts'
import type { Action, Connector } from './connector.ts'

/**
 * What the checker, editors and forms know of a connector: names and JSON Schemas derived from its zod schemas, with
 * `.meta({ 'x-plugwork': 'sql' | 'path' | 'secret' })` kept. Throws `connector_invalid` for a schema that JSON Schema
 * cannot express. Costs milliseconds per connector; keep the answer.
 */
export function describeConnector(connector: Connector): CatalogConnector {
  return {
    name: connector.name,
    description: connector.description,
    prefixes: connector.prefixes,
    config: derive(connector.config, 'input', `the config of ${connector.name}`),
    actions: Object.entries(connector.actions).map(([name, action]) => describeAction(connector, name, action)),
  }
}

/**
 * The same, each part derived when it is first asked for: a checker looks at the few actions that its flows use. What JSON
 * Schema cannot express is found then only; the contract suite asks for everything.
 */
export function describeLazily(connector: Connector): CatalogConnector {
  const config = once(() => derive(connector.config, 'input', `the config of ${connector.name}`))
  const actions = once(() =>
    Object.entries(connector.actions).map(([name, action]) => describeActionLazily(connector, name, action)),
  )
  return {
    name: connector.name,
    description: connector.description,
    prefixes: connector.prefixes,
    get config() {
      return config()
    },
    get actions() {
      return actions()
    },
  }
}

function describeActionLazily(connector: Connector, name: string, action: Action): CatalogAction {
  const input = once(() => derive(action.input, 'input', `the input of ${connector.name}.${name}`))
  const output = once(() => derive(action.output, 'output', `the output of ${connector.name}.${name}`))
  return {
    ...labelAction(connector, name, action),
    get input() {
      return input()
    },
    get output() {
      return output()
    },
  }
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null
  return () => (made ??= { value: make() }).value
}

function describeAction(connector: Connector, name: string, action: Action): CatalogAction {
  return {
    ...labelAction(connector, name, action),
    input: derive(action.input, 'input', `the input of ${connector.name}.${name}`),
    output: derive(action.output, 'output', `the output of ${connector.name}.${name}`),
  }
}

function labelAction(connector: Connector, name: string, action: Action): Omit<CatalogAction, 'input' | 'output'> {
  return {
    connector: connector.name,
    name,
    description: action.description,
    effect: action.effect,
    idempotency: action.idempotency,
    needsConnection: action.connectionOptional !== true,
    ...(connector.sqlDialect === undefined ? {} : { sqlDialect: connector.sqlDialect }),
    ...(action.lookup === undefined ? {} : { onInterrupt: 'check' as const }),
  }
}

/** The JSON Schema of a zod schema; `what` names it in the error. */
export function derive(schema: z.ZodType, io: 'input' | 'output', what: string): JsonSchema {
  try {
    const { $schema: _, ...derived } = z.toJSONSchema(schema, { io, target: 'draft-2020-12' })
    return derived
  } catch (cause) {
    throw new PlugworkError(
      'connector_invalid',
      `JSON Schema cannot express ${what}: ${cause instanceof Error ? cause.message : String(cause)}. Transforms belong into \`run\`.`,
      { cause },
    )
  }
}
