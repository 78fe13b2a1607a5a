/**
 * The part of Standard Schema (https://standardschema.dev, version 1) that tasks use: zod, valibot, arktype and others
 * implement it, so a task may be declared with any of them.
 */
import { PlugworkError } from '../error.ts'
import type { JsonSchema } from '../json.ts'
import type { ProjectErrorCode } from './errors.ts'

export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
    /** Standard JSON Schema: not every library has it. */
    readonly jsonSchema?: {
      readonly input: (options: { readonly target: 'draft-2020-12' }) => Record<string, unknown>
      readonly output: (options: { readonly target: 'draft-2020-12' }) => Record<string, unknown>
    }
  }
}

export type StandardResult<Output> =
  { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly StandardIssue[] }

interface StandardIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

export type InferIn<Schema> = Schema extends StandardSchema<infer Input, unknown> ? Input : never
export type InferOut<Schema> = Schema extends StandardSchema<unknown, infer Output> ? Output : never

/** The JSON Schema of one side of a schema; undefined when its library cannot tell, or cannot put it in JSON Schema. */
export function jsonSchemaOf(schema: StandardSchema, side: 'input' | 'output'): JsonSchema | undefined {
  const render = schema['~standard'].jsonSchema?.[side]
  if (render === undefined) return undefined
  try {
    const { $schema: _, ...rest } = render({ target: 'draft-2020-12' })
    return rest
  } catch {
    // A type that JSON Schema has no word for (a transform's output, a map): values are still validated, types unknown.
    return undefined
  }
}

/** The value as the schema gives it back; throws an error of `code` that names every place that does not fit. */
export function acceptResult<Output>(result: StandardResult<Output>, code: ProjectErrorCode, what: string): Output {
  if (!result.issues) return result.value
  const issues = result.issues.map((issue) => ({ path: pathOf(issue), message: issue.message }))
  const list = issues.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ')
  throw new PlugworkError(code, `${what}: ${list}`, { data: { issues } })
}

function pathOf(issue: StandardIssue): string {
  let path = ''
  for (const segment of issue.path ?? []) {
    const key = typeof segment === 'object' ? segment.key : segment
    path += typeof key === 'number' ? `[${key}]` : path === '' ? String(key) : `.${String(key)}`
  }
  return path
}
