/**
 * Answers of reads that may be served again. A key names everything that an answer depends on: tenant, connection (with
 * a digest of its settings), connector version, action and input, hashed, so that neither another tenant nor another
 * connection finds it, and no input can be read in a shared cache.
 */
import { hash } from 'node:crypto'
import type { Json } from '../json.ts'

export interface ActionCache {
  /** The text kept under a key; null when there is none, or its time is over. */
  get(key: string): string | null | Promise<string | null>
  set(key: string, text: string, ttlMs: number): void | Promise<void>
}

export interface CacheKeyParts {
  readonly tenant: string
  readonly connection: string
  readonly connector: string
  readonly version: string
  readonly action: string
  readonly input: unknown
}

export function cacheKey({ tenant, connection, connector, version, action, input }: CacheKeyParts): string {
  return hash('sha256', JSON.stringify([tenant, connection, connector, version, action, canonical(input)]), 'base64url')
}

/** The same value for inputs that say the same: keys in order, what is undefined left out. */
function canonical(value: unknown): Json {
  if (Array.isArray(value)) return value.map(canonical)
  if (typeof value === 'bigint') return { '\0bigint': String(value) }
  if (typeof value !== 'object' || value === null) return (value ?? null) as Json
  if (value instanceof Date) return { '\0date': value.toISOString() }
  if (ArrayBuffer.isView(value)) {
    return { '\0bytes': Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') }
  }
  const sorted: [string, Json][] = []
  for (const key of Object.keys(value).toSorted()) {
    const member = (value as Record<string, unknown>)[key]
    if (member !== undefined) sorted.push([key, canonical(member)])
  }
  // Pairs and not an object: `__proto__` is a key like any other.
  return { '\0object': sorted }
}
