/** Finds steps of a plan by id, and says why a step cannot be referred to from another. */
import type { Block, Plan, PlanNode } from './plan.ts'
import { innerBlocks } from './visibility.ts'

interface IndexedNode {
  readonly node: PlanNode
  readonly ancestors: readonly PlanNode[]
}

export class PlanIndex {
  readonly #byId = new Map<string, IndexedNode[]>()
  readonly #order = new Map<PlanNode, number>()
  readonly #ancestors = new Map<PlanNode, readonly PlanNode[]>()

  constructor(plan: Plan) {
    for (const block of [plan.steps, plan.onError ?? [], plan.onCancel ?? []]) this.#add(block, [])
  }

  #add(block: Block, ancestors: readonly PlanNode[]): void {
    for (const node of block) {
      this.#order.set(node, this.#order.size)
      this.#ancestors.set(node, ancestors)
      if (node.id !== undefined) this.#byId.set(node.id, [...(this.#byId.get(node.id) ?? []), { node, ancestors }])
      const inside = [...ancestors, node]
      for (const inner of innerBlocks(node)) this.#add(inner, inside)
    }
  }

  /** Ids of `wait` steps. */
  waits(): readonly string[] {
    return [...this.#byId].flatMap(([id, found]) => (found.some(({ node }) => node.kind === 'wait') ? [id] : []))
  }

  /** Ids of all steps. */
  ids(): readonly string[] {
    return [...this.#byId.keys()]
  }

  /** Steps with an id, in document order. */
  withId(id: string): readonly PlanNode[] {
    return (this.#byId.get(id) ?? []).map(({ node }) => node)
  }

  /** Why `id` is not visible at `from` (null: outside all steps); undefined when no step has it. */
  explain(id: string, from: PlanNode | null): { readonly message: string; readonly suggestion?: string } | undefined {
    const found = this.#byId.get(id)?.[0]
    if (found === undefined) return undefined
    if (found.node === from)
      return {
        message: `\`${id}\` is this step itself; it has no value before it has run.`,
        suggestion: 'read an earlier step, `inputs`, or in a `repeat` one of its `vars`',
      }
    const around = new Set(from === null ? [] : [from, ...(this.#ancestors.get(from) ?? [])])
    if (around.has(found.node))
      return {
        message: `\`${id}\` is the block around this step; it has no value before it has ended.`,
        suggestion: 'move this step behind it, or read a step inside it',
      }
    const loop = found.ancestors.find((node) => (node.kind === 'loop' || node.kind === 'repeat') && !around.has(node))
    if (loop !== undefined) {
      const message = `\`${id}\` is visible only within its own iteration of ${describe(loop)}.`
      return {
        message,
        suggestion:
          loop.id === undefined ? 'give the loop an `id` and read `ID.results`' : `read \`${loop.id}.results\``,
      }
    }
    return this.#explainSibling(id, found, from, around)
  }

  #explainSibling(id: string, found: IndexedNode, from: PlanNode | null, around: ReadonlySet<PlanNode>) {
    const shared = found.ancestors.findLast((node) => around.has(node))
    if (shared?.kind === 'parallel') {
      return {
        message: `\`${id}\` runs at the same time, in another branch of ${describe(shared)}.`,
        suggestion: `add \`depends_on: [${id}]\``,
      }
    }
    if (shared?.kind === 'if' || shared?.kind === 'switch') {
      return {
        message: `\`${id}\` is in another branch of ${describe(shared)}: when this step runs, it does not.`,
        suggestion: 'move this step behind the branches, where what did not run is null',
      }
    }
    const isLater = from !== null && (this.#order.get(found.node) ?? 0) > (this.#order.get(from) ?? 0)
    if (isLater) return { message: `\`${id}\` runs after this step.`, suggestion: 'move this step behind it' }
    return {
      message: `\`${id}\` is in a handler, whose steps are visible only inside it.`,
      suggestion: 'move this step into the handler',
    }
  }
}

function describe(node: PlanNode): string {
  const kinds: { readonly [kind: string]: string } = { loop: 'the loop', if: 'the condition', switch: 'the `switch`' }
  const kind = kinds[node.kind] ?? `the \`${node.kind}\``
  return node.id === undefined ? kind : `${kind} \`${node.id}\``
}
