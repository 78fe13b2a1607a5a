/**
 * Which operators a filter, an update or a pipeline may have. Expressions put values of strangers into them, so what runs
 * JavaScript on the server, writes from a read, or never ends is refused wherever it stands.
 */
import type { Json, JsonObject } from '@plugwork/core'
import { mongodbError } from './errors.ts'

const JAVASCRIPT: ReadonlySet<string> = new Set(['$where', '$function', '$accumulator', '$code'])
const WRITING: ReadonlySet<string> = new Set(['$out', '$merge'])
const ENDLESS: ReadonlySet<string> = new Set(['$changeStream', '$changeStreamSplitLargeEvent'])

/** Throws `mongodb_operator` that names the operator and where it stands. */
export function refuseOperators(value: Json, where: string, allowJavascript: boolean): void {
  if (typeof value !== 'object' || value === null) return
  if (Array.isArray(value)) {
    for (const [index, each] of value.entries()) refuseOperators(each, `${where}[${index}]`, allowJavascript)
    return
  }
  for (const [name, each] of Object.entries(value)) {
    const refuse = (why: string): Error =>
      mongodbError('mongodb_operator', `\`${where}\` has ${name}, which ${why}`, { data: { operator: name } })
    if (JAVASCRIPT.has(name) && !allowJavascript)
      throw refuse(
        'runs JavaScript on the server. Write it with other operators, or set `allow_javascript` of the connection.',
      )
    if (WRITING.has(name)) throw refuse('writes. mongo_aggregate only reads: use mongo_insert or mongo_update.')
    if (ENDLESS.has(name)) throw refuse('never ends. Ask with mongo_find for what is new.')
    refuseOperators(each as Json, `${where}.${name}`, allowJavascript)
  }
}

/**
 * A filter by which fields are equal to values, each taken as it is: an object with `$` keys that came in through an
 * expression is compared with, and is no operator. Throws `mongodb_input` for a field that is an operator itself.
 */
export function literalFilter(match: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(match).map(([field, value]) => {
      if (!field.startsWith('$')) return [field, { $eq: value as Json }]
      throw mongodbError(
        'mongodb_input',
        `\`match\` has ${field}, which is no field. Operators belong into \`filter\`.`,
      )
    }),
  )
}
