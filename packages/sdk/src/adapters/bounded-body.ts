import { AdapterError } from './errors.ts'

/** Refuses a body that is announced to be too long, before a byte of it is read. */
export function refuseAnnounced(contentLength: string | null | undefined, maxBytes: number): void {
  if (Number(contentLength ?? 0) > maxBytes) throw tooLarge(maxBytes)
}

/**
 * Chunks as a body: read as the handler reads, never ahead, and an error once they are longer than `maxBytes`. A handler
 * that stops reading ends the iteration; what that does to the source is the source's business.
 */
export function boundedBody(chunks: AsyncIterator<Uint8Array>, maxBytes: number): ReadableStream<Uint8Array> {
  let size = 0
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const next = await chunks.next()
        if (next.done === true) return controller.close()
        size += next.value.byteLength
        if (size <= maxBytes) return controller.enqueue(next.value)
        controller.error(tooLarge(maxBytes))
        await chunks.return?.()
      },
      async cancel() {
        await chunks.return?.()
      },
    },
    { highWaterMark: 0 },
  )
}

function tooLarge(maxBytes: number): AdapterError {
  return new AdapterError(
    'adapter_body_too_large',
    `The body is larger than the ${maxBytes} bytes that are accepted here.`,
  )
}
