import { afterAll, beforeAll, expect, test } from 'vitest'
import { OWNER_TOKEN, openHarness } from '../testing/harness.ts'
import type { Harness } from '../testing/harness.ts'

let harness: Harness
beforeAll(async () => {
  harness = await openHarness()
})
afterAll(() => harness.close())

const publish = (name: string, data: unknown = null, key?: string) =>
  harness.request('POST', '/api/v1/events', { name, data, ...(key === undefined ? {} : { key }) })

test('events are stored, listed by pattern in pages, and deduplicated by key', async () => {
  for (let index = 0; index < 5; index += 1) await publish('order.paid', { index })
  await publish('order.lost')
  const first = await publish('user.made', 1, 'same')
  const second = await publish('user.made', 2, 'same')
  expect([first.status, second.json().id]).toEqual([202, first.json().id])

  const names: string[] = []
  let cursor = ''
  do {
    const page = (await harness.request('GET', `/api/v1/events?name=order.*&limit=2${cursor}`)).json() as {
      events: { name: string; data: { index: number } | null }[]
      next_cursor: string | null
    }
    names.push(...page.events.map((event) => `${event.name} ${event.data?.index ?? ''}`.trim()))
    cursor = page.next_cursor === null ? '' : `&cursor=${page.next_cursor}`
  } while (cursor !== '')
  expect(names).toEqual(['order.paid 0', 'order.paid 1', 'order.paid 2', 'order.paid 3', 'order.paid 4', 'order.lost'])
})

test.each(['', 'a b', '.a', 'a..b', 'plugwork.trigger.skipped', 'a.*'])(
  'an event cannot be named "%s"',
  async (name) => {
    const answer = await publish(name)
    expect([answer.status, answer.json().code]).toEqual([400, 'request_invalid'])
  },
)

test('the stream gives new events of a pattern, and resumes after an id', async () => {
  const follow = async (headers: Record<string, string>, count: number) => {
    const abort = new AbortController()
    const answer = await fetch(`${harness.url}/api/v1/events/stream?name=stream.**`, {
      headers: { authorization: `Bearer ${OWNER_TOKEN}`, ...headers },
      signal: abort.signal,
    })
    const reader = answer.body!.getReader()
    const decoder = new TextDecoder()
    let text = ''
    const done = (async () => {
      while (text.split('event: event').length - 1 < count) text += decoder.decode((await reader.read()).value)
      abort.abort()
      return [...text.matchAll(/^id: (\d+)\ndata: (.*)$/gm)].map((match) => ({
        id: match[1]!,
        ...(JSON.parse(match[2]!) as { data: number }),
      }))
    })()
    return { done }
  }
  const live = await follow({}, 3)
  for (const data of [1, 2, 3]) {
    await publish('other', data)
    await publish('stream.a.b', data)
  }
  const events = await live.done
  expect(events.map(({ data }) => data)).toEqual([1, 2, 3])
  const resumed = await follow({ 'last-event-id': events[0]!.id }, 2)
  expect((await resumed.done).map(({ data }) => data)).toEqual([2, 3])
})
