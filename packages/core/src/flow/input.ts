/**
 * Validates what comes from outside against schemas of a flow: the inputs of a run before it is accepted, the data of
 * forms and of webhook waits. Plain types are checked by hand; ajv is loaded when a schema has rules beyond them.
 * Messages are sentences that name the input, the rule and the type of the value, never the value.
 */
import type { ErrorObject, ValidateFunction } from 'ajv/dist/2020.js'
import { RE2JS } from 're2js'
import { closest } from '../expression/suggest.ts'
import { setOwn } from '../expression/value.ts'
import type { Json, JsonObject, JsonSchema } from '../json.ts'
import type { Plan, PlanInput } from './plan.ts'

export interface InputProblem {
  readonly input: string
  /** A whole sentence, with the input's name in it. */
  readonly message: string
}

export interface ValidatedInputs {
  /** All inputs of the flow, defaults filled in; what is not given is null. Usable only without problems. */
  readonly inputs: JsonObject
  readonly problems: readonly InputProblem[]
}

/** Validates the inputs of one run. Pure and synchronous. */
export type InputValidator = (given: JsonObject) => ValidatedInputs

/** Every way in which a value breaks a schema, a sentence each; empty when it fits. Pure and synchronous. */
export type ValueValidator = (value: Json) => readonly string[]

/** What is wrong with a value that is there: the value of an input, or data of its own when no input is named. */
type Rule = (value: Json, input?: string) => readonly string[]

const FITS: readonly string[] = []

/**
 * Makes the validator of a plan; keep it as long as the plan. A promise when a schema has rules beyond plain types,
 * because ajv is loaded then.
 */
export function inputValidator(plan: Plan): InputValidator | Promise<InputValidator> {
  const complex = plan.inputs.filter((input) => !input.secret && !isPlain(input.schema))
  if (complex.length === 0) return validatorOf(plan, new Map())
  return loadCompiler().then((compile) =>
    validatorOf(plan, new Map(complex.map(({ name, schema }) => [name, compile(schema)]))),
  )
}

/** Validates the inputs of one run. To validate many, keep the result of `inputValidator`. */
export async function validateInputs(plan: Plan, given: JsonObject): Promise<ValidatedInputs> {
  return (await inputValidator(plan))(given)
}

/**
 * Makes the validator of data that are no input (a form, the body of a webhook wait): the same rules and sentences, with
 * the members of the data in the place of inputs. Keep it as long as the schema. A promise when ajv has to be loaded.
 */
export function valueValidator(schema: JsonSchema): ValueValidator | Promise<ValueValidator> {
  const alone =
    (rule: Rule): ValueValidator =>
    (value) =>
      rule(value)
  if (isPlain(schema)) return alone(plainRule(schema['type']))
  return loadCompiler().then((compile) => alone(compile(schema)))
}

function validatorOf(plan: Plan, compiled: ReadonlyMap<string, Rule>): InputValidator {
  const rules = new Map(plan.inputs.map((input) => [input.name, compiled.get(input.name) ?? ruleOfPlain(input)]))
  return (given) => {
    const problems: InputProblem[] = []
    const inputs: { [name: string]: Json } = {}
    for (const input of plan.inputs) {
      const value = Object.hasOwn(given, input.name) ? (given[input.name] ?? null) : null
      setOwn(inputs, input.name, value ?? input.default ?? null)
      if (value === null) {
        if (input.required && input.default === undefined) {
          problems.push({ input: input.name, message: `\`${input.name}\` is required, but was not given.` })
        }
        continue
      }
      for (const message of rules.get(input.name)?.(value, input.name) ?? FITS) {
        problems.push({ input: input.name, message })
      }
    }
    for (const name of Object.keys(given)) {
      if (!rules.has(name)) problems.push({ input: name, message: unknownInput(plan.flow, name, [...rules.keys()]) })
    }
    return { inputs, problems }
  }
}

function unknownInput(flow: string, name: string, names: readonly string[]): string {
  const near = closest(name, names)
  const known = names.length === 0 ? 'it has none' : `it has ${names.map((each) => `\`${each}\``).join(', ')}`
  const hint = near === undefined ? '' : ` Did you mean \`${near}\`?`
  return `\`${name}\` is not an input of the flow ${flow}; ${known}.${hint}`
}

/** Keywords that say nothing about which values are valid. */
const ANNOTATIONS: ReadonlySet<string> = new Set([
  'title',
  'description',
  'examples',
  'deprecated',
  '$comment',
  'format',
  'x-plugwork',
])

function isPlain(schema: JsonSchema): boolean {
  return Object.entries(schema).every(
    ([key, value]) => ANNOTATIONS.has(key) || (key === 'type' && typeof value === 'string'),
  )
}

function ruleOfPlain({ schema, secret }: PlanInput): Rule {
  return plainRule(secret ? 'string' : schema['type'])
}

function plainRule(type: unknown): Rule {
  if (typeof type !== 'string') return () => FITS
  return (value, input) =>
    hasType(value, type) ? FITS : [`${placeOf([], input)} must be ${inWords(type)}, but is ${kindOf(value)}.`]
}

const WORDS: { readonly [type: string]: string } = {
  string: 'text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  object: 'a map',
  array: 'a list',
  null: 'null',
}

/** A type, or a list of them, as messages call it. */
function inWords(types: unknown): string {
  const words = (Array.isArray(types) ? types : [types]).map((type) => WORDS[String(type)] ?? String(type))
  return words.join(' or ')
}

function hasType(value: Json, type: string): boolean {
  switch (type) {
    case 'integer':
      return Number.isSafeInteger(value)
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value)
    case 'array':
      return Array.isArray(value)
    case 'null':
      return value === null
    default:
      return typeof value === type
  }
}

function kindOf(value: Json): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'number') return Number.isInteger(value) ? 'a whole number' : 'a number'
  return { string: 'text', boolean: 'true or false', object: 'a map' }[typeof value as 'string'] ?? typeof value
}

/** A compiler of schemas with rules beyond plain types. */
async function loadCompiler(): Promise<(schema: JsonSchema) => Rule> {
  const { Ajv2020 } = await import('ajv/dist/2020.js')
  const ajv = new Ajv2020({
    strict: false,
    allErrors: true,
    logger: false,
    validateFormats: false,
    // The flow was checked when it was compiled. To compile the meta-schema would take 20 ms for each plan.
    validateSchema: false,
    meta: false,
    code: { regExp: linearPattern },
  })
  return (schema) => ruleOf(ajv.compile(schema))
}

/** Patterns come from authors and texts from anywhere: they meet on a linear-time engine, never on the host's. */
const linearPattern = Object.assign(
  (pattern: string) => {
    const compiled = RE2JS.compile(pattern)
    // ajv tells patterns apart by their text.
    return { test: (text: string): boolean => compiled.matcher(text).find(), toString: () => pattern }
  },
  { code: 'undefined' },
)

function ruleOf(validate: ValidateFunction): Rule {
  return (value, input) =>
    validate(value) ? FITS : (validate.errors ?? []).map((error) => describe(error, value, input))
}

function describe({ keyword, message, instancePath, params }: ErrorObject, root: Json, input?: string): string {
  const keys = instancePath
    .split('/')
    .slice(1)
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'))
  const value = keys.reduce<Json>((current, key) => memberOf(current, key), root)
  const place = placeOf(keys, input)
  if (keyword === 'required') return `${place} has no \`${String(params['missingProperty'])}\`, which is required.`
  if (keyword === 'additionalProperties') {
    return `${place} has \`${String(params['additionalProperty'])}\`, which is not among its properties.`
  }
  if (keyword === 'type') return `${place} must be ${inWords(params['type'])}, but is ${kindOf(value)}.`
  const rule = message ?? `breaks the rule ${keyword}`
  const allowed: unknown = params['allowedValues']
  const choices = Array.isArray(allowed) ? `: ${allowed.map((each) => JSON.stringify(each)).join(', ')}` : ''
  return `${place} ${rule}${choices}.`
}

/** Where a value is: `order`.lines[0], of an input or of a member of the data; without either, the data. */
function placeOf(keys: readonly string[], input?: string): string {
  const inside = (path: readonly string[]): string =>
    path.map((key) => (/^\d+$/.test(key) ? `[${key}]` : `.${key}`)).join('')
  if (input !== undefined) return `\`${input}\`${inside(keys)}`
  const [first, ...rest] = keys
  return first === undefined || /^\d+$/.test(first) ? `The data${inside(keys)}` : `\`${first}\`${inside(rest)}`
}

function memberOf(value: Json, key: string): Json {
  if (Array.isArray(value)) return value[Number(key)] ?? null
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? (value[key] ?? null) : null
}
