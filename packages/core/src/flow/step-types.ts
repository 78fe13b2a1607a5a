/** Types of steps' values: what later expressions see of them. */
import { findAction } from './actions.ts'
import type { Catalog } from './catalog.ts'
import {
  ANY,
  NULL,
  NUMBER,
  STRING,
  arrayOf,
  literalType,
  objectOf,
  typeFromJsonSchema,
  union,
  type Field,
  type Type,
} from '../expression/type.ts'
import type { Json, JsonSchema } from '../json.ts'
import type { ActionNode, SubflowNode, TaskNode, WaitNode } from './plan.ts'

/** The type of a JSON value that stands in the document. */
export function typeOfJson(value: Json): Type {
  if (value === null) return NULL
  if (Array.isArray(value)) return arrayOf(union(...value.map(typeOfJson)))
  if (typeof value === 'object') {
    return objectOf(Object.fromEntries(Object.entries(value).map(([key, item]) => [key, typeOfJson(item)])))
  }
  return literalType(value)
}

/** Schema of what an effect gives; undefined when nothing is known of it. */
export function outputSchema(catalog: Catalog, node: TaskNode | ActionNode | SubflowNode): JsonSchema | undefined {
  switch (node.kind) {
    case 'task':
      return catalog.tasks?.find((task) => task.name === node.task)?.output
    case 'subflow':
      return catalog.flows?.find((flow) => flow.name === node.flow)?.output
    case 'action': {
      const found = findAction(catalog, `${node.connector}.${node.action}`)
      return found.kind === 'found' ? found.action.output : undefined
    }
  }
}

/** The value of an effect: its output, or the listed properties of it. */
export function effectType(schema: JsonSchema | undefined, outputs: readonly string[]): Type {
  const type = schema === undefined ? ANY : typeFromJsonSchema(schema)
  if (outputs.length === 0) return type
  const fields = new Map<string, Field>()
  for (const name of outputs) fields.set(name, propertyOf(type, name) ?? { type: ANY, optional: false })
  return { kind: 'object', fields }
}

function propertyOf(type: Type, name: string): Field | undefined {
  return type.kind === 'object' ? type.fields.get(name) : undefined
}

/** Names of the outputs that a closed or listed output schema has; undefined when others are possible. */
export function outputNames(schema: JsonSchema): readonly string[] | undefined {
  const type = typeFromJsonSchema(schema)
  if (type.kind !== 'object' || (type.rest !== undefined && type.listed !== true)) return undefined
  return [...type.fields.keys()]
}

const ANSWERED: { readonly [kind in WaitNode['wait']['kind']]: readonly string[] } = {
  delay: [],
  until: [],
  event: ['received'],
  approval: ['approved', 'rejected'],
  webhook: ['received'],
}

/** `{ outcome, data, actor, at }`, a shape for each outcome: what is there depends on it. */
export function waitType({ wait }: WaitNode): Type {
  const schema = wait.kind === 'approval' ? wait.form : wait.kind === 'webhook' ? wait.schema : undefined
  const data = schema === undefined ? ANY : typeFromJsonSchema(schema)
  const shape = (outcome: string, fields: { readonly data: Type; readonly actor: Type }): Type =>
    objectOf({ outcome: literalType(outcome), ...fields, at: STRING })
  const answers = ANSWERED[wait.kind].map((outcome) =>
    shape(outcome, { data: outcome === 'rejected' ? union(data, NULL) : data, actor: union(STRING, NULL) }),
  )
  const ends = answers.length === 0 || ('timeout' in wait && wait.timeout !== undefined)
  return union(...answers, ...(ends ? [shape('timeout', { data: NULL, actor: NULL })] : []))
}

/** `{ results, errors }` of a loop; an item that failed has null for its result. */
export function loopType(item: Type, continues: boolean): Type {
  const errors = arrayOf(objectOf({ index: NUMBER, item: ANY, error: ANY }))
  return objectOf({ results: arrayOf(continues ? union(item, NULL) : item), errors })
}

/** `{ results, iterations }` of a repetition. */
export const repeatType = (item: Type): Type => objectOf({ results: arrayOf(item), iterations: NUMBER })
