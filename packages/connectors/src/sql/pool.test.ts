import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Pool, type PoolOptions, type PoolSession } from './pool.ts'

class Fake implements PoolSession {
  usable = true
  readonly number: number
  readonly gone: () => void

  constructor(number: number, gone: () => void) {
    this.number = number
    this.gone = gone
  }

  close(): Promise<void> {
    this.usable = false
    return Promise.resolve()
  }

  destroy(): void {
    this.usable = false
  }
}

const never = new AbortController().signal

function poolOf(options: Partial<PoolOptions<Fake>> = {}): { readonly pool: Pool<Fake>; readonly opened: Fake[] } {
  const opened: Fake[] = []
  const pool = new Pool<Fake>({
    size: 2,
    idleMs: 60_000,
    acquireMs: 60_000,
    open: (_signal, gone) => {
      const session = new Fake(opened.length + 1, gone)
      opened.push(session)
      return Promise.resolve(session)
    },
    exhausted: (busy) => new Error(`exhausted, ${busy} busy`),
    closed: () => new Error('closed'),
    ...options,
  })
  return { pool, opened }
}

test('opens what is needed, up to its size, and gives back in the order of asking', async () => {
  const { pool, opened } = poolOf()
  const [one, two] = [await pool.acquire(never), await pool.acquire(never)]
  const order: string[] = []
  const third = pool.acquire(never).then((session) => (order.push('third'), session))
  const fourth = pool.acquire(never).then((session) => (order.push('fourth'), session))
  pool.release(one)
  pool.release(two)
  expect((await third).number + (await fourth).number).toBe(3)
  expect(order).toEqual(['third', 'fourth'])
  expect(opened).toHaveLength(2)
  expect(pool.counts).toEqual({ open: 2, busy: 2, waiting: 0 })
})

test('what was given back last is taken first', async () => {
  const { pool } = poolOf()
  const [one, two] = [await pool.acquire(never), await pool.acquire(never)]
  pool.release(one)
  pool.release(two)
  expect(await pool.acquire(never)).toBe(two)
})

test('a release that comes twice gives the session to one only', async () => {
  const { pool } = poolOf({ size: 1 })
  const one = await pool.acquire(never)
  pool.release(one)
  pool.release(one)
  expect(pool.counts).toEqual({ open: 1, busy: 0, waiting: 0 })
  expect(await pool.acquire(never)).toBe(one)
})

test('one that is not usable is replaced, idle or given back', async () => {
  const { pool, opened } = poolOf({ size: 1 })
  const one = await pool.acquire(never)
  const waiting = pool.acquire(never)
  one.destroy()
  pool.release(one)
  const two = await waiting
  expect(two.number).toBe(2)
  pool.release(two)
  two.usable = false
  expect((await pool.acquire(never)).number).toBe(3)
  pool.release(opened[2]!)
  opened[2]!.gone()
  expect(pool.counts.open).toBe(0)
})

test('waiting ends after acquireMs, and with the signal; nothing leaks', async () => {
  const { pool } = poolOf({ size: 1, acquireMs: 10 })
  const one = await pool.acquire(never)
  await expect(pool.acquire(never)).rejects.toThrow('exhausted, 1 busy')
  const controller = new AbortController()
  const aborted = pool.acquire(controller.signal)
  controller.abort(new Error('enough'))
  await expect(aborted).rejects.toThrow('enough')
  await expect(pool.acquire(AbortSignal.abort(new Error('before')))).rejects.toThrow('before')
  pool.release(one)
  expect(pool.counts).toEqual({ open: 1, busy: 0, waiting: 0 })
})

test('a session that opens after its waiter gave up serves the next one', async () => {
  let finish: (session: Fake) => void = () => undefined
  const { pool } = poolOf({ size: 1, open: () => new Promise((resolve) => (finish = resolve)) })
  const controller = new AbortController()
  const first = pool.acquire(controller.signal)
  controller.abort(new Error('enough'))
  await expect(first).rejects.toThrow('enough')
  const second = pool.acquire(never)
  finish(new Fake(1, () => undefined))
  expect((await second).number).toBe(1)
})

test('why none could be opened is told to the one that waits, and the next one tries again', async () => {
  let attempts = 0
  const { pool } = poolOf({
    size: 1,
    open: (_signal, gone) =>
      ++attempts === 1 ? Promise.reject(new Error('refused')) : Promise.resolve(new Fake(attempts, gone)),
  })
  const [first, second] = await Promise.allSettled([pool.acquire(never), pool.acquire(never)])
  expect(first).toMatchObject({ status: 'rejected', reason: { message: 'refused' } })
  expect(second).toMatchObject({ status: 'fulfilled', value: { number: 2 } })
})

test('idle ones are closed, the others stay', async () => {
  const { pool, opened } = poolOf({ idleMs: 20 })
  const [one, two] = [await pool.acquire(never), await pool.acquire(never)]
  pool.release(one)
  await expect.poll(() => pool.counts.open).toBe(1)
  expect(opened[0]!.usable).toBe(false)
  expect(two.usable).toBe(true)
})

test('closing ends idle, busy and waiting ones, and those that open later', async () => {
  let finish: (session: Fake) => void = () => undefined
  const late = new Fake(2, () => undefined)
  let count = 0
  const { pool } = poolOf({
    open: (_signal, gone) =>
      ++count === 1 ? Promise.resolve(new Fake(1, gone)) : new Promise((resolve) => (finish = resolve)),
  })
  const busy = await pool.acquire(never)
  const waiting = pool.acquire(never)
  const closing = pool.close()
  await expect(waiting).rejects.toThrow('closed')
  await closing
  finish(late)
  await pause(0)
  expect([busy.usable, late.usable]).toEqual([false, false])
  await expect(pool.acquire(never)).rejects.toThrow('closed')
})
