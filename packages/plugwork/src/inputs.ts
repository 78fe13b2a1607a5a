/** Inputs of a run from the command line: `-i name=value`, typed by the flow's schemas, and `--inputs FILE`. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Json, JsonObject, JsonSchema, PlanInput } from '@plugwork/core'
import type { Context } from './context.ts'
import { UsageError } from './exit.ts'

export interface InputOptions {
  readonly input: readonly string[]
  readonly inputs?: string
}

/** Reads all inputs; single ones win over the file. What is no value of its type is left to the run's own validation. */
export async function readInputs(
  context: Context,
  options: InputOptions,
  declared: readonly PlanInput[],
): Promise<JsonObject> {
  const inputs = options.inputs === undefined ? {} : await readInputsFile(context, options.inputs)
  for (const pair of options.input) {
    const at = pair.indexOf('=')
    if (at <= 0) throw new UsageError(`The input ${JSON.stringify(pair)} is not name=value.`, 'Write `-i name=value`.')
    const name = pair.slice(0, at)
    const schema = declared.find((input) => input.name === name)?.schema
    inputs[name] = typedValue(name, readValueText(context, name, pair.slice(at + 1)), schema)
  }
  return inputs
}

async function readInputsFile(context: Context, file: string): Promise<JsonObject> {
  const where = file === '-' ? 'The inputs on stdin' : `The inputs file ${file}`
  const text = file === '-' ? await context.readInput() : readFile(context, file, where)
  const value = parseJson(text, where)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UsageError(`${where} must be a JSON object: one key for each input.`)
  }
  return value
}

function readValueText(context: Context, name: string, text: string): string {
  if (text.startsWith('@@')) return text.slice(1)
  return text.startsWith('@') ? readFile(context, text.slice(1), `The file of input ${name}`) : text
}

function readFile(context: Context, file: string, where: string): string {
  try {
    return readFileSync(resolve(context.workingDirectory, file), 'utf8')
  } catch (error) {
    throw new UsageError(`${where} cannot be read: ${(error as Error).message}.`)
  }
}

function parseJson(text: string, where: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch (error) {
    throw new UsageError(`${where} is not JSON: ${(error as Error).message}.`)
  }
}

/** JSON given as an option's value. */
export function jsonOption(name: string, text: string): Json {
  return parseJson(text, `The value of ${name}`)
}

function typedValue(name: string, text: string, schema: JsonSchema | undefined): Json {
  const types = schema === undefined ? [] : typesOf(schema)
  if (types.length === 1 && types[0] === 'string') return text
  if (types.includes('integer') || types.includes('number')) {
    if (text.trim() !== '' && Number.isFinite(Number(text))) return Number(text)
  }
  if (types.includes('boolean') && /^(true|false)$/.test(text)) return text === 'true'
  if (types.includes('null') && text === 'null') return null
  if (types.includes('string')) return text
  if (types.includes('object') || types.includes('array')) return parseJson(text, `Input ${name}`)
  return types.length === 0 ? looseValue(text) : text
}

function typesOf(schema: JsonSchema): readonly string[] {
  const type = schema['type']
  if (typeof type === 'string') return [type]
  if (Array.isArray(type)) return type.map(String)
  const values: unknown[] = Array.isArray(schema['enum']) ? schema['enum'] : 'const' in schema ? [schema['const']] : []
  return [...new Set(values.map((value) => (value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value)))]
}

/** Of an input that may be anything: JSON where it reads as such, else text. */
function looseValue(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch {
    return text
  }
}
