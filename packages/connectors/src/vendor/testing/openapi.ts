/**
 * Holds exchanges to a vendor's OpenAPI 3.0 description: a request has only documented parameters and a body of its schema, a
 * reply a documented status and a body of its schema.
 */
import { valueValidator, type Json, type JsonObject, type ValueValidator } from '@plugwork/core'
import type { VendorReply, VendorRequest } from './vendor-server.ts'

type Schema = JsonObject

interface Parameter {
  readonly name: string
  readonly in: string
  readonly required?: boolean
  readonly schema: Schema
}

interface Operation {
  readonly operationId: string
  readonly parameters?: readonly (Parameter | { readonly $ref: string })[]
  readonly requestBody?: { readonly required?: boolean; readonly content: Content }
  readonly responses: Readonly<Record<string, { readonly content?: Content } | { readonly $ref: string }>>
}

type Content = Readonly<Record<string, { readonly schema: Schema }>>

/** A description, as far as it is read here. */
export interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly components: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

export interface OpenApiCheck {
  /** What is wrong with an exchange, a sentence each; empty for one that fits. */
  problems(request: VendorRequest, reply: VendorReply): Promise<readonly string[]>
}

/** Reads the description; schemas are compiled when they are first met. */
export function checkAgainst(api: OpenApi, basePath = ''): OpenApiCheck {
  const components = { schemas: convert(api.components['schemas'] as Json) }
  const validators = new Map<Schema, Promise<ValueValidator>>()
  const paths = Object.entries(api.paths)
    .map(([path, methods]) => ({ pattern: patternOf(path), methods, fixed: path.split('{').length }))
    .toSorted((a, b) => a.fixed - b.fixed)

  async function conforms(what: string, schema: Schema, value: Json): Promise<string[]> {
    let validator = validators.get(schema)
    if (validator === undefined) {
      validator = Promise.resolve(valueValidator({ allOf: [convert(schema) as JsonObject], components }))
      validators.set(schema, validator)
    }
    return (await validator)(value).map((problem) => `${what}: ${problem}`)
  }

  // Kinds of components are trusted: the description is a fixture.
  const follow = <T>(value: T | { readonly $ref: string }): T => {
    if (typeof value !== 'object' || value === null || !('$ref' in value)) return value as T
    const [, , kind, name] = value.$ref.split('/')
    return api.components[kind!]![name!] as T
  }

  return {
    async problems(request, reply) {
      const path = request.path.slice(basePath.length)
      const found = paths.find(({ pattern, methods }) => pattern.test(path) && request.method.toLowerCase() in methods)
      if (found === undefined) return [`${request.method} ${path} is not in the description`]
      const operation = found.methods[request.method.toLowerCase()] as Operation
      const what = operation.operationId
      const problems: string[] = []
      const parameters = (operation.parameters ?? []).map((one) => follow<Parameter>(one))
      for (const [name, value] of request.query) {
        const parameter = parameters.find((one) => one.in === 'query' && one.name === name)
        if (parameter === undefined) problems.push(`${what}: the query has ${name}, which is not documented`)
        else problems.push(...(await conforms(`${what} ?${name}`, parameter.schema, typed(value, parameter.schema))))
      }
      for (const { name, in: place, required } of parameters) {
        if (place === 'query' && required === true && !request.query.has(name)) problems.push(`${what}: no ?${name}`)
      }
      const bodySchema = operation.requestBody?.content['application/json']?.schema
      if (request.body.length > 0) {
        if (bodySchema === undefined) problems.push(`${what}: takes no body`)
        else {
          const unknown = Object.keys(request.json).filter((key) => !documents(bodySchema, key))
          if (unknown.length > 0) problems.push(`${what}: the body has ${unknown.join(', ')}, which is not documented`)
          problems.push(...(await conforms(`${what} body`, bodySchema, request.json)))
        }
      } else if (operation.requestBody?.required === true) problems.push(`${what}: needs a body`)
      const response = operation.responses[String(reply.status ?? 200)]
      // Errors that every operation may answer (credentials, limits) are documented outside of the description.
      if (response === undefined) {
        if ((reply.status ?? 200) < 400) problems.push(`${what}: status ${reply.status ?? 200} is not documented`)
      } else {
        const content = follow<{ readonly content?: Content }>(response).content
        const schema = content?.['application/json']?.schema
        if (schema !== undefined) problems.push(...(await conforms(`${what} reply`, schema, reply.body ?? null)))
        else if (reply.body !== undefined) problems.push(`${what}: the reply has a body, which is not documented`)
      }
      return problems
    },
  }

  function documents(schema: Schema, key: string): boolean {
    const real = follow<Schema>(schema as Schema | { $ref: string })
    const variants = [...((real['oneOf'] ?? []) as Schema[]), ...((real['anyOf'] ?? []) as Schema[])]
    const properties = real['properties'] as JsonObject | undefined
    return (properties !== undefined && key in properties) || variants.some((variant) => documents(variant, key))
  }
}

function patternOf(path: string): RegExp {
  const source = path
    .replaceAll(/[.+]/g, '\\$&')
    .replaceAll(/\{path\}/g, '.*')
    .replaceAll(/\{\w+\}/g, '[^/]+')
  return new RegExp(`^${source}$`)
}

function typed(text: string, schema: Schema): Json {
  if (schema['type'] === 'integer' || schema['type'] === 'number') return Number(text)
  if (schema['type'] === 'boolean') return text === 'true'
  return text
}

/**
 * OpenAPI 3.0 as JSON Schema: `nullable` becomes a variant, `oneOf` becomes `anyOf`, because alternatives in descriptions often
 * overlap.
 */
function convert(schema: Json): Json {
  if (Array.isArray(schema)) return schema.map(convert)
  if (typeof schema !== 'object' || schema === null) return schema
  const converted: JsonObject = {}
  for (const [key, value] of Object.entries(schema)) {
    if (key === 'nullable' && typeof value === 'boolean') continue
    if (key === 'discriminator') continue
    converted[key === 'oneOf' ? 'anyOf' : key] = key === 'enum' || key === 'default' ? value : convert(value)
  }
  return schema['nullable'] === true ? { anyOf: [converted, { type: 'null' }] } : converted
}
