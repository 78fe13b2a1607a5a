/**
 * A client for a server that speaks no HTTP: here lines of JSON over TCP, one answer per request, in order. Most services
 * have a client on npm; load that one lazily instead (see `connect` in the connector).
 */
import type { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { PlugworkError } from '@plugwork/core'

interface Waiting {
  resolve(answer: Answer): void
  reject(error: Error): void
}

export interface Answer {
  readonly value?: string | null
  readonly error?: string
}

export class AcmeClient {
  readonly #socket: Socket
  readonly #waiting: Waiting[] = []

  constructor(socket: Socket) {
    this.#socket = socket
    const lines = createInterface({ input: socket })
    lines.on('line', (line) => this.#waiting.shift()?.resolve(JSON.parse(line) as Answer))
    // A broken socket is told to those who wait, by its `close`.
    lines.on('error', () => undefined)
    socket.on('error', () => undefined)
    socket.on('close', () => {
      for (const { reject } of this.#waiting.splice(0)) reject(lost())
    })
  }

  /** False once the socket is gone: Plugwork opens another connection then. */
  get healthy(): boolean {
    return !this.#socket.destroyed
  }

  async ask(request: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Answer> {
    signal.throwIfAborted()
    if (!this.healthy) throw lost()
    const answer = await new Promise<Answer>((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      // The answer still comes, in its turn; whoever was cancelled does not wait for it.
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
      this.#socket.write(`${JSON.stringify(request)}\n`)
    })
    if (answer.error !== undefined) throw new PlugworkError('acme_refused', `Acme refused: ${answer.error}.`)
    return answer
  }

  async close(): Promise<void> {
    if (this.#socket.destroyed) return
    await new Promise<void>((resolve) => {
      this.#socket.once('close', () => resolve())
      this.#socket.destroy()
    })
  }
}

/** `connection_lost` has the connection replaced; `retryable` lets a step with `retry` try again. */
function lost(): PlugworkError {
  return new PlugworkError('connection_lost', 'The connection to Acme was lost.', { retryable: true })
}
