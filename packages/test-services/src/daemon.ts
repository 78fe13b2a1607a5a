/** Starts a daemon of the tests' own: temporary folder, free port, ended with the process that started it. */
import { spawn } from 'node:child_process'
import { chownSync, mkdtempSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { freePort } from './free-port.ts'
import type { KeeperOrder } from './keeper.ts'

export interface DaemonPlace {
  /** Empty folder, removed when the daemon ends. */
  readonly directory: string
  readonly port: number
}

export interface DaemonCommand {
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Signal that makes it stop quickly and in order. Default: SIGTERM. */
  readonly stopSignal?: NodeJS.Signals
}

export interface DaemonOptions {
  /** For messages and the folder's name. */
  readonly name: string
  /** Unprivileged users, the first that exists is taken: for daemons that refuse root. Ignored unless root. */
  readonly users?: readonly string[]
  /** Says how it is started, and prepares the folder; `user` is the one taken of `users`. */
  command(place: DaemonPlace, user: SystemUser | null): DaemonCommand | Promise<DaemonCommand>
  /** Throws until the daemon answers. Default: somebody listens on the port. */
  ready?(place: DaemonPlace): Promise<void>
  readonly timeoutMs?: number
}

export interface Daemon extends DaemonPlace {
  readonly pid: number
  /** What it printed so far. */
  output(): string
  /** Stops it and removes its folder. */
  stop(): Promise<void>
}

export interface SystemUser {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/** Starts a daemon and waits until it answers. Throws with the end of its log when it does not. */
export async function startBinary(options: DaemonOptions): Promise<Daemon> {
  const place = { directory: mkdtempSync(join(tmpdir(), `plugwork-${options.name}-`)), port: await freePort() }
  const user = process.getuid?.() === 0 ? findUser(options.users ?? []) : null
  if (user !== null) chownSync(place.directory, user.uid, user.gid)
  const { command, args, env = {}, stopSignal = 'SIGTERM' } = await options.command(place, user)
  const log = join(place.directory, 'daemon.log')
  const order: KeeperOrder = {
    command,
    args,
    env,
    log,
    stopSignal,
    directory: place.directory,
    ...(user === null ? {} : { uid: user.uid, gid: user.gid }),
  }
  // The compiled form is never used: this package is private and runs from its sources.
  const keeper = spawn(process.execPath, [join(import.meta.dirname, 'keeper.ts'), JSON.stringify(order)], {
    stdio: ['pipe', 'pipe', 'ignore'],
    // Ctrl-C goes to the whole group of the terminal; the keeper has work left then.
    detached: true,
  })
  const lines = createInterface({ input: keeper.stdout })
  let pid = 0
  let ended: string | null = null
  let lastLog = ''
  lines.on('line', (line) => {
    if (line.startsWith('started ')) pid = Number(line.slice(8))
    else ended = line
  })
  const gone = new Promise<void>((resolve) =>
    keeper.once('exit', () => {
      ended ??= 'keeper ended'
      resolve()
    }),
  )
  const output = (): string => {
    try {
      lastLog = readFileSync(log, 'utf8')
    } catch {
      // Removed with the folder: the last text that was read stays.
    }
    return lastLog
  }
  const stop = async (): Promise<void> => {
    keeper.stdin.end()
    await gone
  }
  const deadline = performance.now() + (options.timeoutMs ?? 60_000)
  let last: unknown = null
  for (;;) {
    if (pid !== 0 && ended === null) {
      try {
        await (options.ready ?? listening)(place)
        break
      } catch (error) {
        last = error
      }
    }
    const text = output()
    if (ended !== null || performance.now() > deadline) {
      await stop()
      const why = ended ?? `not ready in time: ${last instanceof Error ? last.message : String(last)}`
      throw new Error(`${options.name} could not be started (${command}: ${why}).\n${text.slice(-2_000)}`)
    }
    await pause(50)
  }
  // A daemon does not keep the process alive that started it.
  keeper.unref()
  for (const stream of [keeper.stdin, keeper.stdout]) (stream as { unref?: () => void }).unref?.()
  return { ...place, pid, output, stop }
}

async function listening({ port }: DaemonPlace): Promise<void> {
  const { converse } = await import('./converse.ts')
  await converse({ host: '127.0.0.1', port, until: () => true, sendFirst: '' })
}

/** The first of these users that the machine has; `nobody` is a good last one. */
export function findUser(names: readonly string[]): SystemUser | null {
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n')
  for (const name of names) {
    const fields = lines.find((line) => line.startsWith(`${name}:`))?.split(':')
    if (fields !== undefined) return { name, uid: Number(fields[2]), gid: Number(fields[3]) }
  }
  return null
}
