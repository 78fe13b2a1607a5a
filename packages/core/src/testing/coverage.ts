/** Which steps and branches of flows the cases reached. */
import type { Block, Plan, SourcePosition } from '../flow/plan.ts'
import type { StepTrace } from '../engine/step-trace.ts'
import { innerBlocks, planSteps } from './plan-steps.ts'
import { staticPath } from './test-values.ts'

export interface FlowCoverage {
  readonly flow: string
  readonly file: string
  readonly steps: Covered
  readonly branches: Covered
  /** What no case reached, in the order of the file. */
  readonly missed: readonly { readonly path: string; readonly kind: 'step' | 'branch'; readonly at?: SourcePosition }[]
}

export interface Covered {
  readonly total: number
  readonly reached: number
}

export interface CoverageMeter {
  /** Lists a flow also when no case runs it. */
  expect(flow: { readonly plan: Plan; readonly file: string }): void
  /** Counts the steps of one run of a flow. */
  add(flow: { readonly plan: Plan; readonly file: string }, trace: readonly StepTrace[]): void
  report(): readonly FlowCoverage[]
}

export function createCoverage(): CoverageMeter {
  interface Measured {
    readonly plan: Plan
    readonly file: string
    readonly reached: Set<string>
  }
  const flows = new Map<string, Measured>()
  const flowOf = ({ plan, file }: { readonly plan: Plan; readonly file: string }): Measured => {
    const flow = flows.get(plan.flow) ?? { plan, file, reached: new Set<string>() }
    flows.set(plan.flow, flow)
    return flow
  }
  return {
    expect: (flow) => void flowOf(flow),
    add({ plan, file }, trace) {
      const flow = flowOf({ plan, file })
      const known = new Set([...planSteps(plan)].map((node) => node.path))
      for (const step of trace) {
        if (step.status === 'skipped') continue
        flow.reached.add(staticPath(step.path, known))
      }
    },
    report: () => [...flows.values()].map(({ plan, file, reached }) => flowCoverage(plan, file, reached)),
  }
}

/** Percent of steps over all flows; 100 where there are none. */
export function stepPercentage(flows: readonly FlowCoverage[]): number {
  const total = flows.reduce((sum, flow) => sum + flow.steps.total, 0)
  const reached = flows.reduce((sum, flow) => sum + flow.steps.reached, 0)
  return total === 0 ? 100 : (reached / total) * 100
}

function flowCoverage(plan: Plan, file: string, reached: ReadonlySet<string>): FlowCoverage {
  const missed: { path: string; kind: 'step' | 'branch'; at?: SourcePosition }[] = []
  const steps = { total: 0, reached: 0 }
  const branches = { total: 0, reached: 0 }
  for (const node of planSteps(plan)) {
    steps.total++
    if (reached.has(node.path)) steps.reached++
    else missed.push({ path: node.path, kind: 'step', ...(node.at ? { at: node.at } : {}) })
    if (!BRANCHING.has(node.kind) && !node.onError) continue
    for (const [name, block] of innerBlocks(node)) {
      if (block.length === 0 || ALWAYS.has(name)) continue
      branches.total++
      if (reachesAny(block, reached)) branches.reached++
      else missed.push({ path: `${node.path}/${name}`, kind: 'branch', ...(node.at ? { at: node.at } : {}) })
    }
  }
  return { flow: plan.flow, file, steps, branches, missed: withoutInner(missed) }
}

const BRANCHING: ReadonlySet<string> = new Set(['if', 'switch', 'try', 'loop', 'repeat'])
/** Blocks that run whenever their step does. */
const ALWAYS: ReadonlySet<string> = new Set(['try', 'finally'])

function reachesAny(block: Block, reached: ReadonlySet<string>): boolean {
  return block.some(
    (node) => reached.has(node.path) || innerBlocks(node).some(([, inner]) => reachesAny(inner, reached)),
  )
}

/** Of a branch that was not reached its steps need not be named too. */
function withoutInner<Missed extends { readonly path: string }>(missed: readonly Missed[]): Missed[] {
  return missed.filter(({ path }) => !missed.some((outer) => outer.path !== path && path.startsWith(`${outer.path}/`)))
}
