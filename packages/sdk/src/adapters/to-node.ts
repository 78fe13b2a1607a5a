/** A fetch `Response` as the answer of `node:http`. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream as NodeReadableStream } from 'node:stream/web'
import { isLeftUnread } from './from-node.ts'

/** Writes the answer as fast as the client takes it. Rejects when the answer's own stream fails; a client that left is no failure. */
export async function toNode(answer: Response, message: IncomingMessage, response: ServerResponse): Promise<void> {
  if (response.headersSent || response.destroyed) {
    await answer.body?.cancel()
    return
  }
  response.statusCode = answer.status
  // One by one, and not through `writeHead`: what middleware has set before stays.
  for (const [name, value] of answer.headers) {
    if (name !== 'set-cookie') response.setHeader(name, value)
  }
  for (const cookie of answer.headers.getSetCookie()) response.appendHeader('set-cookie', cookie)
  if (isLeftUnread(message)) response.setHeader('connection', 'close')
  // A body of which the handler read only a part would hold up the next request of the connection.
  else if (!message.complete) response.once('finish', () => message.resume())
  if (answer.body === null || message.method === 'HEAD') {
    await answer.body?.cancel()
    response.end()
    return
  }
  // The first chunk of a stream of events may be minutes away.
  response.flushHeaders()
  try {
    // Node's type of a web stream is not the global one, though the value is the same.
    await pipeline(Readable.fromWeb(answer.body as NodeReadableStream<Uint8Array>), response)
  } catch (error) {
    if (!isPrematureClose(error)) throw error
  }
}

function isPrematureClose(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE'
}
