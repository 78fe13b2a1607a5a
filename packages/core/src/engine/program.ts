/**
 * A program is a plan made ready to run: expressions compiled, nodes and blocks numbered, ids given slots. The numbers
 * follow from the plan alone (document order), so that states and snapshots can name nodes by them.
 */
import { PlugworkError, assertNever } from '../error.ts'
import type {
  ActionNode,
  Block,
  EffectNode,
  OnInterrupt,
  ParallelNode,
  Plan,
  PlanNode,
  RetryPolicy,
  SubflowNode,
  SwitchNode,
  TaskNode,
  Template,
  WaitNode,
} from '../flow/plan.ts'
import { Coder } from './code.ts'
import type { Render, Rendered, Test } from './code.ts'

/** What one scope (the run, an iteration) gives names to. */
export interface StaticScope {
  /** Slots of the ids inside, those of branches and handlers included. */
  readonly slots: ReadonlyMap<string, number>
  /** Name of the loop's item, and of its position. */
  readonly as: string | null
  readonly indexAs: string | null
  /** Names of a repeat's variables. */
  readonly vars: readonly string[]
  /** Static path of the loop whose iterations these are; '' for the run. */
  readonly path: string
}

interface NodeBase {
  readonly index: number
  readonly path: string
  readonly scope: StaticScope
  /** The path below its scope: what follows the iteration's own path. */
  readonly suffix: string
  readonly id: string | null
  /** Slot of the id in its scope; -1 without an id. */
  readonly slot: number
  readonly label: Render | null
  readonly if: Test | null
  readonly timeoutMs: number | null
  /** Index of the `on_error` block; -1 without one. */
  readonly onError: number
}

export interface EffectProgramNode extends NodeBase {
  readonly kind: 'task' | 'action' | 'subflow'
  readonly plan: EffectNode
  readonly input: Rendered
  readonly retry: RetryPolicy | null
  readonly onInterrupt: OnInterrupt
  readonly outputs: readonly string[]
}

export interface EmitProgramNode extends NodeBase {
  readonly kind: 'emit'
  readonly event: Rendered
  readonly data: Rendered
}

export interface WaitProgramNode extends NodeBase {
  readonly kind: 'wait'
  readonly wait: WaitNode['wait']['kind']
  /** Duration, or time, or event name. */
  readonly subject: Rendered | null
  readonly match: Render | null
  readonly sinceRun: boolean
  readonly timeout: Rendered | null
  readonly title: Rendered | null
  readonly assignees: Rendered | null
  readonly plan: WaitNode
}

export interface SetProgramNode extends NodeBase {
  readonly kind: 'set'
  readonly values: readonly (readonly [string, Rendered])[]
}

export interface IfProgramNode extends NodeBase {
  readonly kind: 'if'
  readonly condition: Test
  readonly thenBlock: number
  readonly elseBlock: number
}

export interface SwitchProgramNode extends NodeBase {
  readonly kind: 'switch'
  readonly on: Render
  readonly cases: readonly { readonly when: readonly Render[]; readonly block: number }[]
  readonly default: number
}

export interface LoopProgramNode extends NodeBase {
  readonly kind: 'loop'
  readonly items: Rendered
  readonly block: number
  readonly concurrency: number
  readonly collect: Rendered | null
  readonly goOn: boolean
}

export interface RepeatProgramNode extends NodeBase {
  readonly kind: 'repeat'
  readonly vars: readonly (readonly [string, Rendered])[]
  readonly block: number
  readonly next: readonly (readonly [string, Rendered])[]
  readonly until: Render | null
  readonly collect: Rendered | null
  readonly max: number
  readonly delayMs: number
}

export interface ParallelProgramNode extends NodeBase {
  readonly kind: 'parallel'
  readonly branches: readonly { readonly block: number; readonly after: readonly number[] }[]
  readonly waitForAll: boolean
}

export interface TryProgramNode extends NodeBase {
  readonly kind: 'try'
  readonly try: number
  /** -1 when there is none. */
  readonly catch: number
  readonly finally: number
}

export interface FailProgramNode extends NodeBase {
  readonly kind: 'fail'
  readonly rethrow: boolean
  readonly message: Rendered | null
  readonly code: Rendered | null
  readonly data: Rendered | null
}

export interface ExitProgramNode extends NodeBase {
  readonly kind: 'exit'
  readonly status: 'success' | 'failure'
  readonly reason: Rendered | null
  readonly outputs: Rendered | null
}

export type ProgramNode =
  | EffectProgramNode
  | EmitProgramNode
  | WaitProgramNode
  | SetProgramNode
  | IfProgramNode
  | SwitchProgramNode
  | LoopProgramNode
  | RepeatProgramNode
  | ParallelProgramNode
  | TryProgramNode
  | FailProgramNode
  | ExitProgramNode

export interface ProgramBlock {
  readonly index: number
  readonly nodes: readonly ProgramNode[]
  /** The scope that the block's iterations open; null when its steps belong to the scope around. */
  readonly opens: StaticScope | null
}

export interface Program {
  readonly plan: Plan
  readonly hash: string
  /** Steps that one decision may compute. */
  readonly pureBudget: number
  readonly nodes: readonly ProgramNode[]
  readonly blocks: readonly ProgramBlock[]
  readonly scope: StaticScope
  readonly steps: number
  /** Index of the block; -1 when there is none. */
  readonly onError: number
  readonly onCancel: number
  readonly outputs: readonly (readonly [string, Rendered])[]
  /** Nodes by static path. */
  readonly byPath: ReadonlyMap<string, ProgramNode>
  /** Nodes by id; more than one where branches exclude each other. */
  readonly byId: ReadonlyMap<string, readonly ProgramNode[]>
}

export interface LoadOptions {
  /** Steps that one decision may compute before it reaches an effect or a wait. Default: `PURE_BUDGET`. */
  readonly pureBudget?: number
}

/**
 * Steps that one decision may compute by default: a loop over 100,000 items with fifty steps in it. A run that needs more
 * fails with `pure_budget` instead of holding its worker for more than a few seconds.
 */
export const PURE_BUDGET = 5_000_000

/** Makes a plan ready to run. Throws `plan_invalid` when it cannot be interpreted. */
export function loadProgram(plan: Plan, hash: string, options: LoadOptions = {}): Program {
  const loader = new Loader(new Coder(secretRoots(plan)))
  const scope = new ScopeBuilder({ as: null, indexAs: null, vars: [], path: '' })
  const steps = loader.block(plan.steps, scope, scope.scope)
  const onError = loader.handler(plan.onError, scope)
  const onCancel = loader.handler(plan.onCancel, scope)
  return {
    plan,
    hash,
    pureBudget: options.pureBudget ?? PURE_BUDGET,
    nodes: loader.nodes,
    blocks: loader.blocks,
    scope: scope.scope,
    steps,
    onError,
    onCancel,
    outputs: plan.outputs.map(({ name, value }) => [name, loader.coder.template(value)] as const),
    byPath: new Map(loader.nodes.map((node) => [node.path, node])),
    byId: Map.groupBy(
      loader.nodes.filter((node) => node.id !== null),
      (node) => node.id ?? '',
    ),
  }
}

/** A scope while its ids are collected. */
class ScopeBuilder {
  readonly scope: StaticScope
  readonly #slots = new Map<string, number>()

  constructor(names: Omit<StaticScope, 'slots'>) {
    this.scope = { ...names, slots: this.#slots }
  }

  slot(id: string | undefined): number {
    if (id === undefined) return -1
    const known = this.#slots.get(id) ?? this.#slots.size
    this.#slots.set(id, known)
    return known
  }
}

/** Inputs hold secrets only in flows that declare some. */
function secretRoots(plan: Plan): readonly string[] {
  return plan.inputs.some((input) => input.secret) ? ['secrets', 'env', 'inputs'] : ['secrets', 'env']
}

class Loader {
  readonly coder: Coder
  readonly nodes: ProgramNode[] = []
  readonly blocks: ProgramBlock[] = []

  constructor(coder: Coder) {
    this.coder = coder
  }

  /** Numbers a block and what is in it; answers its index. */
  block(block: Block, scope: ScopeBuilder, opens: StaticScope | null): number {
    const index = this.blocks.length
    const nodes: ProgramNode[] = []
    this.blocks.push({ index, nodes, opens })
    for (const node of block) nodes.push(this.#node(node, scope))
    return index
  }

  handler(block: Block | undefined, scope: ScopeBuilder): number {
    return block === undefined || block.length === 0 ? -1 : this.block(block, scope, null)
  }

  #node(node: PlanNode, scope: ScopeBuilder): ProgramNode {
    const index = this.nodes.length
    // Holds the place, so that what is inside is numbered after it.
    this.nodes.push(PLACE)
    const made = this.#make(node, this.#base(node, index, scope), scope)
    this.nodes[index] = made
    return made
  }

  #base(node: PlanNode, index: number, scope: ScopeBuilder): NodeBase {
    const outer = scope.scope.path
    if (outer !== '' && !node.path.startsWith(`${outer}/`)) {
      throw new PlugworkError(
        'plan_invalid',
        `The step ${node.path} is inside the loop ${outer}, but its path says otherwise.`,
      )
    }
    return {
      index,
      path: node.path,
      scope: scope.scope,
      suffix: node.path.slice(outer.length),
      id: node.id ?? null,
      slot: scope.slot(node.id),
      label: node.label === undefined ? null : this.coder.template(node.label).render,
      if: node.if === undefined ? null : this.coder.condition(node.if),
      timeoutMs: node.timeoutMs ?? null,
      onError: this.handler(node.onError, scope),
    }
  }

  #make(node: PlanNode, base: NodeBase, scope: ScopeBuilder): ProgramNode {
    const { coder } = this
    switch (node.kind) {
      case 'task':
      case 'action':
      case 'subflow':
        return this.#effect(node, base)
      case 'emit':
        return { ...base, kind: 'emit', event: coder.template(node.event), data: coder.template(node.data) }
      case 'wait':
        return this.#wait(node, base)
      case 'set':
        return { ...base, kind: 'set', values: this.#entries(node.values) }
      case 'if':
        return {
          ...base,
          kind: 'if',
          condition: coder.condition(node.condition),
          thenBlock: this.block(node.then, scope, null),
          elseBlock: this.block(node.else, scope, null),
        }
      case 'switch':
        return this.#switch(node, base, scope)
      case 'loop': {
        const inner = new ScopeBuilder({ as: node.as, indexAs: node.indexAs ?? null, vars: [], path: node.path })
        return {
          ...base,
          kind: 'loop',
          items: coder.value(node.items),
          block: this.block(node.do, inner, inner.scope),
          concurrency: node.concurrency,
          collect: node.collect === undefined ? null : coder.value(node.collect),
          goOn: node.onItemError === 'continue',
        }
      }
      case 'repeat': {
        const vars = node.vars.map(([name]) => name)
        const inner = new ScopeBuilder({ as: null, indexAs: null, vars, path: node.path })
        return {
          ...base,
          kind: 'repeat',
          vars: this.#entries(node.vars),
          block: this.block(node.do, inner, inner.scope),
          next: this.#entries(node.next),
          until: node.until === undefined ? null : coder.expression(node.until),
          collect: node.collect === undefined ? null : coder.value(node.collect),
          max: node.max,
          delayMs: node.delayMs,
        }
      }
      case 'parallel':
        return this.#parallel(node, base, scope)
      case 'try':
        return {
          ...base,
          kind: 'try',
          try: this.block(node.try, scope, null),
          catch: this.handler(node.catch, scope),
          finally: this.handler(node.finally, scope),
        }
      case 'fail':
        return {
          ...base,
          kind: 'fail',
          rethrow: node.rethrow,
          message: this.#optional(node.message),
          code: this.#optional(node.code),
          data: this.#optional(node.data),
        }
      case 'exit':
        return {
          ...base,
          kind: 'exit',
          status: node.status,
          reason: this.#optional(node.reason),
          outputs: this.#optional(node.outputs),
        }
      default:
        return assertNever(node)
    }
  }

  #effect(node: TaskNode | ActionNode | SubflowNode, base: NodeBase): EffectProgramNode {
    return {
      ...base,
      kind: node.kind,
      plan: node,
      input: this.coder.template(node.input),
      retry: node.retry ?? null,
      onInterrupt: node.onInterrupt,
      outputs: node.outputs,
    }
  }

  #wait(node: WaitNode, base: NodeBase): WaitProgramNode {
    const { wait } = node
    const timeout = 'timeout' in wait ? this.#optional(wait.timeout) : null
    const none = { subject: null, match: null, sinceRun: true, timeout, title: null, assignees: null }
    const common = { ...base, ...none, kind: 'wait' as const, wait: wait.kind, plan: node }
    switch (wait.kind) {
      case 'delay':
        return { ...common, subject: this.coder.template(wait.duration) }
      case 'until':
        return { ...common, subject: this.coder.template(wait.until) }
      case 'event':
        return {
          ...common,
          subject: this.coder.template(wait.event),
          match: wait.match === undefined ? null : this.coder.expression(wait.match),
          sinceRun: wait.since === 'run',
        }
      case 'approval':
        return { ...common, title: this.#optional(wait.title), assignees: this.#optional(wait.assignees) }
      case 'webhook':
        return common
      default:
        return assertNever(wait)
    }
  }

  #switch(node: SwitchNode, base: NodeBase, scope: ScopeBuilder): ProgramNode {
    return {
      ...base,
      kind: 'switch',
      on: this.coder.expression(node.on),
      cases: node.cases.map((branch) => ({
        when: branch.when.map((when) => this.coder.template(when).render),
        block: this.block(branch.do, scope, null),
      })),
      default: this.block(node.default, scope, null),
    }
  }

  #parallel(node: ParallelNode, base: NodeBase, scope: ScopeBuilder): ProgramNode {
    const branches = node.branches.map((branch) => ({
      block: this.block(branch.do, scope, null),
      after: branch.after,
    }))
    checkOrder(node)
    return { ...base, kind: 'parallel', branches, waitForAll: node.onBranchError === 'wait' }
  }

  #entries(entries: readonly (readonly [string, Template])[]): readonly (readonly [string, Rendered])[] {
    return entries.map(([name, template]) => [name, this.coder.template(template)] as const)
  }

  #optional(template: Template | undefined): Rendered | null {
    return template === undefined ? null : this.coder.template(template)
  }
}

/** Refuses branches that wait for each other in a circle: they would never begin. */
function checkOrder(node: ParallelNode): void {
  const ordered = new Set<number>()
  for (let found = true; found;) {
    found = false
    for (const [index, branch] of node.branches.entries()) {
      if (ordered.has(index) || !branch.after.every((before) => ordered.has(before))) continue
      ordered.add(index)
      found = true
    }
  }
  if (ordered.size < node.branches.length) {
    throw new PlugworkError('plan_invalid', `Branches of ${node.path} wait for each other, so none of them can begin.`)
  }
}

const PLACE: ProgramNode = {
  kind: 'set',
  values: [],
  index: -1,
  path: '',
  scope: { slots: new Map(), as: null, indexAs: null, vars: [], path: '' },
  suffix: '',
  id: null,
  slot: -1,
  label: null,
  if: null,
  timeoutMs: null,
  onError: -1,
}
