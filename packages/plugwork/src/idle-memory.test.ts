import { getHeapSpaceStatistics } from 'node:v8'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { releaseMemoryWhenIdle } from './idle-memory.ts'

describe('memory of an idle process', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('is given back once after work has ended, and again only after more work', () => {
    let cpu = 0
    let collections = 0
    const stop = releaseMemoryWhenIdle({ cpuMs: () => cpu, collect: () => void collections++ })
    for (let i = 0; i < 5; i++) {
      cpu += 1_500
      vi.advanceTimersByTime(2_000)
    }
    expect(collections).toBe(0)
    vi.advanceTimersByTime(2_000)
    expect(collections).toBe(0)
    vi.advanceTimersByTime(2_000)
    expect(collections).toBe(1)
    for (let i = 0; i < 9; i++) {
      cpu += 10
      vi.advanceTimersByTime(2_000)
    }
    expect(collections).toBe(1)
    cpu += 400
    vi.advanceTimersByTime(10_000)
    expect(collections).toBe(2)
    stop()
    cpu += 1_000
    vi.advanceTimersByTime(60_000)
    expect(collections).toBe(2)
  })

  it('shrinks the heap for real', () => {
    let cpu = 0
    const stop = releaseMemoryWhenIdle({ cpuMs: () => cpu })
    const youngBytes = (): number =>
      getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')!.physical_space_size
    const kept: unknown[] = []
    for (let i = 0; i < 2_000_000; i++) kept[i % 50_000] = { i, more: [i] }
    expect(kept).toHaveLength(50_000)
    const before = youngBytes()
    cpu = 1_000
    vi.advanceTimersByTime(6_000)
    expect(youngBytes()).toBeLessThan(before)
    stop()
  })
})
