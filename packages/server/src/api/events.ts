/** The event bus: publish, list, follow. */
import type { StoredEvent } from '@plugwork/core/node'
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import { jsonValue } from '../http/json-value.ts'
import { json } from '../http/reply.ts'
import type { Reply } from '../http/reply.ts'
import { defineRoute } from '../http/route.ts'
import type { Route } from '../http/route.ts'
import { openEventStream } from '../http/sse.ts'
import type { EventFeed } from '../trigger/event-feed.ts'
import { matchesEvent } from '../trigger/event-pattern.ts'
import { decodeCursor, encodeCursor, nextCursor, pageQuery } from './paging.ts'
import type { Services } from './services.ts'
import { isoTime } from './shapes.ts'

const eventSchema = z
  .object({ id: z.int(), name: z.string(), data: jsonValue, at: z.iso.datetime() })
  .meta({ id: 'Event' })

const EVENT_NAME = /^[A-Za-z][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*$/
const patternQuery = z.string().optional().describe('A name, or a pattern: `order.*`, `order.**`.')

export function eventRoutes({ runtime, store, stopping }: Services, feed: EventFeed): readonly Route[] {
  return [
    defineRoute({
      method: 'POST',
      path: '/api/v1/events',
      permission: 'events:write',
      tag: 'Events',
      summary: 'Publish an event',
      description: 'Answers once it is stored: flows with a matching trigger start, runs that wait for it go on.',
      body: {
        schema: z.object({
          name: z.string().max(200).regex(EVENT_NAME, 'must be words separated by dots, such as order.paid'),
          data: jsonValue.default(null),
          key: z.string().max(200).optional().describe('An event with a known key is not stored again.'),
        }),
      },
      answers: { 202: { description: 'Stored.', schema: z.object({ id: z.int() }) } },
      async handler({ body, tenant }) {
        if (body.name.startsWith('plugwork.')) {
          throw new ServerError('request_invalid', 'Names that begin with `plugwork.` are kept for Plugwork itself.')
        }
        const event = { name: body.name, data: body.data, ...(body.key === undefined ? {} : { key: body.key }) }
        const { id } = await runtime.publish(tenant, event)
        feed.wake()
        return json(202, { id })
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/events',
      permission: 'events:read',
      tag: 'Events',
      summary: 'List events, oldest first',
      query: z.object({ name: patternQuery, ...pageQuery }),
      answers: {
        200: { description: 'A page.', schema: z.object({ events: z.array(eventSchema), next_cursor: nextCursor }) },
      },
      async handler({ query, tenant }) {
        const page = await matchingPage(query.name, decodeCursor(query.cursor) ?? 0, query.limit, (after, limit) =>
          store.eventsAfter(tenant, null, after, limit),
        )
        return json(200, { events: page.events.map(eventOf), next_cursor: page.next })
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/events/stream',
      permission: 'events:read',
      tag: 'Events',
      summary: 'Follow the event bus as server-sent events',
      description: 'Events `event`, from now on; `Last-Event-ID` resumes after the event with that id.',
      query: z.object({ name: patternQuery }),
      answers: { 200: { description: 'The stream.', type: 'text/event-stream' } },
      async handler({ query, tenant, incoming }): Promise<Reply> {
        const lastId = Number(incoming.header('last-event-id') ?? Number.NaN)
        const after = Number.isSafeInteger(lastId) && lastId >= 0 ? lastId : await store.lastEventId()
        const unfollow = feed.follow(tenant, after, (event) => {
          if (query.name !== undefined && !matchesEvent(query.name, event.name)) return
          stream.send({ event: 'event', id: String(event.id), data: eventOf(event) })
        })
        const stream = openEventStream(() => {
          unfollow()
          forget()
        })
        const forget = stopping.streams.onStop(() => stream.end())
        return stream.reply
      },
    }),
  ]
}

/** Reads on until a page of matching events is full or there are no more. */
async function matchingPage(
  pattern: string | undefined,
  after: number,
  limit: number,
  read: (after: number, limit: number) => Promise<readonly StoredEvent[]>,
): Promise<{ readonly events: readonly StoredEvent[]; readonly next: string | null }> {
  const events: StoredEvent[] = []
  const chunk = Math.max(limit + 1, 200)
  let position = after
  for (;;) {
    const rows = await read(position, chunk)
    for (const row of rows) {
      if (pattern !== undefined && !matchesEvent(pattern, row.name)) continue
      if (events.length === limit) return { events, next: encodeCursor(events.at(-1)!.id) }
      events.push(row)
    }
    const last = rows.at(-1)
    if (last === undefined || rows.length < chunk) return { events, next: null }
    position = last.id
  }
}

function eventOf(event: StoredEvent) {
  return { id: event.id, name: event.name, data: event.data, at: isoTime(event.at) }
}
