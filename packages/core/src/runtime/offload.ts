/**
 * Large values travel by reference: before JSON text with a value past the inline limit enters a row, the value goes to
 * the blob store and a placeholder stands in its place. Works on finished text, so neither the engine nor the store
 * knows of it, and text without large values is not parsed again.
 *
 * Form: the placeholder is a string `<prefix><n>`, and a member `$blobs: { prefix, list: [[hash, size], …] }` is added
 * to the object at the top, whose names are the engine's own. The prefix is drawn so that it occurs nowhere in the text:
 * data that looks like a placeholder stays data.
 */
import { randomBytes } from 'node:crypto'

import { INLINE_LIMIT, VALUE_LIMIT, type BlobStore } from '../blob/blob-store.ts'
import { PlugworkError } from '../error.ts'
import type { Json, JsonObject } from '../json.ts'
import type { BlobRow } from '../store/store.ts'

/** A cheap test that never misses text with a value past the inline limit. */
export function mayNeedOffload(text: string): boolean {
  // One UTF-16 unit is at most three bytes of UTF-8.
  return text.length > INLINE_LIMIT / 3 && Buffer.byteLength(text) > INLINE_LIMIT
}

/** Whether a value's JSON is past the inline limit; looks no further than it must. */
export function isLarge(value: Json): boolean {
  let left = INLINE_LIMIT
  const visit = (part: Json): boolean => {
    if (typeof part === 'string') left -= part.length > INLINE_LIMIT / 3 ? Buffer.byteLength(part) : part.length + 2
    else if (typeof part !== 'object' || part === null) left -= 5
    else if (Array.isArray(part)) return part.some(visit)
    else {
      for (const key of Object.keys(part)) {
        left -= key.length + 4
        if (visit(part[key] ?? null)) return true
      }
    }
    return left < 0
  }
  return visit(value)
}

/** Stores the values of `text` (a JSON object) that are past the limit; answers the text for the row. */
export async function offload(
  text: string,
  blobs: BlobStore,
): Promise<{ readonly text: string; readonly blobs: readonly BlobRow[] }> {
  const large: Json[] = []
  const prefix = freshPrefix(text)
  const replaced = replaceLarge(JSON.parse(text) as Json, (value) => `${prefix}${large.push(value) - 1}`)
  if (large.length === 0) return { text, blobs: [] }
  const rows = await Promise.all(large.map((value) => blobs.put(Buffer.from(JSON.stringify(value)))))
  const list = rows.map((row): Json => [row.hash, row.size])
  return { text: JSON.stringify({ ...(replaced as JsonObject), $blobs: { prefix, list } }), blobs: rows }
}

/** Stores text (a JSON object) as one blob, without looking into it: for snapshots that are soon replaced by larger ones. */
export async function offloadWhole(
  text: string,
  blobs: BlobStore,
): Promise<{ readonly text: string; readonly blobs: readonly BlobRow[] }> {
  const { hash, size } = await blobs.put(Buffer.from(text))
  return { text: `${WHOLE}${JSON.stringify([hash, size])}}`, blobs: [{ hash, size }] }
}

const WHOLE = '{"$blobs":'

/** True for text that `offload` has changed (and, rarely, for other text; `restore` then gives it back as it is). */
export function isOffloaded(text: string): boolean {
  return text.includes('"$blobs"')
}

export interface RestoreOptions {
  /** Larger blobs are left out and a note `{ "$blob": hash, "size": n }` stands in their place. Default: none are. */
  readonly upTo?: number
}

/** Undoes `offload` and `offloadWhole`. Throws what the blob store throws for one that is missing or damaged. */
export async function restore(text: string, blobs: BlobStore, options: RestoreOptions = {}): Promise<string> {
  const value = JSON.parse(text) as JsonObject
  const marks = value.$blobs as { prefix: string; list: [string, number][] } | [string, number] | undefined
  if (marks === undefined) return text
  if (Array.isArray(marks)) return new TextDecoder().decode(await blobs.get(marks[0]))
  const upTo = options.upTo ?? VALUE_LIMIT * 2
  const values = await Promise.all(
    marks.list.map(async ([hash, size]): Promise<Json> => {
      if (size > upTo) return { $blob: hash, size }
      return JSON.parse(new TextDecoder().decode(await blobs.get(hash))) as Json
    }),
  )
  delete value.$blobs
  return JSON.stringify(putBack(value, marks.prefix, values))
}

/** Throws `value_too_large` where a value's size (of its JSON text) is past the hard limit. */
export function checkSize(what: string, size: number): void {
  if (size <= VALUE_LIMIT) return
  const mebibytes = (size / 1024 / 1024).toFixed(1)
  throw new PlugworkError(
    'value_too_large',
    `${what} is ${mebibytes} MiB of JSON; the most that one value may have is ${VALUE_LIMIT / 1024 / 1024} MiB. ` +
      'Store it elsewhere (a file, an object store) and pass its address on.',
  )
}

function freshPrefix(text: string): string {
  for (;;) {
    const prefix = `blob:${randomBytes(6).toString('hex')}:`
    if (!text.includes(prefix)) return prefix
  }
}

/** Replaces the smallest values that are past the limit, so that what lies around them stays readable in the row. */
function replaceLarge(root: Json, replace: (value: Json) => string): Json {
  const visit = (value: Json): { readonly value: Json; readonly size: number } => {
    const visited = visitMembers(value, visit)
    if (visited.size <= INLINE_LIMIT) return visited
    const placeholder = replace(visited.value)
    return { value: placeholder, size: placeholder.length + 2 }
  }
  // The root itself is the row's own object: only its members can leave.
  return visitMembers(root, visit).value
}

type Visit = (value: Json) => { readonly value: Json; readonly size: number }

function visitMembers(value: Json, visit: Visit): { readonly value: Json; readonly size: number } {
  if (typeof value === 'string') return { value, size: Buffer.byteLength(value) + 2 }
  if (typeof value !== 'object' || value === null) return { value, size: 8 }
  let size = 2
  if (Array.isArray(value)) {
    const items = value.map((item) => {
      const visited = visit(item)
      size += visited.size + 1
      return visited.value
    })
    return { value: items, size }
  }
  for (const key of Object.keys(value)) {
    const visited = visit(value[key] ?? null)
    size += visited.size + Buffer.byteLength(key) + 4
    if (visited.value !== value[key]) value[key] = visited.value
  }
  return { value, size }
}

function putBack(value: Json, prefix: string, values: readonly Json[]): Json {
  if (typeof value === 'string')
    return value.startsWith(prefix) ? (values[Number(value.slice(prefix.length))] ?? null) : value
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((item) => putBack(item, prefix, values))
  for (const key of Object.keys(value)) {
    const member = putBack(value[key] ?? null, prefix, values)
    if (member !== value[key]) value[key] = member
  }
  return value
}
