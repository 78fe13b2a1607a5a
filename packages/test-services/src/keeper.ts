/**
 * A small process between a test run and a daemon that it started. Its standard input ends when the test run ends,
 * however that happens; then the daemon is stopped and its temporary folder removed.
 *
 *   node keeper.ts '{ "command": "…", "args": […], … }'
 */
import { spawn } from 'node:child_process'
import { openSync, rmSync } from 'node:fs'

export interface KeeperOrder {
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly directory: string
  readonly log: string
  readonly stopSignal: NodeJS.Signals
  readonly uid?: number
  readonly gid?: number
}

/** How long a daemon may take to stop by itself. */
const GRACE_MS = 5_000

const order = JSON.parse(process.argv[2]!) as KeeperOrder
const log = openSync(order.log, 'a')
const daemon = spawn(order.command, order.args, {
  cwd: order.directory,
  env: { ...process.env, ...order.env },
  stdio: ['ignore', log, log],
  // A group of its own: what the daemon starts is stopped with it.
  detached: true,
  ...(order.uid === undefined ? {} : { uid: order.uid, gid: order.gid }),
})

daemon.once('error', (error) => {
  process.stdout.write(`failed ${error.message}\n`)
  end()
})
daemon.once('spawn', () => process.stdout.write(`started ${daemon.pid}\n`))
daemon.once('exit', (code, signal) => {
  process.stdout.write(`ended ${signal ?? code}\n`)
  end()
})
// Nobody may be left to read that.
process.stdout.on('error', () => undefined)
process.stdin.on('end', stop).on('error', stop).resume()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop)

function stop(): void {
  toGroup(order.stopSignal)
  setTimeout(() => toGroup('SIGKILL'), GRACE_MS).unref()
}

function end(): void {
  toGroup('SIGKILL')
  rmSync(order.directory, { recursive: true, force: true, maxRetries: 5 })
  // oxlint-disable-next-line unicorn/no-process-exit -- a program; its open standard input would keep it
  process.exit(0)
}

function toGroup(signal: NodeJS.Signals): void {
  try {
    if (daemon.pid !== undefined) process.kill(-daemon.pid, signal)
  } catch {
    // Already gone.
  }
}
