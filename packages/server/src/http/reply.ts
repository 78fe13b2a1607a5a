/**
 * What a handler answers, independent of how it is sent. `node-adapter.ts` writes it to a socket, `fetch-adapter.ts`
 * makes a `Response` of it.
 */
export interface Reply {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: ReplyBody
}

export type ReplyBody =
  | { readonly kind: 'none' }
  | { readonly kind: 'text'; readonly type: string; readonly text: string }
  /** Chunks as they come; the connection's end returns the iterator. */
  | { readonly kind: 'stream'; readonly type: string; readonly chunks: AsyncIterable<string> }

export const JSON_TYPE = 'application/json; charset=utf-8'

/** A JSON answer. */
export function json(status: number, value: unknown, headers?: Readonly<Record<string, string>>): Reply {
  const body: ReplyBody = { kind: 'text', type: JSON_TYPE, text: JSON.stringify(value) }
  return headers === undefined ? { status, body } : { status, headers, body }
}

/** An answer without a body. */
export function empty(status: number): Reply {
  return { status, body: { kind: 'none' } }
}

export function text(status: number, type: string, content: string, headers?: Readonly<Record<string, string>>): Reply {
  const body: ReplyBody = { kind: 'text', type, text: content }
  return headers === undefined ? { status, body } : { status, headers, body }
}
