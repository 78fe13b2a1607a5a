import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, onTestFinished, test } from 'vitest'

import { accept, newRun, record } from '../contract/context.ts'
import { StoreOwnedError } from '../errors.ts'
import type { Owner } from '../store.ts'
import { StoreProcess } from './fixtures/child.ts'
import type { ProcessOptions } from './fixtures/store-process.ts'
import { abandon, checkIntegrity } from './fixtures/test-store.ts'
import { readOwner, type Lease } from './owner.ts'
import { isRunning, processStart } from './process-identity.ts'
import { openSqliteStore } from './sqlite-store.ts'

/** Short times, so that the tests need not wait a quarter of a minute; in the same proportions. */
const SHORT: Lease = { renewMs: 200, expireMs: 1_200, stallMs: 800 }

async function freshFile(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'plugwork-owner-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  return join(folder, 'plugwork.db')
}

function start(options: ProcessOptions): StoreProcess {
  const child = new StoreProcess(options)
  onTestFinished(async () => {
    child.signal('SIGCONT')
    await child.kill()
  })
  return child
}

const replaced: { previous: Owner; why: string }[] = []
const open = async (file: string, lease: Partial<Lease> = {}) => {
  replaced.length = 0
  const store = await openSqliteStore({
    file,
    lease,
    socket: '/tmp/here.sock',
    version: '1.2.3',
    onOwner: (previous, why) => replaced.push({ previous, why }),
  })
  onTestFinished(() => store.close())
  return store
}

/** Opens as soon as the present owner may be replaced. */
async function openWhenStalled(file: string): ReturnType<typeof open> {
  for (;;) {
    try {
      return await open(file, SHORT)
    } catch (error) {
      if (!(error instanceof StoreOwnedError)) throw error
    }
  }
}

test('a file has no owner before it is made, one while it is open, and none after', async () => {
  const file = await freshFile()
  expect(readOwner(file)).toBe(null)
  expect(existsSync(file)).toBe(false)
  const store = await open(file)
  expect(readOwner(file)).toMatchObject({
    epoch: 1,
    pid: process.pid,
    processStart: processStart(process.pid),
    socket: '/tmp/here.sock',
    version: '1.2.3',
    state: 'live',
  })
  await store.close()
  expect(readOwner(file)).toBe(null)
  expect((await open(file)).epoch).toBe(2)
  expect(replaced).toMatchObject([{ why: 'released' }])
})

test('while its owner lives, a file cannot be opened; the error says who has it', async () => {
  const file = await freshFile()
  const child = start({ file, mode: 'idle' })
  await child.said('owned 1')
  const refused = await open(file).catch((error: unknown) => error)
  expect(refused).toBeInstanceOf(StoreOwnedError)
  expect(refused).toMatchObject({
    code: 'store_owned',
    owner: { pid: child.pid, socket: '/tmp/child.sock', version: '0.0.0-child' },
  })
  expect((refused as Error).message).toContain(`process ${child.pid}`)
  expect(readOwner(file)).toMatchObject({ pid: child.pid, state: 'live' })
})

test('an owner that was killed is replaced at once', async () => {
  const file = await freshFile()
  const child = start({ file, mode: 'write' })
  await child.said('acked', 20)
  await child.kill()
  expect(readOwner(file)).toMatchObject({ pid: child.pid, state: 'gone' })
  expect((await open(file)).epoch).toBe(2)
  expect(replaced).toMatchObject([{ previous: { pid: child.pid }, why: 'gone' }])
})

test('an owner whose pid was given to another process is gone', async () => {
  const file = await freshFile()
  const store = await open(file)
  await store.close()
  const other = start({ file: `${file}-other`, mode: 'idle' })
  await other.said('owned')
  const db = new DatabaseSync(file)
  const renewed = db.prepare('UPDATE owner SET pid = ?, process_start = ?, renewed_at = ?')
  renewed.run(other.pid, processStart(other.pid)?.replace(/\d+$/, '1') ?? '', Date.now())
  expect(readOwner(file)?.state).toBe('gone')
  renewed.run(other.pid, processStart(other.pid), Date.now())
  expect(readOwner(file)?.state).toBe('live')
  db.close()
})

test('a stopped owner keeps the file until its time is over; then it is replaced, and can commit nothing', async () => {
  const file = await freshFile()
  const child = start({ file, mode: 'idle', lease: SHORT })
  await child.said('owned')
  child.signal('SIGSTOP')
  await expect(open(file, SHORT)).rejects.toMatchObject({ code: 'store_owned' })

  const store = await openWhenStalled(file)
  expect(replaced).toMatchObject([{ previous: { pid: child.pid }, why: 'stalled' }])
  child.signal('SIGCONT')
  await child.said('lost another process has taken over')
  await accept(store, newRun('mine'))
  expect(checkIntegrity(file)).toBe('ok')
})

test('an owner that was stopped while it wrote is replaced, whether or not it had the file locked', async () => {
  const file = await freshFile()
  for (let round = 0; round < 2; round++) {
    const child = start({ file, mode: 'write', lease: SHORT })
    await child.said('acked', 40 + round)
    child.signal('SIGSTOP')
    const store = await openWhenStalled(file)
    const acked = child.acked()
    const before = rowsOf(file)
    child.signal('SIGCONT')
    // Fenced, or ended because it held the lock: it commits nothing either way, and what it had acknowledged is there.
    expect([3, 'SIGKILL']).toContain(await child.exited)
    expect(rowsOf(file)).toEqual(before)
    for (const [rid, seq] of acked) expect((await store.getRun(rid))?.nextSeq).toBeGreaterThan(seq)
    await store.close()
  }
  expect(checkIntegrity(file)).toBe('ok')
})

test('an owner that was stopped with the file locked does not keep it for ever', async () => {
  const file = await freshFile()
  const child = start({ file, mode: 'lock', lease: SHORT })
  await child.said('locked')
  child.signal('SIGSTOP')
  await openWhenStalled(file)
  expect(await child.exited).toBe('SIGKILL')
})

test('an owner that is slow but renews is not replaced', async () => {
  const file = await freshFile()
  const child = start({ file, mode: 'idle', lease: SHORT })
  await child.said('owned')
  const first = readOwner(file)?.renewedAt ?? 0
  await until(() => (readOwner(file)?.renewedAt ?? 0) > first + SHORT.expireMs)
  await expect(open(file, SHORT)).rejects.toMatchObject({ code: 'store_owned' })
})

test('an owner whose event loop hangs stops renewing, is replaced, and commits nothing when it wakes', async () => {
  const file = await freshFile()
  const child = start({ file, mode: 'wedge', lease: SHORT, wedgeMs: 6_000 })
  await child.said('acked')
  const store = await openWhenStalled(file)
  expect(replaced).toMatchObject([{ why: 'stalled' }])
  expect(child.lines).not.toContain('awake')
  await child.said('awake')
  await child.said('fenced')
  expect(await child.exited).toBe(3)
  const [row] = await store.listRuns({ tenant: 'default', limit: 2 })
  expect(row?.nextSeq).toBe(2)
})

test('an owner whose event loop hung goes on when nobody has taken over', async () => {
  const file = await freshFile()
  const child = start({ file, mode: 'wedge', lease: SHORT, wedgeMs: 2_500 })
  await child.said('acked')
  await until(() => readOwner(file, SHORT.expireMs)?.state === 'stalled')
  await child.said('acked', 2)
  expect(await child.exited).toBe(0)
  expect(readOwner(file)).toBe(null)
})

test('of two processes that find a dead owner at the same time, one gets the file', async () => {
  const file = await freshFile()
  const dead = start({ file, mode: 'idle' })
  await dead.said('owned')
  await dead.kill()
  const rivals = [start({ file, mode: 'idle' }), start({ file, mode: 'idle' })]
  const outcomes = await Promise.all(rivals.map((rival) => Promise.any([rival.said('owned'), rival.said('refused')])))
  expect(outcomes.toSorted()).toEqual(['owned 2', 'refused store_owned'])
})

test('an idle store keeps no process alive', async () => {
  const file = await freshFile()
  const program = `
    const { openSqliteStore } = await import(${JSON.stringify(join(import.meta.dirname, 'sqlite-store.ts'))})
    const store = await openSqliteStore({ file: ${JSON.stringify(file)}, socket: '', version: '1' })
    await store.setMeta('k', 'v')
    process.stdout.write(String(store.epoch))`
  const ended = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
    timeout: 20_000,
  })
  expect(ended).toMatchObject({ status: 0, stdout: '1' })
})

test('the fence holds inside one process too', async () => {
  const file = await freshFile()
  const first = await open(file)
  const { rid } = await accept(first, newRun('a'))
  abandon(file)
  const second = await open(file)
  expect(await first.append({ rid, epoch: first.epoch, records: [record(2)] })).toEqual({ kind: 'fenced' })
  expect((await second.getRun(rid))?.nextSeq).toBe(2)
  // The former owner's end takes nothing from the new one.
  await first.close()
  expect(readOwner(file)).toMatchObject({ epoch: 2, pid: process.pid })
})

test('processes are told apart by pid and start', () => {
  const start = processStart(process.pid) ?? ''
  expect(isRunning(process.pid, start)).toBe('yes')
  expect(isRunning(process.pid, `${start}0`)).toBe('no')
  expect(processStart(2 ** 22 + 1)).toBe(null)
  const ended = spawnSync(process.execPath, ['-e', '']).pid
  expect(isRunning(ended, start)).toBe('no')
})

test.runIf(process.platform === 'linux')(
  'a process of an earlier boot is gone, one of another namespace unknown',
  () => {
    const [system, boot, namespace, ticks] = (processStart(process.pid) ?? '').split(':')
    expect(isRunning(process.pid, `${system}:other-boot:${namespace}:${ticks}`)).toBe('no')
    expect(isRunning(process.pid, `${system}:${boot}:1:${ticks}`)).toBe('unknown')
  },
)

function rowsOf(file: string): unknown {
  const db = new DatabaseSync(file, { readOnly: true })
  try {
    return db.prepare('SELECT (SELECT count(*) FROM journal) AS records, (SELECT count(*) FROM runs) AS runs').get()
  } finally {
    db.close()
  }
}

/** Waits for a condition that another process brings about. */
async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 20))
}

/** Keeps this thread from moving for longer than `SHORT.stallMs`, while `sql` runs on the file in another process. */
function stall(file: string, sql: string): void {
  const script = `
    const { DatabaseSync } = require('node:sqlite')
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300)
    const db = new DatabaseSync(process.argv[1], { timeout: 5000 })
    db.exec(process.argv[2])
    db.close()
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 900)`
  expect(spawnSync(process.execPath, ['-e', script, file, sql], { stdio: 'inherit' }).status).toBe(0)
}

test.for([
  {
    name: 'that lost its store hears of that first',
    sql: 'UPDATE owner SET epoch = epoch + 1',
    expected: ['lost', 'written'],
  },
  { name: 'that still owns its store goes on', sql: 'SELECT 1', expected: ['written', 'written again'] },
])('a loop that stood still $name', async ({ sql, expected }) => {
  const file = await freshFile()
  const store = await open(file, SHORT)
  const events: string[] = []
  store.onLost(() => events.push('lost'))
  const written = accept(store, newRun('before')).then(() => events.push('written'))
  // The operation is on its way, its answer is not heard before the stall.
  await new Promise((resolve) => setImmediate(resolve))
  stall(file, sql)
  await written
  if (!events.includes('lost')) {
    await accept(store, newRun('after')).then(() => events.push('written again'))
  }
  expect(events).toEqual(expected)
})
