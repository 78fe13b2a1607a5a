/**
 * Random flows from a seed. Every flow is deterministic in its inputs and in what the oracle answers, so a run that was
 * killed a dozen times must give the outputs of a run that never was.
 */
import type { Random } from './random.ts'

interface Draft {
  readonly random: Random
  /** Steps whose value later steps may use, innermost scope last. */
  scope: string[]
  counter: number
  depth: number
  readonly signals: string[]
}

const SIGNAL_WAITS = 2

function indent(lines: readonly string[], by = 2): string[] {
  return lines.map((line) => ' '.repeat(by) + line)
}

function value(draft: Draft): string {
  const { random, scope } = draft
  const known = scope.length > 0 && random.chance(0.7) ? `(${random.pick(scope)}.value ?? 3)` : 'inputs.n'
  return `\${(${known} * ${random.int(2, 9)} + ${random.int(0, 50)}) % 1000}`
}

function task(draft: Draft): string[] {
  const id = `t${++draft.counter}`
  const lines = [`- task: Effect`, `  id: ${id}`, `  inputs: { name: ${id}, value: "${value(draft)}" }`]
  lines.push(`  outputs: [value]`, `  retry: { max_attempts: 4, delay: 30ms, backoff: 2, jitter: true }`)
  draft.scope.push(id)
  return lines
}

function nested(draft: Draft, count: number): string[] {
  const outer = draft.scope
  draft.scope = [...outer]
  draft.depth += 1
  const lines = block(draft, count)
  draft.depth -= 1
  draft.scope = outer
  return lines
}

function step(draft: Draft): string[] {
  const { random } = draft
  const simple = draft.depth >= 3 || random.chance(0.45)
  if (simple) return task(draft)
  const id = `b${++draft.counter}`
  switch (
    random.pick(['if', 'switch', 'loop', 'parallel', 'try', 'wait', 'signal', 'subflow', 'emit', 'set', 'repeat'])
  ) {
    case 'if':
      return [
        `- id: ${id}`,
        `  if: "inputs.n % ${random.int(2, 3)} == 0"`,
        `  then:`,
        ...indent(nested(draft, 2), 4),
        `  else:`,
        ...indent(nested(draft, 1), 4),
      ]
    case 'switch':
      return [
        `- id: ${id}`,
        `  switch: "\${inputs.n % 3}"`,
        `  cases:`,
        `    - when: "\${0}"`,
        `      do:`,
        ...indent(nested(draft, 1), 8),
        `    - when: "\${1}"`,
        `      do:`,
        ...indent(nested(draft, 2), 8),
        `  default:`,
        ...indent(nested(draft, 1), 4),
      ]
    case 'loop': {
      const inner = nested(draft, 1)
      return [
        `- id: ${id}`,
        `  for_each: "\${[1, 2, 3, 4, 5].slice(0, ${random.int(2, 5)})}"`,
        `  as: item_${id}`,
        `  concurrency: ${random.int(1, 4)}`,
        `  do:`,
        ...indent(inner, 4),
      ]
    }
    case 'parallel':
      return [
        `- id: ${id}`,
        `  parallel:`,
        ...Array.from({ length: random.int(2, 3) }, () => [
          `    -`,
          ...indent(nested(draft, random.int(1, 2)), 6),
        ]).flat(),
      ]
    case 'try':
      return [
        `- id: ${id}`,
        `  try:`,
        ...indent(nested(draft, 1), 4),
        `    - fail: { code: planned_${id}, message: "planned" }`,
        `  catch:`,
        ...indent(nested(draft, 1), 4),
        `  finally:`,
        ...indent(nested(draft, 1), 4),
      ]
    case 'wait':
      return [`- id: ${id}`, `  wait: ${random.int(20, 400)}ms`]
    case 'signal':
      // Only where the wait runs exactly once, or the client would not know how many signals to send.
      if (draft.depth > 0 || draft.signals.length >= SIGNAL_WAITS) return task(draft)
      draft.signals.push(id)
      return [`- id: ${id}`, `  wait: { webhook: { timeout: 10m } }`]
    case 'subflow': {
      const n = value(draft)
      draft.scope.push(id)
      return [`- id: ${id}`, `  subflow: Leaf`, `  inputs: { n: "${n}" }`, `  outputs: [value]`]
    }
    case 'emit':
      return [`- id: ${id}`, `  emit: { event: crash.${id}, data: { n: "\${inputs.n}" } }`]
    case 'repeat': {
      const inner = nested(draft, 1)
      // A name of its own: loops may lie in one another, and a name cannot be taken twice.
      const round = `round_${id}`
      return [
        `- id: ${id}`,
        `  repeat:`,
        `    vars: { ${round}: 0 }`,
        `    do:`,
        ...indent(inner, 6),
        `    next: { ${round}: "\${${round} + 1}" }`,
        `    until: "${round} >= ${random.int(1, 3)}"`,
        `    max: 10`,
      ]
    }
    default: {
      const computed = value(draft)
      draft.scope.push(id)
      return [`- id: ${id}`, `  set: { value: "${computed}" }`]
    }
  }
}

function block(draft: Draft, count: number): string[] {
  return Array.from({ length: count }, () => step(draft)).flat()
}

export interface CrashFlow {
  readonly name: string
  readonly source: string
  /** Ids of the webhook waits that the client has to resume, in order. */
  readonly signals: readonly string[]
}

export function randomFlow(name: string, random: Random): CrashFlow {
  const draft: Draft = { random, scope: [], counter: 0, depth: 0, signals: [] }
  const steps = [...task(draft), ...block(draft, random.int(3, 6)), ...task(draft)]
  const outputs = draft.scope.map((id) => `  - { name: ${id}, value: "\${${id}.value}" }`)
  const lines = [`flow: ${name}`, `inputs:`, `  - { name: n, type: integer, required: true }`, `steps:`]
  return { name, source: [...lines, ...indent(steps), `outputs:`, ...outputs, ''].join('\n'), signals: draft.signals }
}

/** The sub-flow that random flows call. */
export const LEAF = `flow: Leaf
inputs:
  - { name: n, type: integer, required: true }
steps:
  - task: Effect
    id: leaf
    inputs: { name: leaf, value: "\${inputs.n}" }
    outputs: [value]
    retry: { max_attempts: 4, delay: 30ms }
outputs:
  - { name: value, value: "\${leaf.value}" }
`

/** Blocks the event loop for a while: a task that never yields. */
export const WEDGE = `flow: Wedge
inputs:
  - { name: seconds, type: integer, required: true }
steps:
  - task: Wedge
    id: wedge
    inputs: { seconds: "\${inputs.seconds}" }
    on_interrupt: fail
`

/** The author's code beside the flows: one effect, recorded by the oracle. */
export const TASKS = `export async function Effect(inputs, ctx) {
  const begun = Date.now()
  const response = await ctx.fetch(process.env.CRASH_ORACLE + '/effect', {
    method: 'POST',
    signal: ctx.signal,
    body: JSON.stringify({ key: ctx.idempotencyKey, run: ctx.run.id, name: inputs.name, value: inputs.value, attempt: ctx.attempt, begun }),
  })
  if (!response.ok) throw new Error('the oracle refused: ' + response.status)
  return await response.json()
}

export async function Slow(inputs, ctx) {
  const answer = await Effect(inputs, ctx)
  await new Promise((resolve) => setTimeout(resolve, 300))
  return answer
}

export function Wedge(inputs) {
  const until = Date.now() + inputs.seconds * 1000
  while (Date.now() < until) {}
  return {}
}
`
