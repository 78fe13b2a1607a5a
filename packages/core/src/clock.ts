/** Time, injected so that tests can own it. */
export interface Clock {
  now(): number
  /** Calls back at or after `at` (epoch ms); the returned function cancels. */
  at(at: number, callback: () => void): () => void
}

/** Longest delay that `setTimeout` takes; later ones are reached in stages. */
const LONGEST_DELAY_MS = 2 ** 31 - 1

/** The machine's clock. A timer never fires early: where the system's timer does, it is set again. */
export const systemClock: Clock = {
  now: () => Date.now(),
  at(at, callback) {
    let timer: ReturnType<typeof setTimeout>
    const arm = () => {
      const delay = at - Date.now()
      timer = setTimeout(delay > LONGEST_DELAY_MS ? arm : fire, Math.min(Math.max(delay, 0), LONGEST_DELAY_MS))
    }
    const fire = () => (Date.now() < at ? arm() : callback())
    arm()
    return () => clearTimeout(timer)
  },
}
