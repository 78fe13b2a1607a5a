/** Which ids a block makes visible to the steps after it. */
import type { Block, PlanNode } from './plan.ts'

/** Blocks of a node whose ids stay visible after it: those of branches. Ids inside loops do not. */
export function visibleBlocks(node: PlanNode): readonly Block[] {
  switch (node.kind) {
    case 'if':
      return [node.then, node.else]
    case 'switch':
      return [...node.cases.map((branch) => branch.do), node.default]
    case 'parallel':
      return node.branches.map((branch) => branch.do)
    case 'try':
      return [node.try, node.catch, node.finally]
    default:
      return []
  }
}

/** Ids that are visible after a block has ended, those of its branches included. */
export function declaredIds(block: Block): Set<string> {
  const ids = new Set<string>()
  for (const node of block) {
    if (node.id !== undefined) ids.add(node.id)
    for (const inner of visibleBlocks(node)) for (const id of declaredIds(inner)) ids.add(id)
  }
  return ids
}

/** Every node of a block and of the blocks inside, outer ones first. */
export function* walkNodes(block: Block): Generator<PlanNode> {
  for (const node of block) {
    yield node
    for (const inner of innerBlocks(node)) yield* walkNodes(inner)
  }
}

/** All blocks directly inside a node, its handler included. */
export function innerBlocks(node: PlanNode): readonly Block[] {
  const handler = node.onError === undefined ? [] : [node.onError]
  if (node.kind === 'loop' || node.kind === 'repeat') return [node.do, ...handler]
  return [...visibleBlocks(node), ...handler]
}
