/** In which order the branches of `parallel` can be looked at: each after those that it depends on. */
import type { ParallelNode } from './plan.ts'

/** Indexes of branches so that each comes after those it depends on. `onCircle` is told of a branch that waits for itself. */
export function branchOrder(node: ParallelNode, onCircle: (index: number) => void): readonly number[] {
  const order: number[] = []
  const open = new Set<number>()
  const visit = (index: number): void => {
    if (order.includes(index)) return
    if (open.has(index)) return onCircle(index)
    open.add(index)
    for (const earlier of node.branches[index]?.after ?? []) visit(earlier)
    open.delete(index)
    if (!order.includes(index)) order.push(index)
  }
  for (const index of node.branches.keys()) visit(index)
  return order
}

/** All branches that have ended before a branch begins. */
export function allBefore(node: ParallelNode, index: number, seen = new Set<number>()): Set<number> {
  for (const earlier of node.branches[index]?.after ?? []) {
    if (seen.has(earlier)) continue
    seen.add(earlier)
    allBefore(node, earlier, seen)
  }
  return seen
}
