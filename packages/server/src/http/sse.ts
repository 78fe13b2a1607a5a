/**
 * Server-sent events: a bounded queue between whoever has news and one client. Comments keep proxies from closing an
 * idle stream; a client that does not keep up is disconnected and resumes by `Last-Event-ID`.
 */
import type { Reply } from './reply.ts'

export interface ServerSentEvent {
  readonly event: string
  /** Comes back as `Last-Event-ID` when the client reconnects. */
  readonly id?: string
  readonly data: unknown
}

export interface EventStream {
  send(event: ServerSentEvent): void
  /** Sends what is queued, then ends the stream. */
  end(): void
  /** Ends it unread: no reply was made of it. */
  cancel(): void
  readonly reply: Reply
}

const HEARTBEAT_MS = 15_000
const MAX_QUEUED = 10_000
/** Of the events queued for one client. A single event may be larger. */
const MAX_QUEUED_CHARACTERS = 8 * 1024 * 1024

/** The text of one event. */
export function formatEvent({ event, id, data }: ServerSentEvent): string {
  // JSON has no line breaks of its own, so one `data:` line is enough.
  return `event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`
}

/** Opens a stream. `onClose` runs once, when it ended or the client has gone. */
export function openEventStream(onClose: () => void): EventStream {
  let queue: string[] = ['retry: 2000\n\n']
  let characters = 0
  let ended = false
  let closed = false
  let wake: (() => void) | undefined
  const notify = () => {
    wake?.()
    wake = undefined
  }
  const push = (chunk: string) => {
    if (ended) return
    const full = queue.length >= MAX_QUEUED || (characters > 0 && characters + chunk.length > MAX_QUEUED_CHARACTERS)
    if (full) ended = true
    else {
      queue.push(chunk)
      characters += chunk.length
    }
    notify()
  }
  const heartbeat = setInterval(() => push(': keep-alive\n\n'), HEARTBEAT_MS)
  heartbeat.unref()
  const close = () => {
    if (closed) return
    closed = true
    ended = true
    clearInterval(heartbeat)
    notify()
    onClose()
  }
  const iterator: AsyncIterableIterator<string> = {
    [Symbol.asyncIterator]: () => iterator,
    async next() {
      for (;;) {
        if (queue.length > 0 && !closed) {
          const chunk = queue.join('')
          queue = []
          characters = 0
          return { done: false, value: chunk }
        }
        if (ended) {
          close()
          return { done: true, value: undefined }
        }
        await new Promise<void>((resolve) => (wake = resolve))
      }
    },
    async return() {
      close()
      return { done: true, value: undefined }
    },
  }
  return {
    send: (event) => push(formatEvent(event)),
    end() {
      ended = true
      notify()
    },
    cancel: close,
    reply: { status: 200, body: { kind: 'stream', type: 'text/event-stream; charset=utf-8', chunks: iterator } },
  }
}
