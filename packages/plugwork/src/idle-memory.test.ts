import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { releaseMemoryWhenIdle, type Collection } from './idle-memory.ts'

describe('memory of an idle process', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('is given back once after work has ended, and again only after more work', () => {
    let cpu = 0
    const collections: Collection[] = []
    const stop = releaseMemoryWhenIdle({ cpuMs: () => cpu, collect: (what) => void collections.push(what) })
    for (let i = 0; i < 5; i++) {
      cpu += 1_500
      vi.advanceTimersByTime(2_000)
    }
    vi.advanceTimersByTime(2_000)
    expect(collections).toEqual([])
    vi.advanceTimersByTime(2_000)
    expect(collections).toEqual(['young'])
    for (let i = 0; i < 9; i++) {
      cpu += 10
      vi.advanceTimersByTime(2_000)
    }
    expect(collections).toEqual(['young'])
    cpu += 400
    vi.advanceTimersByTime(10_000)
    expect(collections).toEqual(['young', 'young'])
    vi.advanceTimersByTime(60_000)
    expect(collections).toEqual(['young', 'young', 'all'])
    vi.advanceTimersByTime(600_000)
    expect(collections).toHaveLength(3)
    stop()
    cpu += 1_000
    vi.advanceTimersByTime(600_000)
    expect(collections).toHaveLength(3)
  })

  it('gives the heap back for real', () => {
    let cpu = 0
    const stop = releaseMemoryWhenIdle({ cpuMs: () => cpu })
    let garbage: unknown[] = Array.from({ length: 400_000 }, (_, i) => ({ i }))
    const before = process.memoryUsage().heapTotal
    expect(garbage).toHaveLength(400_000)
    garbage = []
    cpu = 1_000
    vi.advanceTimersByTime(70_000)
    expect(process.memoryUsage().heapTotal).toBeLessThan(before)
    stop()
  })
})
