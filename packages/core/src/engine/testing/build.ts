/** Plans for tests, built by hand: steps without paths, and values whose strings may hold `${…}`. */
import { PLAN_VERSION } from '../../flow/plan.ts'
import type { Block, Condition, Plan, PlanNode, PlanSettings, RetryPolicy, Template } from '../../flow/plan.ts'
import type { Json } from '../../json.ts'

export type Steps = readonly PlanNode[]

/** A template of a value: `${expr}` alone keeps its type, inside longer text it is interpolated. */
export function template(value: Json): Template {
  if (typeof value === 'string') return text(value)
  if (Array.isArray(value)) return { kind: 'list', items: value.map(template) }
  if (typeof value === 'object' && value !== null) {
    return { kind: 'map', entries: Object.entries(value).map(([key, item]) => [key, template(item)] as const) }
  }
  return { kind: 'literal', value }
}

function text(value: string): Template {
  const parts = value.split(/(\$\{[^}]*\})/).filter((part) => part !== '')
  const holes = parts.map((part) => (part.startsWith('${') ? { source: part.slice(2, -1) } : part))
  const [only] = holes
  if (only === undefined) return { kind: 'literal', value: '' }
  if (holes.length > 1) return { kind: 'text', parts: holes }
  return typeof only === 'string' ? { kind: 'literal', value: only } : { kind: 'expression', source: only.source }
}

const when = (source: string): Condition => ({ kind: 'expression', source })

/** Keys that all steps may have. */
export interface Common {
  readonly if?: string
  readonly timeoutMs?: number
  readonly onError?: Steps
  readonly label?: string
}

function common(id: string | null, options: Common) {
  return {
    path: '',
    ...(id === null ? {} : { id }),
    ...(options.if === undefined ? {} : { if: when(options.if) }),
    ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
    ...(options.onError === undefined ? {} : { onError: options.onError }),
    ...(options.label === undefined ? {} : { label: template(options.label) }),
  }
}

export interface EffectOptions extends Common {
  readonly input?: Json
  readonly retry?: Partial<RetryPolicy>
  readonly onInterrupt?: 'retry' | 'check' | 'hold' | 'fail'
  readonly outputs?: readonly string[]
  readonly secretInputs?: readonly string[]
}

function effect(options: EffectOptions) {
  const { retry } = options
  const policy = { maxAttempts: 3, delayMs: 1000, backoff: 2, maxDelayMs: 60_000, jitter: false, ...retry }
  return {
    input: template(options.input ?? {}),
    outputs: options.outputs ?? [],
    onInterrupt: options.onInterrupt ?? ('retry' as const),
    ...(retry === undefined ? {} : { retry: policy }),
  }
}

export const task = (id: string, options: EffectOptions = {}): PlanNode => ({
  ...common(id, options),
  ...effect(options),
  kind: 'task',
  task: id,
  ...(options.secretInputs === undefined ? {} : { secretInputs: options.secretInputs }),
})

export const action = (id: string, options: EffectOptions = {}): PlanNode => ({
  ...common(id, options),
  ...effect(options),
  kind: 'action',
  connector: 'test',
  action: id,
  effect: 'write',
})

export const subflow = (id: string, options: EffectOptions = {}): PlanNode => ({
  ...common(id, options),
  ...effect(options),
  kind: 'subflow',
  flow: 'Child',
})

export const set = (id: string, values: { readonly [name: string]: Json }, options: Common = {}): PlanNode => ({
  ...common(id, options),
  kind: 'set',
  values: Object.entries(values).map(([name, value]) => [name, template(value)] as const),
})

export const emit = (event: string, data: Json = null): PlanNode => ({
  ...common(null, {}),
  kind: 'emit',
  event: template(event),
  data: template(data),
})

export const cond = (
  condition: string,
  then: Steps,
  otherwise: Steps = [],
  options: Common & { readonly id?: string } = {},
): PlanNode => ({
  ...common(options.id ?? null, options),
  kind: 'if',
  condition: when(condition),
  // oxlint-disable-next-line unicorn/no-thenable -- the word of the language; plans are never awaited
  then,
  else: otherwise,
})

export const choose = (on: string, cases: readonly (readonly [Json, Steps])[], otherwise: Steps = []): PlanNode => ({
  ...common(null, {}),
  kind: 'switch',
  on,
  cases: cases.map(([value, block]) => ({ when: [template(value)], do: block })),
  default: otherwise,
})

export interface LoopOptions extends Common {
  readonly as?: string
  readonly indexAs?: string
  readonly concurrency?: number
  readonly collect?: string
  readonly goOn?: boolean
}

export const loop = (id: string, items: string, block: Steps, options: LoopOptions = {}): PlanNode => ({
  ...common(id, options),
  kind: 'loop',
  items,
  as: options.as ?? 'item',
  ...(options.indexAs === undefined ? {} : { indexAs: options.indexAs }),
  do: block,
  concurrency: options.concurrency ?? 1,
  ...(options.collect === undefined ? {} : { collect: options.collect }),
  onItemError: options.goOn ? 'continue' : 'fail',
})

export interface RepeatOptions extends Common {
  readonly vars?: { readonly [name: string]: Json }
  readonly next?: { readonly [name: string]: Json }
  readonly until?: string
  readonly collect?: string
  readonly max?: number
  readonly delayMs?: number
}

const entries = (values: { readonly [name: string]: Json } = {}) =>
  Object.entries(values).map(([name, value]) => [name, template(value)] as const)

export const repeat = (id: string, block: Steps, options: RepeatOptions = {}): PlanNode => ({
  ...common(id, options),
  kind: 'repeat',
  vars: entries(options.vars),
  do: block,
  next: entries(options.next),
  ...(options.until === undefined ? {} : { until: options.until }),
  ...(options.collect === undefined ? {} : { collect: options.collect }),
  max: options.max ?? 100,
  delayMs: options.delayMs ?? 0,
})

export interface ParallelOptions extends Common {
  readonly id?: string
  readonly wait?: boolean
  /** For each branch the branches that must have ended before. */
  readonly after?: readonly (readonly number[])[]
}

export const parallel = (branches: readonly Steps[], options: ParallelOptions = {}): PlanNode => ({
  ...common(options.id ?? null, options),
  kind: 'parallel',
  branches: branches.map((block, index) => ({ do: block, after: options.after?.[index] ?? [] })),
  onBranchError: options.wait ? 'wait' : 'cancel',
})

export const attempt = (
  block: Steps,
  parts: { readonly catch?: Steps; readonly finally?: Steps } & Common & { readonly id?: string },
): PlanNode => ({
  ...common(parts.id ?? null, parts),
  kind: 'try',
  try: block,
  catch: parts.catch ?? [],
  finally: parts.finally ?? [],
})

export const fail = (message: string, code?: string, data?: Json): PlanNode => ({
  ...common(null, {}),
  kind: 'fail',
  rethrow: false,
  message: template(message),
  ...(code === undefined ? {} : { code: template(code) }),
  ...(data === undefined ? {} : { data: template(data) }),
})

export const rethrow = (): PlanNode => ({ ...common(null, {}), kind: 'fail', rethrow: true })

export const exit = (status: 'success' | 'failure', outputs: Json = {}, reason = 'done'): PlanNode => ({
  ...common(null, {}),
  kind: 'exit',
  status,
  reason: template(reason),
  outputs: template(outputs),
})

export const delay = (id: string, duration: Json, options: Common = {}): PlanNode => ({
  ...common(id, options),
  kind: 'wait',
  wait: { kind: 'delay', duration: template(duration) },
})

export const until = (id: string, time: Json): PlanNode => ({
  ...common(id, {}),
  kind: 'wait',
  wait: { kind: 'until', until: template(time) },
})

const timeoutOf = (timeout: Json | undefined) => (timeout === undefined ? {} : { timeout: template(timeout) })

export const event = (
  id: string,
  name: string,
  options: Common & { readonly match?: string; readonly timeout?: Json; readonly since?: 'run' | 'wait' } = {},
): PlanNode => ({
  ...common(id, options),
  kind: 'wait',
  wait: {
    kind: 'event',
    event: template(name),
    since: options.since ?? 'run',
    ...(options.match === undefined ? {} : { match: options.match }),
    ...timeoutOf(options.timeout),
  },
})

export const approval = (
  id: string,
  options: Common & { readonly title?: string; readonly timeout?: Json } = {},
): PlanNode => ({
  ...common(id, options),
  kind: 'wait',
  wait: {
    kind: 'approval',
    ...(options.title === undefined ? {} : { title: template(options.title) }),
    ...timeoutOf(options.timeout),
  },
})

export const webhook = (id: string, options: Common & { readonly timeout?: Json } = {}): PlanNode => ({
  ...common(id, options),
  kind: 'wait',
  wait: { kind: 'webhook', ...timeoutOf(options.timeout) },
})

export interface FlowOptions {
  readonly outputs?: { readonly [name: string]: Json }
  readonly onError?: Steps
  readonly onCancel?: Steps
  readonly settings?: Partial<PlanSettings>
  readonly env?: readonly string[]
  readonly inputs?: Plan['inputs']
}

/** A plan of steps; their paths are filled in. */
export function plan(steps: Steps, options: FlowOptions = {}): Plan {
  return {
    version: PLAN_VERSION,
    flow: 'Test',
    connections: {},
    triggers: [],
    inputs: options.inputs ?? [],
    steps: placed(steps, ''),
    outputs: Object.entries(options.outputs ?? {}).map(([name, value]) => ({ name, value: template(value) })),
    ...(options.onError === undefined ? {} : { onError: placed(options.onError, 'on_error') }),
    ...(options.onCancel === undefined ? {} : { onCancel: placed(options.onCancel, 'on_cancel') }),
    settings: { cancelGraceMs: 30_000, priority: 5, ...options.settings },
    env: options.env ?? [],
    subflows: ['Child'],
  }
}

function placed(block: Block, prefix: string): Block {
  return block.map((node, index) => {
    const segment = node.id ?? `${node.kind}@${index}`
    return below(node, prefix === '' ? segment : `${prefix}/${segment}`)
  })
}

function below(node: PlanNode, path: string): PlanNode {
  const base = {
    ...node,
    path,
    ...(node.onError === undefined ? {} : { onError: placed(node.onError, `${path}/on_error`) }),
  }
  switch (base.kind) {
    case 'if':
      // oxlint-disable-next-line unicorn/no-thenable -- as above
      return { ...base, then: placed(base.then, `${path}/then`), else: placed(base.else, `${path}/else`) }
    case 'switch':
      return {
        ...base,
        cases: base.cases.map((branch, index) => ({ ...branch, do: placed(branch.do, `${path}/case[${index}]`) })),
        default: placed(base.default, `${path}/default`),
      }
    case 'loop':
    case 'repeat':
      return { ...base, do: placed(base.do, path) }
    case 'parallel':
      return {
        ...base,
        branches: base.branches.map((branch, index) => ({
          ...branch,
          do: placed(branch.do, `${path}/branch[${index}]`),
        })),
      }
    case 'try':
      return {
        ...base,
        try: placed(base.try, `${path}/try`),
        catch: placed(base.catch, `${path}/catch`),
        finally: placed(base.finally, `${path}/finally`),
      }
    default:
      return base
  }
}
