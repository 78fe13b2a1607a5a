/**
 * Collections for what comes and goes thousands of times a second: runs at work, attempts, requests under way.
 *
 * V8's `Map` and `Set` copy their table every few dozen deletions, and the old table points at the new one. Once a full
 * collection has moved one table to the old generation, each dead table keeps its successor alive, and with it everything
 * that was in it: short-lived objects are promoted by the thousand until the next full collection, for good. Here the
 * values stand in an array, and a table holds numbers only. Measured with a server under load after one full collection:
 * a scavenge takes 1.0 ms instead of 3.9 ms.
 */

/** Values that are removed by the slot that `add` answered. */
export class Slots<T> {
  readonly #values: (T | undefined)[] = []
  readonly #free: number[] = []

  get size(): number {
    return this.#values.length - this.#free.length
  }

  /** Answers the value's slot, which is its own until it is removed. */
  add(value: T): number {
    const slot = this.#free.pop() ?? this.#values.length
    this.#values[slot] = value
    return slot
  }

  at(slot: number): T | undefined {
    return this.#values[slot]
  }

  replace(slot: number, value: T): void {
    this.#values[slot] = value
  }

  /** Takes the value out. A slot must be removed once only: it may belong to another value afterwards. */
  remove(slot: number): T | undefined {
    const value = this.#values[slot]
    if (value === undefined) return undefined
    this.#values[slot] = undefined
    this.#free.push(slot)
    return value
  }

  clear(): void {
    this.#values.length = 0
    this.#free.length = 0
  }

  /** Values may be added and removed meanwhile; what is added may or may not be seen. */
  *[Symbol.iterator](): IterableIterator<T> {
    for (let slot = 0; slot < this.#values.length; slot++) {
      const value = this.#values[slot]
      if (value !== undefined) yield value
    }
  }
}

/** Values by key, as a `Map`, in no particular order. */
export class SlotMap<K extends string | number, V> {
  readonly #slots = new Map<K, number>()
  readonly #values = new Slots<V>()

  get size(): number {
    return this.#slots.size
  }

  get(key: K): V | undefined {
    const slot = this.#slots.get(key)
    return slot === undefined ? undefined : this.#values.at(slot)
  }

  has(key: K): boolean {
    return this.#slots.has(key)
  }

  set(key: K, value: V): void {
    const slot = this.#slots.get(key)
    if (slot === undefined) this.#slots.set(key, this.#values.add(value))
    else this.#values.replace(slot, value)
  }

  /** Takes the value out and answers it. */
  delete(key: K): V | undefined {
    const slot = this.#slots.get(key)
    if (slot === undefined) return undefined
    this.#slots.delete(key)
    return this.#values.remove(slot)
  }

  clear(): void {
    this.#slots.clear()
    this.#values.clear()
  }

  values(): IterableIterator<V> {
    return this.#values[Symbol.iterator]()
  }
}
