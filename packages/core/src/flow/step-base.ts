/** What every node of a plan has: its path, its id or label, and the common keys of steps. */
import { isReservedWord } from '../expression/words.ts'
import type { Compilation } from './compilation.ts'
import { PATH_WORDS, SCOPE_NAMES, type COMMON } from './grammar.ts'
import { childPlace, oneOrMany, type Place } from './place.ts'
import type { Block, Condition, PlanNode, SourcePosition, Template } from './plan.ts'
import { NAME_PATTERN, nearestName, type Fields } from './read.ts'
import { compileTemplate } from './template.ts'

export interface StepBase {
  readonly path: string
  readonly id?: string
  readonly label?: Template
  readonly description?: string
  readonly if?: Condition
  readonly timeoutMs?: number
  readonly onError?: Block
  readonly at?: SourcePosition
}

/** Where a step stands: its position in its block, and the block's path. */
export interface Position {
  readonly index: number
  readonly prefix: string
}

/** Common keys of a step, as they were read. */
export type CommonFields = Fields<typeof COMMON>

export interface BaseOptions {
  readonly place: Place
  /** The map under an action's name, where common keys may stand too. */
  readonly call?: Place | undefined
  readonly fields: CommonFields
  readonly position: Position
  readonly kind: PlanNode['kind']
}

/** Reads all of it but `on_error`, which is a block. */
export function readBase(c: Compilation, { place, call, fields, position, kind }: BaseOptions): StepBase {
  const find = (key: string): Place | undefined => childPlace(place, key) ?? (call && childPlace(call, key))
  const idPlace = find('id')
  const isLabel = typeof idPlace?.value === 'string' && idPlace.value.includes('${')
  const id = idPlace === undefined || isLabel ? undefined : readId(c, idPlace)
  const path = joinPath(position.prefix, id ?? `${kind}@${position.index}`)
  const dependsOn = find('depends_on')
  if (dependsOn !== undefined) c.origins.setDependsOn(path, oneOrMany(dependsOn))
  const { line, column } = c.sources.value(place.container, place.key)
  return {
    path,
    ...(id === undefined ? {} : { id }),
    ...(isLabel && idPlace !== undefined ? { label: compileTemplate(c, idPlace) } : {}),
    ...(fields.description === undefined ? {} : { description: fields.description }),
    ...(fields.if === undefined ? {} : { if: fields.if }),
    ...(fields.timeout === undefined ? {} : { timeoutMs: fields.timeout }),
    ...(c.sources.known ? { at: { line, column } } : {}),
  }
}

const joinPath = (prefix: string, segment: string): string => (prefix === '' ? segment : `${prefix}/${segment}`)

function readId(c: Compilation, place: Place): string | undefined {
  const { value } = place
  if (typeof value !== 'string') {
    c.report('PW1015', place, 'An `id` is text: letters, digits and underscores, no digit first.')
    return undefined
  }
  if (!NAME_PATTERN.test(value)) {
    c.report('PW1015', place, `\`${value}\` cannot be an id: letters, digits and underscores, no digit first.`, {
      suggestion: `write \`${nearestName(value)}\``,
    })
    return undefined
  }
  reportWord(c, place, value)
  return value
}

/** Reports a name that is a word of the language or of every scope. */
export function reportWord(c: Compilation, place: Place, name: string): void {
  if (SCOPE_NAMES.includes(name)) {
    c.report('PW1041', place, `\`${name}\` already names something in every expression; choose another name.`)
  } else if (isReservedWord(name) || PATH_WORDS.includes(name)) {
    c.report('PW1041', place, `\`${name}\` is a word of the language; choose another name.`)
  }
}
