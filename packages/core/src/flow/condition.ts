/** Conditions: an expression, or a nest of `all`, `any` and `none`. */
import { canonical, type Compilation } from './compilation.ts'
import { childPlace, describeValue, isPlainMap, listItems, type Place } from './place.ts'
import type { Condition } from './plan.ts'

const NESTS = ['all', 'any', 'none'] as const

/** Compiles the condition at a place. What cannot be read is reported, and stands as a broken `true`. */
export function compileCondition(c: Compilation, place: Place): Condition {
  const condition = readCondition(c, place) ?? brokenCondition(c)
  c.origins.setPlace(condition, place)
  return condition
}

function readCondition(c: Compilation, place: Place): Condition | undefined {
  const { value } = place
  if (typeof value === 'boolean') return { kind: 'expression', source: String(value) }
  if (typeof value === 'string') {
    const origin = c.parseExpression(place)
    if (origin === undefined) return undefined
    const condition: Condition = { kind: 'expression', source: canonical(origin.expression) }
    c.bind(condition, 'source', origin)
    return condition
  }
  const keys = isPlainMap(value) ? Object.keys(value) : []
  const kind = NESTS.find((nest) => nest === keys[0])
  if (keys.length !== 1 || kind === undefined) {
    const found = keys.length === 0 ? describeValue(value) : `a map with ${keys.map((key) => `\`${key}\``).join(', ')}`
    c.report('PW1012', place, `A condition is an expression, or one of \`all\`, \`any\`, \`none\`, not ${found}.`)
    return undefined
  }
  return readNest(c, place, kind)
}

function readNest(c: Compilation, place: Place, kind: (typeof NESTS)[number]): Condition | undefined {
  const list = childPlace(place, kind)
  if (list === undefined || !Array.isArray(list.value) || list.value.length === 0) {
    c.report('PW1012', list ?? place, `\`${kind}\` needs a list of conditions with at least one in it.`)
    return undefined
  }
  return { kind, members: listItems(list).map((member) => compileCondition(c, member)) }
}

function brokenCondition(c: Compilation): Condition {
  const condition: Condition = { kind: 'expression', source: 'true' }
  c.origins.markBroken(condition)
  return condition
}
