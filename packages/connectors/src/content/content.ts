/**
 * Bytes on their way in and out of flows. In a flow a file's content is text, or `{ base64 }` where it is no text; both are
 * bounded, because a flow's values live in memory and in the journal. What is larger goes from and to local files.
 */
import { z } from 'zod'
import { PlugworkError } from '@plugwork/core'
import { ERRORS } from './errors.ts'

/** What one value of a flow holds; base64 of it, and most text as JSON, stays below the 32 MiB of a value. */
export const MAX_CONTENT_BYTES = 16 * 1024 * 1024
const DEFAULT_CONTENT_BYTES = 8 * 1024 * 1024

export type Encoding = 'utf-8' | 'base64'

/** Content as an author writes it. */
export const contentInput = z
  .union([z.string(), z.strictObject({ base64: z.base64() })])
  .describe('Text (stored as UTF-8), or `{ base64 }` for bytes. At most 16 MiB.')

export const contentOutput = z
  .union([z.string(), z.object({ base64: z.string() })])
  .describe('Text, or `{ base64 }` with `encoding: base64`.')

export type Content = z.output<typeof contentOutput>

export const encodingInput = z
  .enum(['utf-8', 'base64'])
  .default('utf-8')
  .describe('`utf-8`: the content is text, and bytes that are none are an error. `base64`: it is `{ base64 }`.')

export const maxBytesInput = z
  .int()
  .positive()
  .max(MAX_CONTENT_BYTES)
  .default(DEFAULT_CONTENT_BYTES)
  .describe('A larger content is an error. Default 8 MiB, at most 16 MiB.')

/** The bytes of content. Throws `content_too_large`. */
export function bytesOf(content: z.output<typeof contentInput>): Buffer {
  const bytes = typeof content === 'string' ? Buffer.from(content) : Buffer.from(content.base64, 'base64')
  if (bytes.length > MAX_CONTENT_BYTES) throw tooLarge('The content', MAX_CONTENT_BYTES)
  return bytes
}

/** Bytes as content of a flow; `what` names them in messages. Throws `content_not_text`. */
export function contentOf(bytes: Uint8Array, encoding: Encoding, what: string): Content {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (encoding === 'base64') return { base64: buffer.toString('base64') }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(buffer)
  } catch (cause) {
    throw new PlugworkError('content_not_text', `${what} is not UTF-8 text. Read it with encoding: base64.`, { cause })
  }
}

export interface CollectOptions {
  readonly maxBytes: number
  /** Names the content in messages. */
  readonly what: string
  readonly signal: AbortSignal
}

/** Reads a stream up to a bound: what is past it is never held. Throws `content_too_large`, or the signal's reason. */
export async function collect(stream: AsyncIterable<Uint8Array>, options: CollectOptions): Promise<Buffer> {
  const { maxBytes, what, signal } = options
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of stream) {
    signal.throwIfAborted()
    size += chunk.length
    if (size > maxBytes) throw tooLarge(what, maxBytes)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, size)
}

export function tooLarge(what: string, maxBytes: number): PlugworkError {
  const limit = `max_bytes (${maxBytes} bytes here, at most ${MAX_CONTENT_BYTES})`
  return new PlugworkError(
    'content_too_large',
    `${what} is larger than ${limit}. Raise max_bytes, read a part of it, or move it from and to a local file.`,
    { retryable: ERRORS.content_too_large.retryable, data: { max_bytes: maxBytes } },
  )
}
