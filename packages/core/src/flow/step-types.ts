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

const OUTCOMES: { readonly [kind in WaitNode['wait']['kind']]: readonly string[] } = {
  delay: ['timeout'],
  until: ['timeout'],
  event: ['received', 'timeout'],
  approval: ['approved', 'rejected', 'timeout'],
  webhook: ['received', 'timeout'],
}

/** `{ outcome, data, actor, at }`. */
export function waitType(node: WaitNode): Type {
  const timed = node.wait.kind === 'delay' || node.wait.kind === 'until'
  const schema =
    node.wait.kind === 'approval' ? node.wait.form : node.wait.kind === 'webhook' ? node.wait.schema : undefined
  return objectOf({
    outcome: timed ? STRING : union(...OUTCOMES[node.wait.kind].map(literalType)),
    data: timed ? NULL : schema === undefined ? ANY : union(typeFromJsonSchema(schema), NULL),
    actor: union(STRING, NULL),
    at: STRING,
  })
}

/** `{ results, errors }` of a loop; an item that failed has null for its result. */
export function loopType(item: Type, continues: boolean): Type {
  const errors = arrayOf(objectOf({ index: NUMBER, item: ANY, error: ANY }))
  return objectOf({ results: arrayOf(continues ? union(item, NULL) : item), errors })
}

/** `{ results, iterations }` of a repetition. */
export const repeatType = (item: Type): Type => objectOf({ results: arrayOf(item), iterations: NUMBER })
