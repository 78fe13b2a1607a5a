/** What a list of files says of each, wherever they are. */
import { z } from 'zod'

export const entryOutput = z.object({
  name: z.string(),
  path: z.string(),
  type: z.enum(['file', 'folder', 'link', 'other']),
  size: z.int().nullable().describe('Bytes; null for what is no file, or where it is not said.'),
  modified_at: z.string().nullable().describe('ISO 8601 in UTC; null where it is not said.'),
})

export type Entry = z.output<typeof entryOutput>
export type EntryType = Entry['type']

const MAX_ENTRIES = 10_000

/** How many entries one answer has at most. */
export const limitInput = z
  .int()
  .positive()
  .max(MAX_ENTRIES)
  .default(1_000)
  .describe('Entries of one page. Default 1,000.')

export const cursorInput = z.string().optional().describe('`next_cursor` of the page before.')

export const pageOutput = z.object({
  entries: z.array(entryOutput).describe('Sorted by path.'),
  next_cursor: z.string().nullable().describe('Give it as `cursor` to read on; null at the end.'),
})

/** The page of `entries` (in any order) after `cursor`. */
export function pageOf<Item extends { readonly path: string }>(
  entries: readonly Item[],
  { cursor, limit }: { readonly cursor?: string | undefined; readonly limit: number },
): { readonly entries: Item[]; readonly next_cursor: string | null } {
  const after = entries
    .filter(({ path }) => cursor === undefined || path > cursor)
    .toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))
  const page = after.slice(0, limit)
  return { entries: page, next_cursor: after.length > limit ? page.at(-1)!.path : null }
}
