/** Presets for `Action.pages`: how a list goes on. */

/** Input and output of lists that go on with a cursor: of the service, or made from its `Link` header. */
interface CursorPages {
  readonly items: string
  next<Input extends object>(
    input: Input,
    output: { readonly next_cursor: string | null },
  ): (Input & { cursor: string }) | null
}

/** The output's `next_cursor` is the next input's `cursor`; `null` or empty ends the list. */
export function cursorPages(items: string): CursorPages {
  return {
    items,
    next: (input, { next_cursor: cursor }) => (cursor === null || cursor === '' ? null : { ...input, cursor }),
  }
}

/**
 * Lists that go on at an offset: the next one begins after the items that came; a page that is not full ends the list.
 * `limit` is what a page holds where the input does not say.
 */
export function offsetPages<Key extends string>(
  items: Key,
  limit: number,
): {
  readonly items: Key
  next<Input extends { readonly offset?: number | undefined; readonly limit?: number | undefined }>(
    input: Input,
    output: { readonly [key in Key]: readonly unknown[] },
  ): (Input & { offset: number }) | null
} {
  return {
    items,
    next: (input, output) => {
      const { length } = output[items]
      return length === 0 || length < (input.limit ?? limit) ? null : { ...input, offset: (input.offset ?? 0) + length }
    },
  }
}

/**
 * The query of the `rel="next"` link (RFC 8288) as a cursor; null on the last page. Only the query: the rest of the link is
 * not followed, so that no reply sends the credential to another address.
 */
export function nextLink(header: string | undefined): string | null {
  for (const [, target, parameters] of (header ?? '').matchAll(
    /<([^>]*)>((?:\s*;\s*[^\s;,=]+\s*=\s*(?:"[^"]*"|[^",;\s]*))*)/g,
  )) {
    const rel = /;\s*rel\s*=\s*(?:"([^"]*)"|([^",;\s]*))/i.exec(parameters!)
    if (!(rel?.[1] ?? rel?.[2] ?? '').toLowerCase().split(/\s+/).includes('next')) continue
    const query = target!.split('#', 1)[0]!.split('?').slice(1).join('?')
    return query === '' ? null : query
  }
  return null
}
