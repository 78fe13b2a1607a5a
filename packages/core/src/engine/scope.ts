/**
 * What expressions see. The run and each iteration of a loop have a scope with the values of their steps; a handler has
 * one that adds `error`. One `View` per decision looks through them for whichever step is being computed.
 */
import type { Scope } from '../expression/compile.ts'
import { SecretText, setOwn } from '../expression/value.ts'
import type { Value } from '../expression/value.ts'
import { PlugworkError } from '../error.ts'
import type { ErrorInfo } from '../error.ts'
import type { Json } from '../json.ts'
import type { StartFacts } from './event.ts'
import type { BlockFrame, LoopFrame, RepeatFrame } from './frames.ts'
import { waitUrl } from './key.ts'
import type { Program, ProgramNode, StaticScope } from './program.ts'
import { unseal } from './secrets.ts'
import type { RunState } from './state.ts'

/** One link of the chain of scopes. */
export class RunScope {
  readonly up: RunScope | null
  /** The scope that the values of steps belong to: itself, unless it only adds `error`. */
  readonly home: RunScope
  /** The block that opened the scope. */
  readonly frame: BlockFrame | null
  /** The loop or repeat whose iteration it is. */
  readonly owner: LoopFrame | RepeatFrame | null
  readonly names: StaticScope | null
  readonly error: ErrorInfo | null
  readonly #upPath: string

  private constructor(fields: {
    readonly up: RunScope | null
    readonly frame: BlockFrame | null
    readonly owner: LoopFrame | RepeatFrame | null
    readonly names: StaticScope | null
    readonly error: ErrorInfo | null
    readonly path: string
  }) {
    this.up = fields.up
    this.frame = fields.frame
    this.owner = fields.owner
    this.names = fields.names
    this.error = fields.error
    this.#upPath = fields.path
    this.home = fields.names === null && fields.up !== null ? fields.up.home : this
  }

  /** The scope of the run itself. */
  static ofRun(names: StaticScope, frame: BlockFrame | null): RunScope {
    return new RunScope({ up: null, frame, owner: null, names, error: null, path: '' })
  }

  /** The scope of one iteration; `path` is that of the loop. */
  static ofIteration(
    up: RunScope,
    frame: BlockFrame,
    owner: LoopFrame | RepeatFrame,
    names: StaticScope,
    path: string,
  ): RunScope {
    return new RunScope({ up, frame, owner, names, error: null, path })
  }

  /** The scope of a handler. */
  static ofHandler(up: RunScope, error: ErrorInfo): RunScope {
    return new RunScope({ up, frame: null, owner: null, names: null, error, path: '' })
  }

  /** Path of the iteration, such as `loop[3]`; '' for the run. */
  get path(): string {
    const { home } = this
    return home.frame === null || home.owner === null ? '' : `${home.#upPath}[${home.frame.index}]`
  }

  /** Value of a name of this scope; undefined when it has no such name. */
  own(name: string): Value | undefined {
    const { names, frame, error } = this
    if (names === null) return error === null ? undefined : handlerName(name, error)
    const slot = names.slots.get(name)
    if (slot !== undefined) return frame?.values?.[slot] ?? null
    const { owner } = this
    if (owner === null || frame === null) return undefined
    if (owner.kind === 'loop') {
      if (name === names.as) return owner.items[frame.index] ?? null
      return name === names.indexAs ? frame.index : undefined
    }
    return Object.hasOwn(owner.vars, name) ? (owner.vars[name] ?? null) : undefined
  }
}

function handlerName(name: string, error: ErrorInfo): Value | undefined {
  if (name === 'error') return errorValue(error)
  return name === 'context' ? { last_error: error.message } : undefined
}

/** An error as handlers see it. */
export function errorValue(error: ErrorInfo): Json {
  return {
    code: error.code,
    message: error.message,
    step: error.step ?? null,
    data: error.data ?? null,
    cause: error.cause === undefined ? null : errorValue(error.cause),
  }
}

/** Path of a node at run time: the iterations around it filled in, the generation at its end. */
export function pathOf(scope: RunScope, node: ProgramNode, gen: number): string {
  const path = scope.path + node.suffix
  return gen > 1 ? `${path}@${gen}` : path
}

/** The path that a step's idempotency key is made of: a retry in place begins the step again under the same key. */
export function keyPath(path: string, gen: number): string {
  return gen > 1 ? path.slice(0, -`@${gen}`.length) : path
}

/** The `Scope` of expressions, pointed at one step after the other. */
export class View implements Scope {
  readonly now: number
  readonly counter = { uuids: 0 }
  readonly #globals: Globals
  #scope: RunScope
  #node: ProgramNode | null = null
  #event: Value | undefined

  constructor(globals: Globals, scope: RunScope, now: number) {
    this.#globals = globals
    this.#scope = scope
    this.now = now
  }

  /** Points the view at a step. */
  at(scope: RunScope, node: ProgramNode | null): this {
    // All expressions of a step share the count, so that no two of them draw the same `uuid()`.
    if (scope !== this.#scope || node !== this.#node) this.counter.uuids = 0
    this.#scope = scope
    this.#node = node
    return this
  }

  /** Evaluates with `event` in scope. */
  withEvent<T>(event: Value, evaluate: (view: this) => T): T {
    this.#event = event
    try {
      return evaluate(this)
    } finally {
      this.#event = undefined
    }
  }

  get seed(): string {
    const path = this.#node === null ? this.#scope.path : pathOf(this.#scope, this.#node, 1)
    return `${this.#globals.facts.runId}\n${path}`
  }

  get(name: string): Value | undefined {
    for (let scope: RunScope | null = this.#scope; scope !== null; scope = scope.up) {
      const value = scope.own(name)
      if (value !== undefined) return value
    }
    if (name === 'steps') return this.#labels()
    if (name === 'event' && this.#event !== undefined) return this.#event
    return this.#globals.get(name)
  }

  isStep(name: string): boolean {
    for (let scope: RunScope | null = this.#scope; scope !== null; scope = scope.up) {
      if (scope.names === null) continue
      if (scope.names.slots.has(name)) return true
      if (scope.own(name) !== undefined) return false
    }
    return false
  }

  /** A wait of an iteration around the step is named by its path, any other one by its id. */
  waitUrl(id: string): string {
    const { facts, program } = this.#globals
    const nodes = (program.byId.get(id) ?? []).filter((node) => node.kind === 'wait')
    if (nodes.length === 0) throw new PlugworkError('wait_unknown', `There is no \`wait\` step with the id \`${id}\`.`)
    for (let scope: RunScope | null = this.#scope; scope !== null; scope = scope.up) {
      const node = nodes.find((wait) => wait.scope === scope?.names)
      if (node !== undefined && scope.owner !== null) return waitUrl(facts, scope.path + node.suffix)
    }
    return waitUrl(facts, id)
  }

  #labels(): Value {
    const labels: { [label: string]: Value } = {}
    for (let scope: RunScope | null = this.#scope; scope !== null; scope = scope.up) {
      for (const [label, value] of Object.entries(scope.frame?.labels ?? {})) {
        if (!Object.hasOwn(labels, label)) setOwn(labels, label, value)
      }
    }
    return labels
  }
}

/** Names that are the same everywhere in a run. Made once for a run in memory. */
export class Globals {
  readonly facts: StartFacts
  readonly program: Program
  readonly #state: RunState
  readonly #values = new Map<string, Value>()

  constructor(program: Program, state: RunState) {
    this.facts = state.facts
    this.program = program
    this.#state = state
  }

  /** Value of a name; made when it is first asked for. */
  get(name: string): Value | undefined {
    const known = this.#values.get(name)
    if (known !== undefined) return known
    const value = this.#make(name)
    if (value !== undefined) this.#values.set(name, value)
    return value
  }

  #make(name: string): Value | undefined {
    const { facts, program } = this
    const state = this.#state
    switch (name) {
      case 'inputs':
        return unseal({ json: facts.inputs, secrets: facts.secrets ?? null })
      case 'env':
        return environment(program.plan.env, facts.env)
      case 'secrets':
        return {}
      case 'run':
        return { id: facts.runId, attempt: state.generation, started_at: new Date(state.startedAt).toISOString() }
      case 'flow':
        return { name: program.plan.flow, version: program.hash }
      case 'trigger':
        return facts.trigger
      default:
        return undefined
    }
  }
}
/** Names that were not captured when the run started are opaque: they are resolved where they are used. */
function environment(names: readonly string[], captured: { readonly [name: string]: string | null }): Value {
  const values: { [name: string]: Value } = {}
  for (const name of names) {
    const value = Object.hasOwn(captured, name) ? (captured[name] ?? null) : new SecretText([{ source: 'env', name }])
    setOwn(values, name, value)
  }
  return values
}
