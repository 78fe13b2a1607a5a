/** Lists that go on: `Action.pages` says where the items are and how the next page is asked for. */
import type { Json } from '../json.ts'
import { checkActionInput, findAction } from './call.ts'
import { actionError } from './errors.ts'
import type { ActionOutcome, ActionRequest } from './execute.ts'

export interface PagesOptions {
  /** Stops after so many pages. Default: at the end of the list, and `action_pages_endless` after 10,000. */
  readonly maxPages?: number
  /** Stops after so many items. */
  readonly maxItems?: number
}

/** Iterates over pages; `items()` over what is in them. A page is asked for when the one before has been read. */
export interface ActionPages extends AsyncIterable<ActionOutcome> {
  items(): AsyncIterable<Json>
}

const MOST_PAGES = 10_000

export function pagesOf(
  execute: (request: ActionRequest) => Promise<ActionOutcome>,
  request: ActionRequest,
  options: PagesOptions,
): ActionPages {
  const label = `${request.connector.name}.${request.action}`
  const action = findAction(request.connector, request.action)
  const { pages } = action
  if (pages === undefined) {
    throw actionError('action_without_pages', `${label} answers no list that goes on; call it with execute.`)
  }
  const { maxPages, maxItems = Infinity } = options
  for (const [name, bound] of [
    ['maxPages', maxPages ?? 1],
    ['maxItems', maxItems],
  ] as const) {
    if (!(bound >= 1)) throw actionError('action_option_invalid', `${name} of ${label} is ${bound}; give 1 or more.`)
  }
  const named = { connector: request.connector, name: request.action, action }

  async function* iterate(): AsyncGenerator<ActionOutcome> {
    let input: unknown = request.input
    let asked: string | null = null
    let items = 0
    for (let page = 1; ; page++) {
      const parsed = checkActionInput(named, input)
      const outcome = await execute({ ...request, input })
      yield outcome
      items += itemsOf(outcome.output).length
      if (items >= maxItems || page === maxPages) return
      const next: unknown = pages!.next(parsed, outcome.output)
      if (next === null) return
      const text = JSON.stringify(next)
      if (text === asked)
        throw endless('the page after it is the same page again; the service or the connector is wrong')
      if (page >= MOST_PAGES && maxPages === undefined) {
        throw endless(`it has more than ${MOST_PAGES} pages; say how many are wanted with maxPages`)
      }
      asked = text
      input = next
    }
  }

  function itemsOf(output: Json): Json[] {
    const list = typeof output === 'object' && output !== null && !Array.isArray(output) ? output[pages!.items] : output
    if (Array.isArray(list)) return list
    throw actionError(
      'action_output_invalid',
      `What ${label} returned has no list "${pages!.items}" (an error of the connector).`,
    )
  }

  function endless(why: string): Error {
    return actionError('action_pages_endless', `The list of ${label} does not end: ${why}.`)
  }

  return {
    [Symbol.asyncIterator]: iterate,
    async *items() {
      let left = maxItems
      for await (const { output } of iterate()) {
        for (const item of itemsOf(output)) {
          if (left-- <= 0) return
          yield item
        }
      }
    },
  }
}
