import { Slots } from '@plugwork/core/node'

/** Tells those who wait on behalf of a client that the server stops. Unlike a promise, it forgets who stopped listening. */
export interface Stopping {
  /** Calls back once when the server stops, soon if it has; the returned function forgets the listener. */
  onStop(listener: () => void): () => void
}

/** Streams end as soon as the server stops; requests that wait for a run get a part of the grace first. */
export interface StopSignals {
  readonly streams: Stopping
  readonly waiters: Stopping
}

export interface StopSource extends Stopping {
  readonly stopped: boolean
  stop(): void
}

export function createStopping(): StopSource {
  const listeners = new Slots<() => void>()
  let stopped = false
  return {
    get stopped() {
      return stopped
    },
    onStop(listener) {
      // Never at once: whoever asks may not be ready to be told yet.
      if (stopped) queueMicrotask(listener)
      let slot = stopped ? null : listeners.add(listener)
      return () => {
        if (slot !== null) listeners.remove(slot)
        slot = null
      }
    },
    stop() {
      stopped = true
      for (const listener of listeners) listener()
      listeners.clear()
    },
  }
}
