import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'

import { INLINE_LIMIT, VALUE_LIMIT, type BlobStore } from '../blob/blob-store.ts'
import { checkSize, isOffloaded, mayNeedOffload, offload, offloadWhole, restore } from './offload.ts'

function memoryBlobs(): BlobStore & { readonly stored: Map<string, Uint8Array> } {
  const stored = new Map<string, Uint8Array>()
  return {
    stored,
    put: async (bytes) => {
      const hash = createHash('sha256').update(bytes).digest('hex')
      stored.set(hash, bytes)
      return { hash, size: bytes.length }
    },
    get: async (hash) => stored.get(hash)!,
    has: async (hash) => stored.has(hash),
    delete: async (hash) => stored.delete(hash),
    list: async function* () {},
  }
}

const large = 'x'.repeat(INLINE_LIMIT + 1)

describe('offload', () => {
  it('leaves small text as it is', async () => {
    const text = JSON.stringify({ a: 'b' })
    expect(mayNeedOffload(text)).toBe(false)
    expect(await offload(text, memoryBlobs())).toEqual({ text, blobs: [] })
  })

  it('replaces the large values and nothing around them, and restores them', async () => {
    const blobs = memoryBlobs()
    const value = { output: { status: 200, body: large, list: [1, [large]] }, list: Array(9_000).fill('abcdefgh') }
    const original = JSON.stringify(value)
    expect(mayNeedOffload(original)).toBe(true)
    const { text, blobs: rows } = await offload(original, blobs)
    expect(rows).toHaveLength(3)
    expect(blobs.stored.size).toBe(2)
    expect(text.length).toBeLessThan(1_000)
    expect(text).toContain('"status":200')
    expect(JSON.parse(await restore(text, blobs))).toEqual(value)
  })

  it('measures bytes, not letters', () => {
    expect(mayNeedOffload(JSON.stringify({ a: 'ä'.repeat(INLINE_LIMIT / 2 + 1) }))).toBe(true)
    expect(mayNeedOffload(JSON.stringify({ a: 'a'.repeat(INLINE_LIMIT / 2 + 1) }))).toBe(false)
  })

  it('does not take data for its own placeholders', async () => {
    const blobs = memoryBlobs()
    const value = { output: { $blobs: { prefix: 'blob:', list: [] }, text: 'blob:000000000000:0', large } }
    const { text } = await offload(JSON.stringify(value), blobs)
    expect(JSON.parse(await restore(text, blobs))).toEqual(value)
  })

  it('restores values up to a size and notes the others', async () => {
    const blobs = memoryBlobs()
    const { text, blobs: rows } = await offload(JSON.stringify({ output: large }), blobs)
    const shown = JSON.parse(await restore(text, blobs, { upTo: 100 })) as unknown
    expect(shown).toEqual({ output: { $blob: rows[0]!.hash, size: INLINE_LIMIT + 3 } })
  })

  it('takes text as a whole', async () => {
    const blobs = memoryBlobs()
    const original = JSON.stringify({ large })
    const { text, blobs: rows } = await offloadWhole(original, blobs)
    expect(rows).toEqual([{ hash: expect.any(String), size: original.length }])
    expect(isOffloaded(text)).toBe(true)
    expect(await restore(text, blobs)).toBe(original)
  })

  it('keeps keys named __proto__', async () => {
    const blobs = memoryBlobs()
    const original = `{"output":{"__proto__":"${large}"}}`
    const { text } = await offload(original, blobs)
    expect(await restore(text, blobs)).toBe(original)
  })
})

describe('checkSize', () => {
  it('refuses what is past the hard limit, with the size and the limit', () => {
    expect(() => checkSize('The output of step x', VALUE_LIMIT)).not.toThrow()
    expect(() => checkSize('The output of step x', VALUE_LIMIT * 2)).toThrow('The output of step x is 64.0 MiB')
  })
})
