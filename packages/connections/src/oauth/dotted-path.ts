import type { Json } from '@plugwork/core'

/**
 * What a dotted path leads to: names of objects, `0` for the first of a list, `*` for all of a list. Undefined where it leads
 * nowhere.
 */
export function pick(value: Json | undefined, path: string): Json | undefined {
  const [head, ...rest] = path.split('.')
  return walk(value, [head!, ...rest])
}

function walk(value: Json | undefined, path: readonly string[]): Json | undefined {
  const [head, ...rest] = path
  if (head === undefined || value === undefined) return value
  if (Array.isArray(value)) {
    if (head !== '*') return walk(/^\d+$/.test(head) ? (value as Json[])[Number(head)] : undefined, rest)
    return (value as Json[]).map((item) => walk(item, rest)).filter((item) => item !== undefined)
  }
  if (!isRecord(value) || !Object.hasOwn(value, head)) return undefined
  return walk(value[head], rest)
}

/** Every name of `paths` with what its path leads to in `value`; names whose path leads nowhere are left out. */
export function pickAll(value: Json | undefined, paths: Readonly<Record<string, string>> = {}): Record<string, Json> {
  const found: Record<string, Json> = {}
  for (const [name, path] of Object.entries(paths)) {
    const at = pick(value, path)
    if (at !== undefined && at !== null) found[name] = at
  }
  return found
}

export function isRecord(value: unknown): value is Record<string, Json> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
