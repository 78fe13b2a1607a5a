/** The content hash of a plan: what runs are pinned to. */
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js'
import type { Plan } from './plan.ts'

/**
 * SHA-256 (hex) of the plan's canonical JSON. Positions are left out, so that neither a comment nor the choice between
 * YAML and TypeScript changes it.
 */
export function planHash(plan: Plan): string {
  return bytesToHex(sha256(utf8ToBytes(canonicalJson(withoutPositions(plan)))))
}

/** Parts of a plan whose content is the author's data or schemas: a property `at` there is no position. */
function isData(part: object, key: string): boolean {
  if (key === 'schema' || key === 'form') return true
  if (key === 'value') return 'kind' in part && part.kind === 'literal'
  return key === 'default' && 'schema' in part
}

function withoutPositions(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(withoutPositions)
  if (typeof part !== 'object' || part === null) return part
  const isNode = 'path' in part && 'kind' in part
  return Object.fromEntries(
    Object.entries(part)
      .filter(([key]) => !(isNode && key === 'at'))
      .map(([key, value]) => [key, isData(part, key) ? value : withoutPositions(value)]),
  )
}

/** JSON with sorted keys and without white space: equal values give equal text. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const entries = Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(',')}}`
}
