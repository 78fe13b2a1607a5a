/** `plugwork eval`: evaluates an expression as a step would. */
import {
  compile,
  compileTemplate,
  ExpressionError,
  parseCondition,
  parseExpression,
  parseTemplate,
} from '@plugwork/core'
import type { Evaluator, Scope, Value } from '@plugwork/core'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Context } from '../context.ts'
import { EXIT, UsageError } from '../exit.ts'

export interface EvalOptions {
  readonly data?: string
  readonly condition?: boolean
  readonly json?: boolean
}

export async function evaluate(context: Context, source: string, options: EvalOptions): Promise<number> {
  const data = options.data === undefined ? {} : readData(await readDocument(context, options.data), options.data)
  try {
    const value = compileSource(source, options.condition === true)(createScope(data))
    if (options.json) context.json(value)
    else context.print(typeof value === 'string' ? value : JSON.stringify(value, null, 2))
    return EXIT.done
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error
    const { code, message, start, end } = error
    if (options.json) context.json({ error: { code, message, ...(start === undefined ? {} : { start, end }) } })
    for (const line of describe(context, source, error)) context.note(line)
    return EXIT.failed
  }
}

/** Text with `${…}` is read as the value of a step's key, text without as the expression itself. */
function compileSource(source: string, condition: boolean): Evaluator {
  if (condition) return compile(parseCondition(source))
  return source.includes('${') ? compileTemplate(parseTemplate(source)) : compile(parseExpression(source))
}

async function readDocument(context: Context, file: string): Promise<string> {
  if (file === '-') return context.readInput()
  try {
    return readFileSync(resolve(context.workingDirectory, file), 'utf8')
  } catch (error) {
    throw new UsageError(`The data file ${file} cannot be read: ${(error as Error).message}.`)
  }
}

function readData(text: string, file: string): { readonly [name: string]: Value } {
  const where = file === '-' ? 'The data on stdin' : `The data file ${file}`
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new UsageError(`${where} is not JSON: ${(error as Error).message}.`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UsageError(`${where} must be a JSON object: its keys are the names in scope.`)
  }
  // JSON.parse gives nothing but JSON values.
  return value as { readonly [name: string]: Value }
}

function createScope(data: { readonly [name: string]: Value }): Scope {
  return {
    get: (name) => (Object.hasOwn(data, name) ? data[name] : undefined),
    now: Date.now(),
    seed: 'plugwork eval',
  }
}

function* describe(context: Context, source: string, error: ExpressionError): Generator<string> {
  const { bad, dim } = context.noteStyle
  yield `${bad('error')} ${error.message} ${dim(`(${error.code})`)}`
  if (error.start === undefined || source.includes('\n')) return
  const length = Math.max(1, Math.min(error.end ?? error.start + 1, source.length) - error.start)
  yield `  ${source}`
  yield `  ${' '.repeat(error.start)}${bad('^'.repeat(length))}`
}
