/** Which kind a step is: the one key of it that is no common key says so. */
import { closest } from '../expression/suggest.ts'
import { actionSpellings } from './actions.ts'
import type { Compilation } from './compilation.ts'
import { EFFECT, STEPS, UNAVAILABLE_STEPS, type StepKind } from './grammar.ts'
import { childPlace, describeValue, isPlainMap, mapEntries, type Place } from './place.ts'
import { list } from './read.ts'

/** A kind of the language, or the spelling of an action. */
export type RecognisedStep =
  { readonly kind: StepKind } | { readonly kind: 'action'; readonly spelling: string; readonly call: Place }

const BESIDE_ACTION = new Set(Object.keys(EFFECT))
const KINDS = Object.keys(STEPS) as StepKind[]

/** Recognises the step at a place; reports what is none. */
export function recogniseStep(c: Compilation, place: Place): RecognisedStep | undefined {
  if (!isPlainMap(place.value)) {
    c.report('PW1012', place, `A step is a map, not ${describeValue(place.value)}.`)
    return undefined
  }
  const kinds = KINDS.filter((kind) => childPlace(place, kind) !== undefined)
  const [first, second] = kinds
  if (first !== undefined && second !== undefined) {
    const message = `A step is of one kind, but this one has \`${first}\` and \`${second}\`.`
    c.report('PW1031', childPlace(place, second) ?? place, message, { key: true })
  }
  return first === undefined ? recogniseOther(c, place) : { kind: first }
}

function recogniseOther(c: Compilation, place: Place): RecognisedStep | undefined {
  const others = mapEntries(place).filter(([key]) => !BESIDE_ACTION.has(key))
  const [first, second] = others
  const unavailable = UNAVAILABLE_STEPS.find((key) => childPlace(place, key) !== undefined)
  if (unavailable !== undefined) {
    const at = childPlace(place, unavailable) ?? place
    c.report('PW1020', at, `\`${unavailable}\` steps are not available in this build.`, {
      key: true,
      suggestion: 'write a function in `tasks.ts` beside the flow, and call it with `task: NAME`',
    })
    return undefined
  }
  if (first === undefined) {
    reportNoKind(c, place)
    return undefined
  }
  const [spelling, call] = first
  if (second !== undefined && looksLikeAction(second[0]) && looksLikeAction(spelling)) {
    const message = `A step is of one kind, but this one has \`${spelling}\` and \`${second[0]}\`.`
    c.report('PW1031', second[1], message, { key: true })
    return undefined
  }
  if (isPlainMap(call.value) || call.value === null || looksLikeAction(spelling)) {
    if (second !== undefined) reportUnknownBeside(c, others.slice(1), spelling)
    return { kind: 'action', spelling, call }
  }
  reportUnknownKind(c, call, spelling)
  return undefined
}

const looksLikeAction = (key: string): boolean => key.includes('.') || key.includes('_')

function reportNoKind(c: Compilation, place: Place): void {
  if (childPlace(place, 'if') !== undefined) {
    c.report('PW1011', place, 'A condition needs `then`: the steps that run when it is true.', { key: true })
    return
  }
  c.report(
    'PW1030',
    place,
    'The step does nothing: it has no key such as `task`, `set`, `if` … `then`, or an action.',
    {
      suggestion: 'add one of them, or remove the step',
    },
  )
}

/** Reports a key that is no kind of step and no action. */
export function reportUnknownKind(c: Compilation, place: Place, key: string): void {
  const near =
    closest(key, [...KINDS, 'if', ...UNAVAILABLE_STEPS, ...BESIDE_ACTION]) ?? closest(key, actionSpellings(c.catalog))
  c.report('PW1030', place, `There is no kind of step and no action \`${key}\`.`, {
    key: true,
    suggestion:
      near === undefined
        ? `the kinds are ${list(KINDS)}, or an action such as \`http.get\``
        : `did you mean \`${near}\`?`,
  })
}

function reportUnknownBeside(c: Compilation, others: readonly (readonly [string, Place])[], spelling: string): void {
  for (const [key, place] of others) {
    c.report('PW1010', place, `There is no \`${key}\` in a step.`, {
      key: true,
      suggestion: `did you mean it as a parameter of \`${spelling}\`? Then indent it`,
    })
  }
}
