/** Steps that do something outside the run: tasks, actions, sub-flows; with retry and what an interruption means. */
import { findAction, type ActionLookup } from './actions.ts'
import type { CatalogAction } from './catalog.ts'
import type { Compilation } from './compilation.ts'
import { ACTION, EFFECT, EMIT, RETRY, type STEPS } from './grammar.ts'
import { parseDuration } from './duration.ts'
import { compileParameters } from './parameters.ts'
import { childPlace, describeValue, isPlainMap, mapEntries, type Place } from './place.ts'
import type { ActionNode, EmitNode, OnInterrupt, RetryPolicy, SubflowNode, TaskNode, Template } from './plan.ts'
import { readFields, type Fields } from './read.ts'
import type { StepBase } from './step-base.ts'
import { reportUnknownKind } from './step-kind.ts'

const DEFAULT_RETRY = { maxAttempts: 3, delayMs: 1000, backoff: 2, maxDelayMs: 60_000, jitter: true } as const

/** What every effect has beside the common keys of steps. */
interface EffectFields {
  readonly retry?: Place
  readonly on_interrupt?: OnInterrupt
  readonly run?: 'at_most_once'
}

export function compileRetry(c: Compilation, place: Place): RetryPolicy {
  const fields = readFields(c, place, RETRY, '`retry`')
  reportTwice(c, place, 'delay', 'delay_seconds')
  reportTwice(c, place, 'backoff', 'backoff_multiplier')
  const seconds = parseDuration(fields.delay_seconds)
  const delayMs = fields.delay ?? seconds ?? DEFAULT_RETRY.delayMs
  if (fields.max_delay !== undefined && fields.max_delay < delayMs) {
    c.report('PW1013', childPlace(place, 'max_delay') ?? place, '`max_delay` is shorter than the first delay.')
  }
  return {
    maxAttempts: fields.max_attempts ?? DEFAULT_RETRY.maxAttempts,
    delayMs,
    backoff: fields.backoff ?? fields.backoff_multiplier ?? DEFAULT_RETRY.backoff,
    maxDelayMs: fields.max_delay ?? Math.max(DEFAULT_RETRY.maxDelayMs, delayMs),
    jitter: fields.jitter ?? DEFAULT_RETRY.jitter,
    ...(fields.on === undefined ? {} : { on: fields.on }),
  }
}

/** Reports two spellings of one thing in the same map. */
export function reportTwice(c: Compilation, place: Place, preferred: string, other: string): void {
  const second = childPlace(place, other)
  if (second === undefined || childPlace(place, preferred) === undefined) return
  c.report('PW1018', second, `\`${preferred}\` and \`${other}\` say the same thing; keep \`${preferred}\`.`, {
    key: true,
  })
}

function effect(c: Compilation, fields: EffectFields, place: Place, fallback: OnInterrupt) {
  reportTwice(c, place, 'on_interrupt', 'run')
  return {
    ...(fields.retry === undefined ? {} : { retry: compileRetry(c, fields.retry) }),
    onInterrupt: fields.on_interrupt ?? (fields.run === 'at_most_once' ? 'fail' : fallback),
  }
}

const EMPTY: Template = { kind: 'literal', value: {} }

export function compileTask(c: Compilation, place: Place, base: StepBase, fields: Fields<typeof STEPS.task>): TaskNode {
  refuseLookup(c, place, fields, 'a task')
  const task = fields.task ?? ''
  const declared = c.catalog.tasks?.find((candidate) => candidate.name === task)
  const secretInputs = secretProperties(declared?.input)
  return {
    ...base,
    kind: 'task',
    ...effect(c, fields, place, 'retry'),
    task,
    input: fields.inputs ?? EMPTY,
    outputs: fields.outputs ?? [],
    ...(secretInputs.length === 0 ? {} : { secretInputs }),
  }
}

/** Names of the properties that a schema declares as secrets (`x-plugwork: secret`, or `writeOnly`). */
function secretProperties(schema: unknown): string[] {
  const properties = isPlainMap(schema) ? schema['properties'] : undefined
  if (!isPlainMap(properties)) return []
  return Object.entries(properties).flatMap(([name, property]) =>
    isPlainMap(property) && (property['x-plugwork'] === 'secret' || property['writeOnly'] === true) ? [name] : [],
  )
}

export function compileSubflow(
  c: Compilation,
  place: Place,
  base: StepBase,
  fields: Fields<typeof STEPS.subflow>,
): SubflowNode {
  refuseLookup(c, place, fields, 'a sub-flow')
  return {
    ...base,
    kind: 'subflow',
    ...effect(c, fields, place, 'retry'),
    flow: fields.subflow ?? '',
    input: fields.inputs ?? EMPTY,
    outputs: fields.outputs ?? [],
  }
}

function refuseLookup(c: Compilation, place: Place, fields: EffectFields, what: string): void {
  if (fields.on_interrupt !== 'check') return
  const at = childPlace(place, 'on_interrupt') ?? place
  c.report('PW1035', at, `\`on_interrupt: check\` asks an action's look-up, which ${what} does not have.`)
}

/** Reads the map under an action's name: step keys, and everything else is a parameter. */
export function readActionCall(c: Compilation, call: Place, spelling: string): Fields<typeof ACTION> {
  if (call.value === null) return {}
  return readFields(c, call, ACTION, `\`${spelling}\``, { ignore: (key) => !Object.hasOwn(ACTION, key) })
}

/** A step that calls an action: the step's map, the map under the action's name, and what was read of the two. */
export interface ActionStep {
  readonly place: Place
  readonly call: Place
  readonly spelling: string
  readonly base: StepBase
  readonly inside: Fields<typeof ACTION>
  readonly beside: Fields<typeof EFFECT>
}

/** Compiles an action's step; undefined when there is no such action, which is reported. */
export function compileAction(c: Compilation, step: ActionStep): ActionNode | undefined {
  const { call, spelling, inside, beside } = step
  const found = findAction(c.catalog, spelling)
  if (found.kind !== 'found') {
    reportUnknownAction(c, call, spelling, found)
    return undefined
  }
  const { action, connector } = found
  reportAmbiguousKeys(c, step, action)
  const fields = { ...inside, ...beside }
  if (fields.on_interrupt === 'check' && action.idempotency !== 'lookup') {
    const at = childPlace(step.place, 'on_interrupt') ?? childPlace(call, 'on_interrupt') ?? call
    c.report('PW1035', at, `\`${spelling}\` has no look-up that \`on_interrupt: check\` could ask.`)
  }
  const input = compileParameters(c, parameterEntries(c, call, fields), {
    schema: action.input,
    root: action.input,
    dialect: action.sqlDialect ?? 'sqlite',
  })
  c.origins.setPlace(input, call)
  return {
    ...step.base,
    kind: 'action',
    ...effect(c, fields, call, action.onInterrupt ?? (action.idempotency === 'lookup' ? 'check' : 'retry')),
    connector: connector.name,
    action: action.name,
    ...(fields.connection === undefined ? {} : { connection: fields.connection }),
    input,
    outputs: fields.outputs ?? [],
    effect: action.effect,
  }
}

function reportUnknownAction(
  c: Compilation,
  call: Place,
  spelling: string,
  found: Exclude<ActionLookup, { kind: 'found' }>,
): void {
  if (found.kind === 'none') {
    reportUnknownKind(c, call, spelling)
    return
  }
  const suggestion = found.near === undefined ? undefined : `did you mean \`${found.near}\`?`
  if (found.kind === 'unknown_connector') {
    c.report('PW1050', call, `There is no connector \`${found.name}\`.`, { key: true, suggestion })
  } else {
    c.report('PW1054', call, `The connector \`${found.connector.name}\` has no action \`${spelling}\`.`, {
      key: true,
      suggestion,
    })
  }
}

/** A key that is a step key and a parameter could mean either; `with:` says which. */
function reportAmbiguousKeys(c: Compilation, { call, spelling, beside }: ActionStep, action: CatalogAction): void {
  const properties = isPlainMap(action.input['properties']) ? action.input['properties'] : {}
  const hasWith = childPlace(call, 'with') !== undefined
  for (const [key, place] of mapEntries(call)) {
    if (!Object.hasOwn(ACTION, key)) continue
    if (!hasWith && Object.hasOwn(properties, key)) {
      const own = Object.hasOwn(EFFECT, key) ? `; the \`${key}\` of the step may stand beside \`${spelling}\`` : ''
      const suggestion = `write the parameters under \`with: { ${key}: … }\`${own}`
      const message = `\`${key}\` is a key of every step and a parameter of \`${spelling}\`.`
      c.report('PW1034', place, message, { key: true, suggestion })
    } else if (Object.hasOwn(beside, key)) {
      c.report('PW1018', place, `\`${key}\` stands beside \`${spelling}\` and inside it; keep one.`, { key: true })
    }
  }
}

function parameterEntries(
  c: Compilation,
  call: Place,
  fields: Fields<typeof ACTION>,
): readonly (readonly [string, Place])[] {
  const beside = mapEntries(call).filter(([key]) => !Object.hasOwn(ACTION, key))
  if (fields.with === undefined) return beside
  if (!isPlainMap(fields.with.value)) {
    c.report('PW1012', fields.with, `\`with\` is a map of parameters, not ${describeValue(fields.with.value)}.`)
    return beside
  }
  const names = new Set(beside.map(([key]) => key))
  const inside = mapEntries(fields.with)
  for (const [key, place] of inside) {
    if (names.has(key))
      c.report('PW1018', place, `\`${key}\` stands under \`with\` and beside it; keep one.`, { key: true })
  }
  return [...beside, ...inside.filter(([key]) => !names.has(key))]
}

export function compileEmit(c: Compilation, base: StepBase, place: Place | undefined): EmitNode {
  const fields = place === undefined ? {} : readFields(c, place, EMIT, '`emit`')
  return {
    ...base,
    kind: 'emit',
    event: fields.event ?? { kind: 'literal', value: '' },
    data: fields.data ?? { kind: 'literal', value: null },
  }
}
