/** Walks the steps of a plan in the order in which they run, and knows at each what is visible and of which type. */
import { NAMESPACES } from '../expression/library.ts'
import { NO_FACTS, type Facts } from '../expression/narrow.ts'
import { closest } from '../expression/suggest.ts'
import {
  ANY,
  BOOLEAN,
  NEVER,
  NULL,
  NUMBER,
  STRING,
  arrayOf,
  describeType,
  describeWithArticle,
  mayBeNull,
  membersOf,
  objectOf,
  overlaps,
  tupleOf,
  union,
  widen,
  withoutNull,
  type Type,
} from '../expression/type.ts'
import { allBefore, branchOrder } from './branch-order.ts'
import type { ReferenceChecker } from './check-references.ts'
import type { Compilation } from './compilation.ts'
import { conversion } from './conform.ts'
import { parseTime } from './duration.ts'
import { endsBlock } from './ends-block.ts'
import { SCOPE_NAMES } from './grammar.ts'
import { childPlace, pointerOf, rootPlace, wordOf, type Place } from './place.ts'
import type {
  Block,
  LoopNode,
  ParallelNode,
  PlanNode,
  RepeatNode,
  SetNode,
  SwitchNode,
  Template,
  TryNode,
} from './plan.ts'
import { ERROR_TYPE, nullable, type Scope } from './scope.ts'
import { effectType, loopType, outputSchema, repeatType, waitType } from './step-types.ts'
import { reportWord } from './step-base.ts'
import type { ValueChecker } from './values.ts'
import { containsSecret } from './secret-types.ts'
import { visibleBlocks } from './visibility.ts'

/** What holds for all steps of a block. */
export interface BlockContext {
  /** Where `exit` is not allowed, and why. */
  readonly noExit?: string
  /** Whether an error is being handled here. */
  readonly handlesError: boolean
}

/** `10s`, or a number: of seconds for a duration, of milliseconds since 1970 for a time. */
const DURATION = union(STRING, NUMBER)

/** A branch, and what is known where it is taken. */
interface Branch {
  readonly block: Block
  readonly facts: Facts
}

export class StepChecker {
  readonly types = new Map<string, Type>()
  readonly #c: Compilation
  readonly #values: ValueChecker
  readonly #references: ReferenceChecker
  constructor(c: Compilation, values: ValueChecker, references: ReferenceChecker) {
    this.#c = c
    this.#values = values
    this.#references = references
  }

  /**
   * Checks the steps of a block, and adds them to its scope. Gives the type of the last step's value, which is
   * that of the block: `never` where the block does not come to its end.
   */
  block(block: Block, scope: Scope, context: BlockContext): Type {
    let last: Type = NULL
    let ended: PlanNode | null = null
    let ends = false
    for (const node of block) {
      if (ended !== null && !this.#hasError(ended)) {
        const what = ended.id === undefined ? `the \`${ended.kind}\` before it` : `\`${ended.id}\``
        this.#c.report('PW1038', this.#place(node), `This step is never reached: ${what} ends the block.`)
      }
      ended = null
      last = this.#node(node, scope, context)
      ends ||= endsBlock(node)
      if (endsBlock(node)) ended = node
      this.#proveAfter(node, scope)
    }
    return ends ? NEVER : last
  }

  /** A branch that ends the block, not taken, says that its condition did not hold. */
  #proveAfter(node: PlanNode, scope: Scope): void {
    if (node.kind !== 'if' || node.if !== undefined || node.onError !== undefined) return
    if (node.then.some(endsBlock)) scope.prove(this.#values.proves(node.condition, false))
    if (node.else.some(endsBlock)) scope.prove(this.#values.proves(node.condition, true))
  }

  /** Whether a step, or anything in it, has an error: what follows from it may not stay so. */
  #hasError(node: PlanNode): boolean {
    const own = pointerOf(this.#place(node))
    return this.#c.problems.some(
      ({ severity, pointer = '' }) => severity === 'error' && (pointer === own || pointer.startsWith(`${own}/`)),
    )
  }

  #place(node: PlanNode): Place {
    return this.#c.origins.place(node) ?? rootPlace(null)
  }

  #node(node: PlanNode, scope: Scope, context: BlockContext): Type {
    const before = this.#values.current
    this.#values.current = node
    if (node.if !== undefined) this.#values.condition(node.if, scope)
    this.#dependsOn(node, scope)
    const inner = new Map<string, Type>()
    // Where the step runs, its own condition has held.
    const within = node.if === undefined ? scope : scope.child().prove(this.#values.proves(node.if, true))
    const own = this.#c.origins.isBroken(node) ? ANY : this.#kind(node, within, context, inner)
    if (node.label !== undefined) this.#values.template(node.label, within)
    if (node.onError !== undefined) {
      const handler = handlerScope(within)
      for (const [id, type] of inner) handler.addStep(id, nullable(type))
      this.block(node.onError, handler, { ...context, handlesError: true })
      this.#values.current = node
    }
    const mayBeSkipped = node.if !== undefined || node.onError !== undefined
    const type = mayBeSkipped ? nullable(own) : own
    for (const [id, innerType] of inner) this.#declare(id, mayBeSkipped ? nullable(innerType) : innerType, scope, node)
    if (node.id !== undefined) this.#declare(node.id, type, scope, node)
    if (node.label !== undefined) scope.addLabel()
    this.types.set(node.path, type)
    this.#values.current = before
    return type
  }

  #declare(id: string, type: Type, scope: Scope, node: PlanNode): void {
    const known = scope.find(id)
    if (known !== undefined && node.id === id && !SCOPE_NAMES.includes(id)) {
      const place = this.#idPlace(node)
      const message = known.isStep
        ? `There is already a step \`${id}\` that is visible here.`
        : `\`${id}\` already names something here.`
      this.#c.report(known.isStep ? 'PW1040' : 'PW1041', place, message)
    } else if (known?.isStep === true) {
      this.#reportInner(id, node)
    }
    if (node.id === id && NAMESPACES.has(id)) {
      this.#c.report(
        'PW1041',
        this.#idPlace(node),
        `\`${id}\` names functions (\`${id}.…\`) in every expression; choose another name.`,
      )
    }
    scope.addStep(id, type)
  }

  /** A step inside a branch has the id of one that is visible where the branches end. */
  #reportInner(id: string, node: PlanNode): void {
    const inside = visibleBlocks(node)
      .flat()
      .find((step) => step.id === id)
    if (inside !== undefined && this.types.has(inside.path)) return
    this.#c.report(
      'PW1040',
      inside === undefined ? this.#place(node) : this.#idPlace(inside),
      `There is already a step \`${id}\`.`,
    )
  }

  #idPlace(node: PlanNode): Place {
    const place = this.#place(node)
    const direct = childPlace(place, 'id')
    if (direct !== undefined) return direct
    const input = node.kind === 'action' ? this.#c.origins.place(node.input) : undefined
    return (input && childPlace(input, 'id')) ?? place
  }

  /** In a sequence `depends_on` is only checked; branches of `parallel` it orders. */
  #dependsOn(node: PlanNode, scope: Scope): void {
    for (const name of this.#c.origins.dependsOn(node.path)) {
      if (scope.find(wordOf(name.value))?.isStep === true) continue
      const near = closest(wordOf(name.value), scope.stepNames())
      this.#c.report('PW1039', name, `\`${wordOf(name.value)}\` is no step that can have run before this one.`, {
        ...(near === undefined ? {} : { suggestion: `did you mean \`${near}\`?` }),
      })
    }
  }

  /** Checks what is special of a kind; ids that stay visible after it are put into `inner`. */
  #kind(node: PlanNode, scope: Scope, context: BlockContext, inner: Map<string, Type>): Type {
    const place = this.#place(node)
    switch (node.kind) {
      case 'task':
        this.#references.task(node, place, scope)
        return effectType(outputSchema(this.#c.catalog, node), node.outputs)
      case 'subflow':
        this.#references.subflow(node, place, scope)
        return effectType(outputSchema(this.#c.catalog, node), node.outputs)
      case 'action':
        this.#references.action(node, place, scope)
        return effectType(outputSchema(this.#c.catalog, node), node.outputs)
      case 'set':
        return this.#set(node, scope)
      case 'emit':
        this.#storedTemplate(node.event, scope, place, 'The event')
        this.#storedTemplate(node.data, scope, place, 'The data of the event')
        return NULL
      case 'wait':
        return this.#wait(node, scope)
      case 'fail':
        if (node.rethrow && !context.handlesError) {
          this.#c.report(
            'PW1036',
            childPlace(place, 'fail') ?? place,
            '`rethrow` needs an error that is being handled: it stands in `catch` or `on_error`.',
            { suggestion: 'move it there, or raise an error of your own: `fail: { message: … }`' },
          )
        }
        for (const template of [node.message, node.code, node.data]) {
          if (template !== undefined) this.#storedTemplate(template, scope, place, 'The error')
        }
        return NEVER
      case 'exit':
        if (context.noExit !== undefined) {
          this.#c.report('PW1037', childPlace(place, 'exit') ?? place, `\`exit\` cannot stand ${context.noExit}.`, {
            key: true,
          })
        }
        if (node.reason !== undefined) this.#storedTemplate(node.reason, scope, place, 'The reason')
        if (node.outputs !== undefined) this.#storedTemplate(node.outputs, scope, place, 'The outputs')
        return NEVER
      case 'if':
        this.#values.condition(node.condition, scope)
        return this.#exclusive(
          [true, false].map((outcome) => ({
            block: outcome ? node.then : node.else,
            facts: this.#values.proves(node.condition, outcome),
          })),
          scope,
          context,
          inner,
        )
      case 'switch':
        return this.#switch(node, scope, context, inner)
      case 'loop':
        return this.#loop(node, scope, context)
      case 'repeat':
        return this.#repeat(node, scope, context)
      case 'parallel':
        return this.#parallel(node, scope, context, inner)
      case 'try':
        return this.#try(node, scope, context, inner)
    }
  }

  #stored(type: Type, place: Place, what: string): void {
    if (!containsSecret(type)) return
    this.#c.report('PW1067', place, `${what} would be stored with a secret in it.`)
  }

  #storedTemplate(template: Template, scope: Scope, step: Place, what: string): void {
    const type = this.#values.template(template, scope)
    this.#stored(type, this.#secretPlace(template, type) ?? step, what)
  }

  /** The very part of a template that holds a secret. */
  #secretPlace(template: Template, type: Type): Place | undefined {
    if (template.kind === 'map' && type.kind === 'object') {
      for (const [key, part] of template.entries) {
        const field = type.fields.get(key)
        if (field !== undefined && containsSecret(field.type)) return this.#secretPlace(part, field.type)
      }
    }
    return this.#c.origins.place(template)
  }

  #set(node: SetNode, scope: Scope): Type {
    const entries = node.values.map(([name, template]) => {
      const type = this.#values.template(template, scope)
      this.#stored(type, this.#secretPlace(template, type) ?? this.#place(node), `\`${name}\``)
      return [name, widenLiteral(type)] as const
    })
    return objectOf(Object.fromEntries(entries))
  }

  #wait(node: Extract<PlanNode, { kind: 'wait' }>, scope: Scope): Type {
    const { wait } = node
    const texts = arrayOf(STRING)
    const parts: readonly (readonly [string, Template | undefined, Type])[] =
      wait.kind === 'delay'
        ? [['The duration of `wait`', wait.duration, DURATION]]
        : wait.kind === 'until'
          ? [['`until`', wait.until, DURATION]]
          : [
              ['`timeout`', wait.timeout, DURATION],
              ['`event`', wait.kind === 'event' ? wait.event : undefined, ANY],
              ['`title`', wait.kind === 'approval' ? wait.title : undefined, ANY],
              ['`assignees`', wait.kind === 'approval' ? wait.assignees : undefined, union(STRING, texts)],
            ]
    for (const [what, template, expected] of parts) {
      if (template === undefined) continue
      const type = this.#values.template(template, scope)
      this.#stored(type, this.#c.origins.place(template) ?? this.#place(node), 'The wait')
      this.#expect(template, type, { what, expected, node })
    }
    if (wait.kind === 'until' && wait.until.kind === 'literal' && !this.#c.origins.isBroken(wait.until)) {
      if (parseTime(wait.until.value) === null) {
        this.#c.report(
          'PW1013',
          this.#c.origins.place(wait.until) ?? this.#place(node),
          '`until` is no point in time.',
          {
            suggestion: 'write `2026-03-01T09:00:00Z`, with its zone, or milliseconds since 1970',
          },
        )
      }
    }
    if (wait.kind === 'event' && wait.match !== undefined) {
      this.#values.expression(wait, 'match', scope.child().addName('event', ANY), 'condition')
    }
    return waitType(node)
  }

  /** Reports a value that can only fail where it is used. */
  #expect(
    template: Template,
    type: Type,
    { what, expected, node }: { readonly what: string; readonly expected: Type; readonly node: PlanNode },
  ): void {
    const place = this.#c.origins.place(template) ?? this.#place(node)
    if (type.kind === 'secret' || type.kind === 'any' || this.#c.origins.isBroken(template)) return
    if (!membersOf(type).some((member) => overlaps(member, expected))) {
      this.#c.report('PW1062', place, `${what} is ${describeType(expected)}, not ${describeWithArticle(type)}.`, {
        suggestion: conversion(expected, type, template.kind === 'literal'),
      })
    } else if (mayBeNull(type) && !mayBeNull(expected)) {
      this.#c.report('PW1068', place, `${what} is ${describeType(expected)}, but this may be null.`, {
        suggestion: 'give a value for null with `??`',
      })
    }
  }

  /**
   * Branches of which exactly one runs: the same id may stand in several. An id that every branch has which comes to its
   * end is there afterwards; any other may be null.
   */
  #exclusive(branches: readonly Branch[], scope: Scope, context: BlockContext, inner: Map<string, Type>): Type {
    const values: Type[] = []
    const ended: ReadonlyMap<string, Type>[] = []
    for (const { block, facts } of branches) {
      const branch = scope.child().prove(facts)
      values.push(this.block(block, branch, context))
      const own = branch.ownSteps()
      if (!block.some(endsBlock)) ended.push(own)
      for (const [id, type] of own) inner.set(id, union(inner.get(id) ?? NEVER, type))
    }
    for (const [id, type] of inner) if (!ended.every((own) => own.has(id))) inner.set(id, nullable(type))
    return union(...values)
  }

  #switch(node: SwitchNode, scope: Scope, context: BlockContext, inner: Map<string, Type>): Type {
    const on = this.#values.expression(node, 'on', scope)
    for (const branch of node.cases) {
      for (const when of branch.when) {
        const type = this.#values.template(when, scope)
        if (overlaps(on, type) || (type.kind === 'null' && mayBeNull(on))) continue
        const message = `This case is never taken: the value is ${describeWithArticle(on)}, never ${describeWithArticle(type)}.`
        this.#c.report('PW1062', this.#c.origins.place(when) ?? this.#place(node), message, {
          suggestion: conversion(on, type, when.kind === 'literal') ?? 'correct the value, or remove the case',
        })
      }
    }
    const cases = node.cases.map((branch) => {
      const present = branch.when.every((when) => when.kind === 'literal' && when.value !== null)
      return { block: branch.do, facts: present ? this.#values.provesPresent(node, 'on') : NO_FACTS }
    })
    return this.#exclusive([...cases, { block: node.default, facts: NO_FACTS }], scope, context, inner)
  }

  #name(name: string, type: Type, key: string, node: PlanNode, scope: Scope): void {
    const place = this.#place(node)
    const at = childPlace(place, key) ?? place
    const count = this.#c.problems.length
    reportWord(this.#c, at, name)
    if (count === this.#c.problems.length && scope.find(name) !== undefined) {
      this.#c.report('PW1041', at, `\`${name}\` already names something here; choose another name.`)
    }
    scope.addName(name, type)
  }

  #loop(node: LoopNode, scope: Scope, context: BlockContext): Type {
    const items = this.#values.expression(node, 'items', scope)
    const lists = membersOf(withoutNull(items))
    const place = childPlace(this.#place(node), 'for_each') ?? this.#place(node)
    if (
      lists.every((type) => type.kind !== 'array' && type.kind !== 'any' && type.kind !== 'never') ||
      items.kind === 'null'
    ) {
      this.#c.report('PW1064', place, `\`for_each\` needs a list, but this is ${describeWithArticle(items)}.`)
    } else if (mayBeNull(items)) {
      this.#c.report('PW1068', place, '`for_each` needs a list, but this may be null.', {
        suggestion: 'write `… ?? []`',
      })
    }
    const item = union(...lists.map((type) => (type.kind === 'array' ? type.items : ANY)))
    const iteration = scope.child()
    this.#name(node.as, item.kind === 'never' ? ANY : item, 'as', node, iteration)
    if (node.indexAs !== undefined) this.#name(node.indexAs, NUMBER, 'index_as', node, iteration)
    const last = this.block(node.do, iteration, context)
    this.#values.current = node
    const collected = node.collect === undefined ? last : this.#values.expression(node, 'collect', iteration)
    this.#stored(collected, childPlace(this.#place(node), 'collect') ?? this.#place(node), '`collect`')
    return loopType(collected, node.onItemError === 'continue')
  }

  #repeat(node: RepeatNode, scope: Scope, context: BlockContext): Type {
    const place = childPlace(this.#place(node), 'repeat') ?? this.#place(node)
    const names = new Set(node.vars.map(([name]) => name))
    const iteration = scope.child()
    for (const [name, template] of node.vars) {
      const initial = this.#values.template(template, scope)
      // What `next` will give is not known before the steps are; null is only where a variable begins.
      const changes = node.next.some(([changed]) => changed === name)
      this.#name(name, changes && mayBeNull(initial) ? ANY : widen(initial), 'repeat', node, iteration)
    }
    const last = this.block(node.do, iteration, context)
    this.#values.current = node
    for (const [name, template] of node.next) {
      this.#storedTemplate(template, iteration, place, `\`${name}\``)
      if (names.has(name)) continue
      const next = childPlace(place, 'next')
      const at = (next && childPlace(next, name)) ?? place
      const near = closest(name, names)
      this.#c.report('PW1061', at, `\`next\` gives a value to \`${name}\`, which is not among \`vars\`.`, {
        key: true,
        suggestion: near === undefined ? 'add it to `vars`' : `did you mean \`${near}\`?`,
      })
    }
    if (node.until !== undefined) this.#values.expression(node, 'until', iteration, 'condition')
    const collected = node.collect === undefined ? last : this.#values.expression(node, 'collect', iteration)
    this.#stored(collected, childPlace(place, 'collect') ?? place, '`collect`')
    return repeatType(collected)
  }

  /** The values of the branches, in document order. */
  #parallel(node: ParallelNode, scope: Scope, context: BlockContext, inner: Map<string, Type>): Type {
    const values: Type[] = node.branches.map(() => ANY)
    const scopes = new Map<number, Scope>()
    for (const index of branchOrder(node, (circular) => this.#reportCircle(node, circular))) {
      const branch = node.branches[index]
      if (branch === undefined) continue
      const branchScope = scope.child()
      for (const earlier of allBefore(node, index)) {
        for (const [id, type] of scopes.get(earlier)?.ownSteps() ?? []) branchScope.addStep(id, type)
      }
      const seen = new Set(branchScope.ownSteps().keys())
      values[index] = this.block(branch.do, branchScope, context)
      scopes.set(index, branchScope)
      for (const [id, type] of branchScope.ownSteps()) {
        if (seen.has(id)) continue
        if (inner.has(id)) this.#reportTwin(id, branch.do)
        inner.set(id, type)
      }
    }
    return values.some((value) => value.kind === 'never') ? NEVER : tupleOf(values)
  }

  #reportTwin(id: string, block: Block): void {
    const twin = block.find((node) => node.id === id)
    const place =
      twin === undefined ? this.#place(block[0] ?? { kind: 'set', path: '', values: [] }) : this.#idPlace(twin)
    this.#c.report('PW1040', place, `Another branch has a step \`${id}\` too, and both run.`)
  }

  #reportCircle(node: ParallelNode, index: number): void {
    const first = node.branches[index]?.do.flatMap((step) => this.#c.origins.dependsOn(step.path))[0]
    this.#c.report(
      'PW1039',
      first ?? this.#place(node),
      'These branches wait for each other: `depends_on` goes round in a circle.',
    )
  }

  /** What is in `try` is there afterwards unless a `catch` lets the flow go on without it. */
  #try(node: TryNode, scope: Scope, context: BlockContext, inner: Map<string, Type>): Type {
    const tried = scope.child()
    const value = this.block(node.try, tried, context)
    const caught = handlerScope(scope)
    for (const [id, type] of tried.ownSteps()) caught.addStep(id, nullable(type))
    const handled = this.block(node.catch, caught, { ...context, handlesError: true })
    const goesOn = node.catch.length > 0 && !node.catch.some(endsBlock)
    const last = scope.child()
    const sure = tried.ownSteps()
    for (const [id, type] of [...caught.ownSteps(), ...sure]) {
      last.addStep(id, nullable(type))
      inner.set(id, sure.has(id) && !goesOn ? type : nullable(type))
    }
    const before = new Set(last.ownSteps().keys())
    this.block(node.finally, last, { ...context, noExit: 'in `finally`' })
    for (const [id, type] of last.ownSteps()) if (!before.has(id)) inner.set(id, type)
    return goesOn ? union(value, handled) : value
  }
}

/** A scope in which an error is handled. */
export function handlerScope(scope: Scope): Scope {
  return scope
    .child()
    .addName('error', ERROR_TYPE)
    .addName('context', objectOf({ last_error: { kind: 'string' } }))
}

/** What a step has set is more than the literal it is set to here: conditions on it are no mistakes. */
function widenLiteral(type: Type): Type {
  return type.kind === 'literal' && typeof type.value === 'boolean' ? BOOLEAN : widen(type)
}
