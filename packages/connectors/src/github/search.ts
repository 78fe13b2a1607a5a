import { cursorPages, defineAction, path, type Action, type ApiClient } from '@plugwork/core/node'
import { z } from 'zod'
import { read, type ApiContext } from '../api-action.ts'
import { codeHit, foundOf, issue, paged, repository } from './schemas.ts'

/** Search: 30 requests a minute, 10 for code; at most 1,000 results. docs.github.com/en/rest/search/search */

const inputs = z.strictObject({
  query: z.string().min(1).describe("GitHub's search syntax: `repo:octocat/Hello-World is:open label:bug`."),
  sort: z.string().optional().describe('Default: best match.'),
  order: z.enum(['asc', 'desc']).optional(),
  ...paged,
})

function outputOf<Item extends z.ZodType>(item: Item) {
  return z.object({
    items: z.array(item),
    total_count: z.int(),
    incomplete_results: z.boolean().describe('True when the search ran out of time.'),
    next_cursor: z.string().nullable().describe('For `cursor` of the next call; null on the last page.'),
  })
}

type SearchAction<Item extends z.ZodType> = Action<ApiClient, typeof inputs, ReturnType<typeof outputOf<Item>>>

function search<Item extends z.ZodType>(what: string, description: string, item: Item): SearchAction<Item> {
  const output = outputOf(item)
  return defineAction({
    description,
    input: inputs,
    output,
    effect: 'read',
    idempotency: 'natural',
    pages: cursorPages('items'),
    async run(context: ApiContext, { query: q, cursor, ...query }) {
      const found = await read(context, foundOf(item), {
        path: path`/search/${what}`,
        query: { q, ...query },
        ...(cursor === undefined ? {} : { cursor }),
      })
      // The reply was checked against the same schema of items; only its generic form cannot be told apart here.
      return { ...found.data, next_cursor: found.next } as z.input<typeof output>
    },
  })
}

export const searchActions = {
  'search.issues': search('issues', 'Searches issues and pull requests.', issue),
  'search.repositories': search('repositories', 'Searches repositories.', repository),
  'search.code': search('code', 'Searches code on default branches.', codeHit),
}
