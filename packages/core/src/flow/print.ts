/**
 * Document to YAML, in the order of the grammar, so that two printings of one flow are the same text. Comments and
 * layout of a file that is edited are the business of whoever edits it; this prints what has no file yet.
 */
import { Document } from 'yaml'
import type { FlowDocument } from './document.ts'
import { ACTION, COMMON, FLOW, INPUT, OUTPUT, REPEAT, STEPS, TRIGGERS } from './grammar.ts'
import { isPlainMap } from './place.ts'

/** Prints a flow document as YAML. Reading it back gives an equal document. */
export function printFlow(flow: FlowDocument): string {
  const document = new Document(orderFlow(flow), { aliasDuplicateObjects: false })
  // Lines are not folded: a text is easier to read, and to find again, as it is.
  return document.toString({ lineWidth: 0 })
}

type Reorder = (value: unknown) => unknown

/** Orders the keys of a map: the listed ones first. `inside` says what becomes of the values of some keys. */
function order(value: unknown, keys: readonly string[], inside: { readonly [key: string]: Reorder } = {}): unknown {
  if (!isPlainMap(value)) return value
  const names = Object.keys(value).filter((key) => value[key] !== undefined)
  const sorted = [...keys.filter((key) => names.includes(key)), ...names.filter((key) => !keys.includes(key))]
  return Object.fromEntries(
    sorted.map((key) => [key, (Object.hasOwn(inside, key) ? inside[key] : undefined)?.(value[key]) ?? value[key]]),
  )
}

const each =
  (reorder: Reorder): Reorder =>
  (value) =>
    Array.isArray(value) ? value.map(reorder) : reorder(value)

function orderFlow(flow: unknown): unknown {
  return order(flow, Object.keys(FLOW), {
    triggers: each((trigger) => order(trigger, ['type', ...Object.values(TRIGGERS).flatMap(Object.keys)])),
    inputs: each((input) => order(input, Object.keys(INPUT))),
    outputs: each((output) => order(output, Object.keys(OUTPUT))),
    steps: each(orderStep),
    on_error: each(orderStep),
    on_cancel: each(orderStep),
  })
}

/** A step begins with what names and guards it, then says what it does, then how it is repeated and handled. */
const FIRST = ['id', 'description', 'if']
const KEYS = [
  ...new Set([
    ...FIRST,
    ...Object.values(STEPS)
      .flatMap(Object.keys)
      .filter((key) => !Object.hasOwn(COMMON, key)),
  ]),
]
const LAST = [...Object.keys(ACTION).filter((key) => !FIRST.includes(key) && key !== 'with'), 'with']

function orderStep(step: unknown): unknown {
  if (!isPlainMap(step)) return step
  const steps = each(orderStep)
  const actions = Object.keys(step).filter((key) => !KEYS.includes(key) && !LAST.includes(key))
  return order(step, [...FIRST, ...actions, ...KEYS.filter((key) => !LAST.includes(key)), ...LAST], {
    ...Object.fromEntries(
      ['then', 'else', 'do', 'default', 'try', 'catch', 'finally', 'on_error'].map((key) => [key, steps]),
    ),
    ...Object.fromEntries(
      actions.map((key) => [key, (call) => order(call, ['id', 'connection'], { on_error: steps })]),
    ),
    parallel: each(each(orderStep)),
    cases: each((branch) => order(branch, ['when', 'do', 'default'], { do: steps, default: steps })),
    repeat: (repeat) => order(repeat, Object.keys(REPEAT), { do: steps }),
  })
}
