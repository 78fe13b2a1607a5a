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

function describeAction(connector: Connector, name: string, action: Action): CatalogAction {
  return {
    connector: connector.name,
    name,
    description: action.description,
    input: derive(action.input, 'input', `the input of ${connector.name}.${name}`),
    output: derive(action.output, 'output', `the output of ${connector.name}.${name}`),
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
