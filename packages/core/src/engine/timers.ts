/** The timers of a run: a binary heap by time, then by the order in which their frames were made. */
import type { Frame } from './frames.ts'

/** `due`: the frame goes on (wait, back-off, delay); `deadline`: the frame is left, or its grace ends. */
export type TimerKind = 'due' | 'deadline'

export interface Timer {
  readonly at: number
  readonly frame: Frame
  readonly kind: TimerKind
}

/** Timers are never removed: one whose frame has ended, or names another time by now, is dropped when it comes up. */
export class Timers {
  #heap: Timer[] = []
  #compactAt = 64

  add(timer: Timer): void {
    if (this.#heap.length >= this.#compactAt) this.#compact()
    this.#heap.push(timer)
    this.#up(this.#heap.length - 1)
  }

  /** The earliest timer that still counts. */
  peek(): Timer | null {
    for (;;) {
      const top = this.#heap[0]
      if (top === undefined) return null
      if (counts(top)) return top
      this.#pop()
    }
  }

  /** Takes the earliest timer due at `now`. */
  take(now: number): Timer | null {
    const top = this.peek()
    if (top === null || top.at > now) return null
    this.#pop()
    return top
  }

  clear(): void {
    this.#heap = []
  }

  #compact(): void {
    this.#heap = this.#heap.filter(counts).toSorted(order)
    this.#compactAt = Math.max(64, this.#heap.length * 2)
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    heap[0] = last
    let index = 0
    for (;;) {
      const left = 2 * index + 1
      let least = index
      if (left < heap.length && order(heap[left]!, heap[least]!) < 0) least = left
      if (left + 1 < heap.length && order(heap[left + 1]!, heap[least]!) < 0) least = left + 1
      if (least === index) return
      swap(heap, index, least)
      index = least
    }
  }

  #up(from: number): void {
    const heap = this.#heap
    let index = from
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (order(heap[parent]!, heap[index]!) <= 0) return
      swap(heap, index, parent)
      index = parent
    }
  }
}

function order(a: Timer, b: Timer): number {
  return a.at - b.at || a.frame.serial - b.frame.serial || (a.kind === b.kind ? 0 : a.kind === 'due' ? -1 : 1)
}

function swap(heap: Timer[], a: number, b: number): void {
  const kept = heap[a]!
  heap[a] = heap[b]!
  heap[b] = kept
}

function counts({ at, frame, kind }: Timer): boolean {
  if (frame.outcome !== null) return false
  if (kind === 'deadline') return frame.deadline === at
  return 'due' in frame && frame.due === at
}
