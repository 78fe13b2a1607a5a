/** Runs the real command line in a temporary project, for tests. */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { PACKAGE_DIRECTORY } from '../build.ts'

export const BIN = join(PACKAGE_DIRECTORY, 'bin/plugwork.mjs')

export interface Finished {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly child: ChildProcess
  readonly finished: Promise<Finished>
  /** Resolves with the first match in what has been written so far or will be; rejects when the process ends before. */
  sees(pattern: RegExp): Promise<RegExpExecArray>
}

export interface Sandbox extends Disposable {
  readonly directory: string
  write(name: string, text: string, mode?: number): void
  read(name: string): string
  /** Runs a command to its end. `input` is its stdin. */
  plugwork(args: readonly string[], options?: SpawnOptions): Promise<Finished>
  /** Starts a command. */
  begin(args: readonly string[], options?: SpawnOptions): Running
}

export interface SpawnOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
  /** Options for Node itself. */
  readonly node?: readonly string[]
  readonly bin?: string
}

/** A fresh folder with these files. Processes that are still running when it is disposed of are killed. */
export function openSandbox(files: Readonly<Record<string, string>> = {}): Sandbox {
  const directory = mkdtempSync(join(tmpdir(), 'plugwork-cli-'))
  const running = new Set<ChildProcess>()
  const write = (name: string, text: string, mode?: number): void => {
    mkdirSync(dirname(join(directory, name)), { recursive: true })
    writeFileSync(join(directory, name), text, mode === undefined ? {} : { mode })
  }
  for (const [name, text] of Object.entries(files)) write(name, text)
  const begin = (args: readonly string[], options: SpawnOptions = {}): Running => {
    const child = spawn(process.execPath, [...(options.node ?? []), options.bin ?? BIN, ...args], {
      cwd: directory,
      env: { ...cleanEnvironment(), ...options.env },
      stdio: 'pipe',
    })
    running.add(child)
    child.stdin.end(options.input ?? '')
    return watchOutput(child, () => running.delete(child))
  }
  return {
    directory,
    write,
    read: (name) => readFileSync(join(directory, name), 'utf8'),
    begin,
    plugwork: (args, options) => begin(args, options).finished,
    [Symbol.dispose]() {
      for (const child of running) child.kill('SIGKILL')
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** Settings and colours of whoever runs the tests must not matter. */
function cleanEnvironment(): Record<string, string | undefined> {
  const dropped = /^(PLUGWORK_|FORCE_COLOR$|NO_COLOR$|CI$|NODE_OPTIONS$|VITEST)/
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !dropped.test(name)))
}

function watchOutput(child: ChildProcess, onEnd: () => void): Running {
  let stdout = ''
  let stderr = ''
  const watchers = new Set<() => void>()
  const changed = (): void => {
    for (const watcher of watchers) watcher()
  }
  child.stdout!.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk
    changed()
  })
  child.stderr!.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk
    changed()
  })
  const finished = new Promise<Finished>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      onEnd()
      resolve({ code, signal, stdout, stderr })
    })
  })
  return {
    child,
    finished,
    sees: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const match = pattern.exec(`${stdout}\n${stderr}`)
          if (!match) return
          watchers.delete(look)
          resolve(match)
        }
        watchers.add(look)
        look()
        void finished.then(() => {
          if (watchers.delete(look)) reject(new Error(`ended without ${pattern}:\n${stdout}\n${stderr}`))
        }, reject)
      }),
  }
}
