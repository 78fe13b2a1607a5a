/** Blocks and steps of a document to blocks and nodes of a plan. Paths are made here, by the rules of `plan.ts`. */
import { canonical, type Compilation } from './compilation.ts'
import { compileAction, compileEmit, compileSubflow, compileTask, readActionCall } from './effects.ts'
import { compileExit, compileFail, compileWait } from './endings.ts'
import { CASE, DEFAULT_CASE, EFFECT, REPEAT, STEPS, type Shape, type StepKind } from './grammar.ts'
import { childPlace, describeValue, isPlainMap, listItems, oneOrMany, wordOf, type Place } from './place.ts'
import type {
  Block,
  IfNode,
  LoopNode,
  ParallelNode,
  PlanNode,
  RepeatNode,
  SetNode,
  SwitchNode,
  TryNode,
} from './plan.ts'
import { NAME_PATTERN, readFields, type Fields } from './read.ts'
import { readBase, type CommonFields, type Position, type StepBase } from './step-base.ts'
import { recogniseStep } from './step-kind.ts'
import { compileTemplate } from './template.ts'
import { declaredIds } from './visibility.ts'

/** Compiles the steps at a place; `prefix` is the path of what they belong to ('' at the top). */
export function compileBlock(c: Compilation, place: Place | undefined, prefix: string): Block {
  if (place === undefined) return []
  if (!isPlainMap(place.value) && !Array.isArray(place.value)) {
    c.report('PW1012', place, `Steps are a list, not ${describeValue(place.value)}.`)
    return []
  }
  return oneOrMany(place).map((item, index) => compileStep(c, item, { index, prefix }))
}

function compileStep(c: Compilation, place: Place, position: Position): PlanNode {
  const recognised = recogniseStep(c, place)
  const node =
    recognised === undefined
      ? undefined
      : recognised.kind === 'action'
        ? readAction(c, place, recognised, position)
        : readKind(c, place, recognised.kind, position)
  const result = node ?? brokenStep(c, place, position)
  c.origins.setPlace(result, place)
  return result
}

/** Keeps the id of a step that could not be read, so that references to it are no further problems. */
function brokenStep(c: Compilation, place: Place, { index, prefix }: Position): PlanNode {
  const found = childPlace(place, 'id') ?? idInside(place)
  const id = typeof found?.value === 'string' && NAME_PATTERN.test(found.value) ? found.value : undefined
  const path = `${prefix === '' ? '' : `${prefix}/`}${id ?? `set@${index}`}`
  const node: PlanNode = { kind: 'set', path, ...(id === undefined ? {} : { id }), values: [] }
  c.origins.markBroken(node)
  return node
}

function idInside(place: Place): Place | undefined {
  const keys = isPlainMap(place.value) ? Object.keys(place.value) : []
  for (const key of keys) {
    const child = childPlace(place, key)
    const id = child === undefined ? undefined : childPlace(child, 'id')
    if (id !== undefined) return id
  }
  return undefined
}

function readAction(
  c: Compilation,
  place: Place,
  { spelling, call }: { readonly spelling: string; readonly call: Place },
  position: Position,
): PlanNode | undefined {
  const inside = readActionCall(c, call, spelling)
  const beside = readFields(c, place, EFFECT, 'a step', { ignore: () => true })
  const base = baseOf(c, place, { ...inside, ...beside }, position, 'action', call)
  return compileAction(c, { place, call, spelling, base, inside, beside })
}

/** The base of a step, with its `on_error` block. */
function baseOf(
  c: Compilation,
  place: Place,
  fields: CommonFields,
  position: Position,
  kind: PlanNode['kind'],
  call?: Place,
): StepBase {
  const base = readBase(c, { place, call, fields, position, kind })
  if (fields.on_error === undefined) return base
  return { ...base, onError: compileBlock(c, fields.on_error, `${base.path}/on_error`) }
}

function readKind(c: Compilation, place: Place, kind: StepKind, position: Position): PlanNode {
  switch (kind) {
    case 'task': {
      const fields = readFields(c, place, STEPS.task, 'a task step', { ignore: isOtherKind })
      return compileTask(c, place, baseOf(c, place, fields, position, 'task'), fields)
    }
    case 'subflow': {
      const fields = readFields(c, place, STEPS.subflow, 'a sub-flow step', { ignore: isOtherKind })
      return compileSubflow(c, place, baseOf(c, place, fields, position, 'subflow'), fields)
    }
    case 'then':
      return readIf(c, place, position)
    case 'switch':
      return readSwitch(c, place, position)
    case 'for_each':
      return readLoop(c, place, position)
    case 'repeat':
      return readRepeat(c, place, position)
    case 'parallel':
      return readParallel(c, place, position)
    case 'try':
      return readTry(c, place, position)
    case 'set':
      return readSet(c, place, position)
    case 'fail': {
      const fields = readPlain(c, place, STEPS.fail, 'a `fail` step')
      return compileFail(c, baseOf(c, place, fields, position, 'fail'), fields.fail)
    }
    case 'wait': {
      const fields = readPlain(c, place, STEPS.wait, 'a `wait` step')
      return compileWait(c, baseOf(c, place, fields, position, 'wait'), fields.wait)
    }
    case 'emit': {
      const fields = readPlain(c, place, STEPS.emit, 'an `emit` step')
      return compileEmit(c, baseOf(c, place, fields, position, 'emit'), fields.emit)
    }
    case 'exit': {
      const fields = readPlain(c, place, STEPS.exit, 'an `exit` step')
      return compileExit(c, baseOf(c, place, fields, position, 'exit'), fields.exit)
    }
  }
}

/** A second kind in one step has been reported already. */
const isOtherKind = (key: string): boolean => Object.hasOwn(STEPS, key)

const RETRY_WORDS: readonly string[] = ['retry', 'on_interrupt', 'run']

/** Reads a step that has no effect to retry: keys of effects get a message of their own. */
function readPlain<const S extends Shape>(c: Compilation, place: Place, shape: S, what: string): Fields<S> {
  for (const key of RETRY_WORDS) {
    const found = childPlace(place, key)
    if (found === undefined) continue
    const message = `\`${key}\` belongs to steps with an effect (task, action, sub-flow); ${what} has none.`
    c.report('PW1032', found, message, { key: true, suggestion: `put \`${key}\` on the steps inside` })
  }
  return readFields(c, place, shape, what, { ignore: (key) => RETRY_WORDS.includes(key) || isOtherKind(key) })
}

function readIf(c: Compilation, place: Place, position: Position): IfNode {
  const fields = readPlain(c, place, STEPS.then, 'a condition')
  const { if: condition, ...common } = fields
  const base = baseOf(c, place, common, position, 'if')
  return {
    ...base,
    kind: 'if',
    condition: condition ?? { kind: 'expression', source: 'true' },
    // oxlint-disable-next-line unicorn/no-thenable -- the word of the language; plans are never awaited as such
    then: compileBlock(c, fields.then, `${base.path}/then`),
    else: compileBlock(c, fields.else, `${base.path}/else`),
  }
}

function readSwitch(c: Compilation, place: Place, position: Position): SwitchNode {
  const fields = readPlain(c, place, STEPS.switch, 'a `switch` step')
  const base = baseOf(c, place, fields, position, 'switch')
  const cases: SwitchNode['cases'][number][] = []
  let fallback = fields.default
  const items = fields.cases === undefined ? [] : listItems(fields.cases)
  if (fields.cases !== undefined && !Array.isArray(fields.cases.value)) {
    c.report(
      'PW1012',
      fields.cases,
      `\`cases\` is a list of \`{ when, do }\`, not ${describeValue(fields.cases.value)}.`,
    )
  }
  for (const [index, item] of items.entries()) {
    if (childPlace(item, 'default') !== undefined && childPlace(item, 'when') === undefined) {
      const { default: steps } = readFields(c, item, DEFAULT_CASE, 'a default case')
      if (index < items.length - 1)
        c.report('PW1038', item, '`default` is the last case: those after it are never reached.')
      if (fallback !== undefined)
        c.report('PW1018', item, '`default` stands beside `cases` and in it; keep one.', { key: true })
      fallback ??= steps
    } else {
      const read = readFields(c, item, CASE, 'a case')
      const when = read.when === undefined ? [] : oneOrMany(read.when).map((value) => compileTemplate(c, value))
      cases.push({ when, do: compileBlock(c, read.do, `${base.path}/case[${cases.length}]`) })
    }
  }
  const on = fields.switch
  const node: SwitchNode = {
    ...base,
    kind: 'switch',
    on: on === undefined ? 'null' : canonical(on.expression),
    cases,
    default: compileBlock(c, fallback, `${base.path}/default`),
  }
  if (on !== undefined) c.bind(node, 'on', on)
  return node
}

function readLoop(c: Compilation, place: Place, position: Position): LoopNode {
  const fields = readPlain(c, place, STEPS.for_each, 'a `for_each` step')
  const base = baseOf(c, place, fields, position, 'loop')
  const { for_each: items, collect } = fields
  const node: LoopNode = {
    ...base,
    kind: 'loop',
    items: items === undefined ? '[]' : canonical(items.expression),
    as: fields.as ?? 'item',
    ...(fields.index_as === undefined ? {} : { indexAs: fields.index_as }),
    do: compileBlock(c, fields.do, base.path),
    concurrency: fields.concurrency ?? 1,
    ...(collect === undefined ? {} : { collect: canonical(collect.expression) }),
    onItemError: fields.on_item_error ?? 'fail',
  }
  if (items !== undefined) c.bind(node, 'items', items)
  if (collect !== undefined) c.bind(node, 'collect', collect)
  return node
}

function readRepeat(c: Compilation, place: Place, position: Position): RepeatNode {
  const step = readPlain(c, place, STEPS.repeat, 'a `repeat` step')
  const base = baseOf(c, place, step, position, 'repeat')
  const fields = step.repeat === undefined ? {} : readFields(c, step.repeat, REPEAT, '`repeat`')
  const { until, collect } = fields
  const node: RepeatNode = {
    ...base,
    kind: 'repeat',
    vars: fields.vars ?? [],
    do: compileBlock(c, fields.do, base.path),
    next: fields.next ?? [],
    ...(until === undefined ? {} : { until: canonical(until.expression) }),
    ...(collect === undefined ? {} : { collect: canonical(collect.expression) }),
    max: fields.max ?? 100,
    delayMs: fields.delay ?? 0,
  }
  if (until !== undefined) c.bind(node, 'until', until)
  if (collect !== undefined) c.bind(node, 'collect', collect)
  return node
}

function readParallel(c: Compilation, place: Place, position: Position): ParallelNode {
  const fields = readPlain(c, place, STEPS.parallel, 'a `parallel` step')
  const base = baseOf(c, place, fields, position, 'parallel')
  const list = fields.parallel
  if (list !== undefined && !Array.isArray(list.value)) {
    c.report('PW1012', list, `\`parallel\` is a list of branches, not ${describeValue(list.value)}.`)
  }
  const blocks = (list === undefined ? [] : listItems(list)).map((branch, index) =>
    compileBlock(c, branch, `${base.path}/branch[${index}]`),
  )
  const ids = blocks.map((block) => declaredIds(block))
  const branches = blocks.map((block, index) => ({ do: block, after: branchesBefore(c, block, index, ids) }))
  return { ...base, kind: 'parallel', branches, onBranchError: fields.on_branch_error ?? 'cancel' }
}

/** Indexes of the sibling branches that the steps of a branch name under `depends_on`. */
function branchesBefore(c: Compilation, block: Block, own: number, ids: readonly ReadonlySet<string>[]): number[] {
  const names = block.flatMap((node) => c.origins.dependsOn(node.path)).map((name) => wordOf(name.value))
  return ids.flatMap((declared, index) => (index !== own && names.some((name) => declared.has(name)) ? [index] : []))
}

function readTry(c: Compilation, place: Place, position: Position): TryNode {
  const fields = readPlain(c, place, STEPS.try, 'a `try` step')
  const base = baseOf(c, place, fields, position, 'try')
  if (fields.catch === undefined && fields.finally === undefined) {
    c.report('PW1011', place, '`try` needs `catch`, `finally`, or both.', { key: true })
  }
  return {
    ...base,
    kind: 'try',
    try: compileBlock(c, fields.try, `${base.path}/try`),
    catch: compileBlock(c, fields.catch, `${base.path}/catch`),
    finally: compileBlock(c, fields.finally, `${base.path}/finally`),
  }
}

function readSet(c: Compilation, place: Place, position: Position): SetNode {
  const fields = readPlain(c, place, STEPS.set, 'a `set` step')
  const node: SetNode = { ...baseOf(c, place, fields, position, 'set'), kind: 'set', values: fields.set ?? [] }
  if (fields.set === undefined) c.origins.markBroken(node)
  return node
}
