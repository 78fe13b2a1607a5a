import { describe, expect, it } from 'vitest'

import { Waiters } from './waiters.ts'

describe('waiters', () => {
  it('gets what is handed over, and is forgotten then', async () => {
    const waiters = new Waiters()
    let hand = (_value: string): void => undefined
    const waiting = waiters.wait<string>((resolve) => {
      hand = resolve
    })
    expect(waiters.size).toBe(1)
    hand('there')
    expect(await waiting).toBe('there')
    expect(waiters.size).toBe(0)
  })

  it('is told what goes wrong at the beginning, at once or later', async () => {
    const waiters = new Waiters()
    const atOnce = waiters.wait(() => {
      throw new Error('no such run')
    })
    await expect(atOnce).rejects.toThrow('no such run')
    await expect(waiters.wait(() => Promise.reject(new Error('unreadable')))).rejects.toThrow('unreadable')
    expect(waiters.size).toBe(0)
  })

  it('is told when waiting is over, and whoever comes later too', async () => {
    const waiters = new Waiters()
    const waiting = waiters.wait(() => undefined)
    waiters.end(new Error('stopped'))
    waiters.end(new Error('stopped again'))
    await expect(waiting).rejects.toThrow('stopped')
    await expect(waiters.wait(() => undefined)).rejects.toThrow(/^stopped$/)
    expect(waiters.size).toBe(0)
  })
})
