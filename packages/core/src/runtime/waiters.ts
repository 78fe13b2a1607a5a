import { Slots } from '../slots.ts'

/** Those who wait for something of a run. When the process can tell them nothing more, all of them are told that. */
export class Waiters {
  readonly #waiting = new Slots<(error: Error) => void>()
  #over: Error | null = null

  /** Resolves with what `begin` hands over; rejects with what it throws, or when all waiting is over. */
  wait<T>(begin: (resolve: (value: T) => void) => void | Promise<void>): Promise<T> {
    if (this.#over !== null) return Promise.reject(this.#over)
    return new Promise<T>((resolve, reject) => {
      const slot = this.#waiting.add(reject)
      let waits = true
      const leave = (): void => {
        if (waits) this.#waiting.remove(slot)
        waits = false
      }
      const settle = (value: T): void => {
        leave()
        resolve(value)
      }
      const fail = (error: unknown): void => {
        leave()
        reject(error instanceof Error ? error : new Error(String(error)))
      }
      try {
        begin(settle)?.catch(fail)
      } catch (error) {
        fail(error)
      }
    })
  }

  /** How many wait. */
  get size(): number {
    return this.#waiting.size
  }

  /** Ends all waiting, now and later, with an error. */
  end(error: Error): void {
    this.#over ??= error
    for (const reject of this.#waiting) reject(this.#over)
    this.#waiting.clear()
  }
}
