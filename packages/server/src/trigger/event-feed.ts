/**
 * New events of the store, in order, for those who follow them: streams over HTTP, and event triggers. The store is
 * asked while somebody follows: at once when this process publishes over the API, and otherwise at short intervals,
 * because runs publish in the transaction of their own records.
 */
import type { Store, StoredEvent } from '@plugwork/core/node'
import type { Log } from '../log.ts'

/** Gets each event; the next one follows when the returned promise has settled. */
export type EventListener = (event: StoredEvent) => void | Promise<void>

export interface EventFeed {
  /** Calls back for each event after `after`; the returned function ends it. */
  follow(tenant: string, after: number, listener: EventListener): () => void
  /** Says that there may be news. */
  wake(): void
  close(): void
}

const POLL_MS = 100
const PAGE = 500

interface Follower {
  readonly tenant: string
  readonly listener: EventListener
  after: number
  busy: boolean
}

export function createEventFeed(options: { readonly store: Store; readonly log: Log }): EventFeed {
  const { store, log } = options
  const followers = new Set<Follower>()
  let timer: NodeJS.Timeout | undefined

  const look = async (): Promise<void> => {
    try {
      const last = await store.lastEventId()
      for (const follower of followers) if (!follower.busy && follower.after < last) void catchUp(follower, last)
    } catch (error) {
      log.error({ err: error }, 'the event bus could not be read; it is tried again')
    }
  }

  const catchUp = async (follower: Follower, last: number): Promise<void> => {
    follower.busy = true
    try {
      for (;;) {
        const events = await store.eventsAfter(follower.tenant, null, follower.after, PAGE)
        for (const event of events) {
          if (!followers.has(follower)) return
          await follower.listener(event)
          follower.after = event.id
        }
        if (events.length === PAGE) continue
        // Ids up to `last` that are not among the follower's events belong to other tenants.
        follower.after = Math.max(follower.after, last)
        return
      }
    } catch (error) {
      log.error({ err: error }, 'an event could not be handled; it is tried again')
    } finally {
      follower.busy = false
    }
  }

  return {
    follow(tenant, after, listener) {
      const follower: Follower = { tenant, after, listener, busy: false }
      followers.add(follower)
      timer ??= setInterval(() => void look(), POLL_MS)
      void look()
      return () => {
        followers.delete(follower)
        if (followers.size > 0) return
        clearInterval(timer)
        timer = undefined
      }
    },
    wake() {
      if (followers.size > 0) void look()
    },
    close() {
      followers.clear()
      clearInterval(timer)
      timer = undefined
    },
  }
}
