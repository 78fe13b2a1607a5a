/** The steps of a plan as tests name them: by path, id, task or action. */
import type { Block, Plan, PlanNode } from '../flow/plan.ts'

/** Blocks inside a step, with the name of the branch. */
export function innerBlocks(node: PlanNode): readonly (readonly [string, Block])[] {
  const handler: readonly (readonly [string, Block])[] = node.onError ? [['on_error', node.onError]] : []
  switch (node.kind) {
    case 'if':
      return [['then', node.then], ['else', node.else], ...handler]
    case 'switch':
      return [
        ...node.cases.map((one, index) => [`case[${index}]`, one.do] as const),
        ['default', node.default],
        ...handler,
      ]
    case 'loop':
    case 'repeat':
      return [['do', node.do], ...handler]
    case 'parallel':
      return [...node.branches.map((branch, index) => [`branch[${index}]`, branch.do] as const), ...handler]
    case 'try':
      return [['try', node.try], ['catch', node.catch], ['finally', node.finally], ...handler]
    default:
      return handler
  }
}

/** Every step, outer ones first. */
export function* planSteps(plan: Plan): Generator<PlanNode> {
  function* walk(block: Block): Generator<PlanNode> {
    for (const node of block) {
      yield node
      for (const [, inner] of innerBlocks(node)) yield* walk(inner)
    }
  }
  for (const block of [plan.steps, plan.onError ?? [], plan.onCancel ?? []]) yield* walk(block)
}

/** Everything that a fake, `allow` or `called` may name. */
export function targetsOf(plan: Plan): ReadonlySet<string> {
  const targets = new Set<string>()
  for (const node of planSteps(plan)) {
    if (node.kind !== 'task' && node.kind !== 'action') continue
    targets.add(node.path)
    if (node.id !== undefined) targets.add(node.id)
    targets.add(node.kind === 'task' ? node.task : `${node.connector}.${node.action}`)
  }
  return targets
}
