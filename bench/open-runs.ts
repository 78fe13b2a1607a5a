/** What waiting and interrupted runs cost: memory of 10,000 parked runs, and restart with 10,000 open ones. */
import { fork, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { kill, ms, type Row } from './harness.ts'

const RUNS = 10_000

/** Messages of `open-runs-process.ts`. */
export type FromProcess =
  { readonly type: 'ready' } | { readonly type: 'started' } | { readonly type: 'first-step'; readonly at: number }

function processOn(folder: string, mode: 'parked' | 'open' | 'resume'): ChildProcess {
  return fork(join(import.meta.dirname, 'open-runs-process.ts'), [folder, mode, String(RUNS)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    execArgv: ['--expose-gc'],
  })
}

function message(child: ChildProcess, type: FromProcess['type']): Promise<FromProcess> {
  return new Promise((resolve, reject) => {
    child.on('message', (received: FromProcess) => received.type === type && resolve(received))
    child.once('exit', (code) => reject(new Error(`the process ended with ${code} before it was ${type}`)))
  })
}

function pssOf(child: ChildProcess): number {
  const text = readFileSync(`/proc/${child.pid}/smaps_rollup`, 'utf8')
  return Number(/^Pss:\s+(\d+) kB/m.exec(text)![1]) / 1024
}

export async function benchOpenRuns(): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'plugwork-bench-'))
  try {
    const parked = processOn(join(folder, 'parked'), 'parked')
    await message(parked, 'ready')
    const before = pssOf(parked)
    parked.send('go')
    await message(parked, 'started')
    const extra = pssOf(parked) - before
    await kill(parked)

    const open = processOn(join(folder, 'open'), 'open')
    await message(open, 'ready')
    open.send('go')
    await message(open, 'started')
    await kill(open)
    const began = Date.now()
    const resumed = processOn(join(folder, 'open'), 'resume')
    const first = await message(resumed, 'first-step')
    const restart = (first.type === 'first-step' ? first.at : Date.now()) - began
    await kill(resumed)
    return [
      {
        name: '10,000 parked runs, memory added (PSS)',
        value: `${extra.toFixed(1)} MB`,
        target: '< 10 MB',
        ok: extra < 10,
      },
      {
        name: 'restart with 10,000 open runs, process start to first step',
        value: ms(restart),
        target: '< 1,500 ms',
        ok: restart < 1500,
      },
    ]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
