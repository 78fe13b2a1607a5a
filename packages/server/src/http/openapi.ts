/** The OpenAPI 3.1 document, derived from the routes' own schemas. */
import { z } from 'zod'
import { PERMISSIONS } from '../auth/permission.ts'
import { errorSpec } from '../errors.ts'
import type { ErrorTables } from '../errors.ts'
import { problemSchema } from './problem.ts'
import type { Answer, Route } from './route.ts'

type JsonObject = { [key: string]: unknown }

export interface OpenApiOptions {
  readonly version: string
  readonly baseUrl: () => string
  readonly errorTables: ErrorTables
}

/** The document of all routes that are not hidden. */
export function openApiDocument(routes: readonly Route[], options: OpenApiOptions): JsonObject {
  const components: JsonObject = {}
  const schema = (type: z.ZodType, io: 'input' | 'output') => hoist(type, io, components)
  schema(problemSchema, 'output')
  const paths: Record<string, JsonObject> = {}
  for (const route of routes.filter((candidate) => candidate.hidden !== true)) {
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}')
    const item = (paths[path] ??= {})
    item[route.method.toLowerCase()] = operation(route, schema, options.errorTables)
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Plugwork',
      version: options.version,
      description:
        'Flows, runs, events. Errors are RFC 9457 problem documents with a stable `code`. Webhooks of flows are at the ' +
        'addresses that the flows name below `/webhooks/` and are not part of this document.',
    },
    servers: [{ url: options.baseUrl() }],
    tags: [...new Set(routes.filter((route) => route.hidden !== true).map((route) => route.tag))].map((name) => ({
      name,
    })),
    security: [{ bearer: [] }],
    paths,
    components: {
      schemas: components,
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: `A token. Its permissions: ${Object.entries(PERMISSIONS)
            .map(([name, meaning]) => `\`${name}\`: ${meaning}`)
            .join(' ')}`,
        },
      },
    },
  }
}

function operation(
  route: Route,
  schema: (type: z.ZodType, io: 'input' | 'output') => unknown,
  errorTables: ErrorTables,
): JsonObject {
  const { method, path, permission, tag, summary, description, answers } = route
  const access = permission === 'public' ? 'Needs no token.' : `Needs the permission \`${permission}\`.`
  return {
    operationId: operationId(method, path),
    tags: [tag],
    summary,
    description: description === undefined ? access : `${description} ${access}`,
    'x-permission': permission,
    ...(permission === 'public' ? { security: [] } : {}),
    parameters: [...parameters(route.params, 'path', schema), ...parameters(route.query, 'query', schema)],
    ...(route.body === undefined ? {} : { requestBody: requestBody(route.body, schema) }),
    responses: {
      ...Object.fromEntries(Object.entries(answers).map(([status, answer]) => [status, response(answer, schema)])),
      ...problemResponses(route, errorTables),
    },
  }
}

function operationId(method: string, path: string): string {
  const words = path.split('/').filter((part) => part !== '' && part !== 'api' && part !== 'v1')
  return [method.toLowerCase(), ...words.map((word) => word.replace(/^:/, 'by-').replace(/\W+/g, '-'))].join('-')
}

function parameters(
  type: z.ZodType | undefined,
  place: 'path' | 'query',
  schema: (type: z.ZodType, io: 'input' | 'output') => unknown,
): JsonObject[] {
  if (!(type instanceof z.ZodObject)) return []
  return Object.entries(type.shape as Record<string, z.ZodType>).map(([name, field]) => {
    const { description, ...rest } = schema(field, 'input') as JsonObject
    return {
      name,
      in: place,
      required: place === 'path' || !field.safeParse(undefined).success,
      ...(description === undefined ? {} : { description }),
      schema: rest,
    }
  })
}

function requestBody(body: NonNullable<Route['body']>, schema: (type: z.ZodType, io: 'input' | 'output') => unknown) {
  const types = body.types ?? ['application/json']
  const content = body.schema === undefined ? { schema: { type: 'string' } } : { schema: schema(body.schema, 'input') }
  return { required: body.optional !== true, content: Object.fromEntries(types.map((type) => [type, content])) }
}

function response(answer: Answer, schema: (type: z.ZodType, io: 'input' | 'output') => unknown): JsonObject {
  if (answer.schema !== undefined) {
    return {
      description: answer.description,
      content: { 'application/json': { schema: schema(answer.schema, 'output') } },
    }
  }
  if (answer.type === undefined) return { description: answer.description }
  return { description: answer.description, content: { [answer.type]: { schema: { type: 'string' } } } }
}

/** Problem documents by status, with the codes that a route may answer. */
function problemResponses(route: Route, errorTables: ErrorTables): JsonObject {
  const usual = route.permission === 'public' ? [] : ['unauthenticated', 'forbidden']
  const checked = route.params === undefined && route.query === undefined && route.body === undefined
  const codes = [...usual, ...(checked ? [] : ['request_invalid']), ...(route.problems ?? [])]
  const byStatus = new Map<number, string[]>()
  for (const code of codes) {
    const status = errorSpec(errorTables, code)?.status ?? 500
    byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  const content = { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } }
  return Object.fromEntries(
    Array.from(byStatus, ([status, names]) => [
      String(status),
      { description: `Codes: ${names.map((name) => `\`${name}\``).join(', ')}.`, content },
    ]),
  )
}

/** The schema of a type, its named parts moved to the document's components. */
function hoist(type: z.ZodType, io: 'input' | 'output', components: JsonObject): unknown {
  const {
    $schema: _,
    $defs = {},
    ...root
  } = z.toJSONSchema(type, {
    io,
    unrepresentable: 'any',
    override: ({ jsonSchema }) => {
      // The format says it; the pattern that zod adds is a screenful.
      if (jsonSchema.format === 'date-time' || jsonSchema.format === 'date') delete jsonSchema.pattern
    },
  }) as JsonObject & { $defs?: JsonObject }
  for (const [name, part] of Object.entries($defs)) components[name] = rewrite(part)
  return rewrite(root)
}

function rewrite(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(rewrite)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== 'id' || typeof (value as JsonObject).id !== 'string')
      .map(([key, member]) => [
        key,
        key === '$ref' && typeof member === 'string'
          ? member.replace('#/$defs/', '#/components/schemas/')
          : rewrite(member),
      ]),
  )
}
