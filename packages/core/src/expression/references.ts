import type { Expression, Node } from './ast.ts'

/** A place where an expression reads a name of its scope. */
export interface Reference {
  /** The name itself: `order` in `order.items[0].sku`. */
  readonly root: string
  /** The members read from it, as far as they are known without running: `['items', 0, 'sku']`. */
  readonly path: readonly (string | number)[]
  /** Whether the path ends because a computed index follows, as in `steps[name]`. */
  readonly dynamic: boolean
  /** Where the root begins. */
  readonly start: number
  /** Where the last member of `path` ends. */
  readonly end: number
}

/** The names that an expression reads from its scope, in source order. Parameters of its arrow functions are not among them. */
export function references(expression: Expression): Reference[] {
  const found: Reference[] = []
  collect(expression, new Set(), found)
  return found.toSorted((a, b) => a.start - b.start)
}

function collect(node: Node, bound: ReadonlySet<string>, found: Reference[]): void {
  const path = staticPath(node)
  if (path !== undefined) {
    if (!bound.has(path.root)) found.push(path)
    return
  }
  switch (node.kind) {
    case 'arrow':
      collect(node.body, new Set([...bound, ...node.parameters.map((parameter) => parameter.name)]), found)
      return
    case 'index': {
      const object = staticPath(node.object)
      if (object === undefined) collect(node.object, bound, found)
      else if (!bound.has(object.root)) found.push({ ...object, dynamic: true })
      collect(node.index, bound, found)
      return
    }
    default:
      for (const child of children(node)) collect(child, bound, found)
  }
}

/** The path of a chain of members with constant names that begins at a name. */
function staticPath(node: Node): Reference | undefined {
  switch (node.kind) {
    case 'name':
      return { root: node.name, path: [], dynamic: false, start: node.start, end: node.end }
    case 'chain':
      return staticPath(node.expression)
    case 'member':
      return extend(staticPath(node.object), node.name, node.end)
    case 'index': {
      const key = node.index.kind === 'literal' ? node.index.value : undefined
      return typeof key === 'string' || typeof key === 'number'
        ? extend(staticPath(node.object), key, node.end)
        : undefined
    }
    default:
      return undefined
  }
}

function extend(path: Reference | undefined, key: string | number, end: number): Reference | undefined {
  return path && { ...path, path: [...path.path, key], end }
}

/** The nodes directly below a node, in source order. */
export function children(node: Node): readonly Node[] {
  switch (node.kind) {
    case 'literal':
    case 'name':
      return []
    case 'member':
      return [node.object]
    case 'index':
      return [node.object, node.index]
    case 'method':
      return [node.object, ...node.arguments]
    case 'call':
      return node.arguments
    case 'chain':
    case 'spread':
      return [node.expression]
    case 'unary':
      return [node.operand]
    case 'binary':
    case 'logical':
      return [node.left, node.right]
    case 'conditional':
      return [node.test, node.consequent, node.alternate]
    case 'array':
      return node.items
    case 'object':
      return node.entries
    case 'entry':
      return typeof node.key === 'string' ? [node.value] : [node.key, node.value]
    case 'template':
      return node.parts.filter((part) => typeof part !== 'string')
    case 'arrow':
      return [node.body]
  }
}
