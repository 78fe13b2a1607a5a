import type { Block, PlanNode } from './plan.ts'

/** Whether nothing after the step in its block can run. */
export function endsBlock(node: PlanNode): boolean {
  if (node.if !== undefined || node.onError !== undefined) return false
  const ends = (block: Block): boolean => block.some(endsBlock)
  switch (node.kind) {
    case 'exit':
    case 'fail':
      return true
    case 'if':
      return ends(node.then) && ends(node.else)
    case 'switch':
      return ends(node.default) && node.cases.every((branch) => ends(branch.do))
    case 'parallel':
      return node.branches.some((branch) => ends(branch.do))
    case 'repeat':
      return ends(node.do)
    case 'try':
      return ends(node.finally) || (ends(node.try) && (node.catch.length === 0 || ends(node.catch)))
    default:
      return false
  }
}
