/** The inputs that a flow declares. */
import type { Json, JsonSchema } from '../json.ts'
import type { Compilation } from './compilation.ts'
import { INPUT } from './grammar.ts'
import { childPlace, describeValue, listItems, mapEntries, type Place } from './place.ts'
import type { PlanInput } from './plan.ts'
import { readFields } from './read.ts'
import { checkKeyword, normaliseSchema } from './schema-types.ts'

/** Reads `inputs:`. */
export function compileInputs(c: Compilation, place: Place | undefined): PlanInput[] {
  if (place === undefined) return []
  if (!Array.isArray(place.value)) {
    c.report('PW1012', place, `\`inputs\` is a list of \`{ name, type, … }\`, not ${describeValue(place.value)}.`)
    return []
  }
  const inputs: PlanInput[] = []
  for (const item of listItems(place)) {
    const input = compileInput(c, item)
    if (input === undefined) continue
    if (inputs.some((other) => other.name === input.name)) {
      c.report('PW1040', childPlace(item, 'name') ?? item, `There are two inputs \`${input.name}\`.`)
    }
    c.origins.setPlace(input, item)
    inputs.push(input)
  }
  return inputs
}

function compileInput(c: Compilation, place: Place): PlanInput | undefined {
  const fields = readFields(c, place, INPUT, 'an input', { ignore: isKeyword })
  if (fields.name === undefined) return undefined
  const keywords: { [key: string]: unknown } = {}
  for (const [key, child] of mapEntries(place)) {
    if (Object.hasOwn(INPUT, key)) continue
    checkKeyword(c, key, child)
    keywords[key] = child.value
  }
  const type = fields.type
  return {
    name: fields.name,
    schema: normaliseSchema(type === undefined ? keywords : { type, ...keywords }),
    required: fields.required ?? false,
    secret: type === 'secret',
    ...(fields.default === undefined ? {} : { default: asJson(fields.default.value) }),
    ...(fields.description === undefined ? {} : { description: fields.description }),
  }
}

/** A document holds JSON values only: `parse.ts` and `object.ts` see to it. */
const asJson = (value: unknown): Json => value as Json

/** Keywords of JSON Schema that may stand beside `type`. */
const KEYWORDS: ReadonlySet<string> = new Set(
  (
    'enum const title examples format pattern minLength maxLength ' +
    'contentEncoding minimum maximum exclusiveMinimum exclusiveMaximum multipleOf items prefixItems ' +
    'contains minItems maxItems uniqueItems minContains maxContains properties patternProperties ' +
    'additionalProperties propertyNames minProperties maxProperties dependentRequired dependentSchemas unevaluatedProperties unevaluatedItems ' +
    'contentMediaType anyOf oneOf allOf not if then else ' +
    '$defs $ref $comment deprecated contentSchema readOnly writeOnly'
  ).split(' '),
)

const isKeyword = (key: string): boolean => KEYWORDS.has(key)

/** The schema of an object with all inputs, as callers see it. */
export function inputsSchema(inputs: readonly PlanInput[]): JsonSchema {
  return {
    type: 'object',
    properties: Object.fromEntries(inputs.map((input) => [input.name, describedSchema(input)])),
    required: inputs.filter((input) => input.required && input.default === undefined).map((input) => input.name),
    additionalProperties: false,
  }
}

function describedSchema({ schema, secret, description, default: value }: PlanInput): JsonSchema {
  return {
    ...schema,
    ...(description === undefined ? {} : { description }),
    ...(value === undefined ? {} : { default: value }),
    ...(secret ? { 'x-plugwork': 'secret' } : {}),
  }
}
