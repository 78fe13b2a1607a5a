/** What the benchmarks share: packed packages, processes, memory readings, a table of results. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packAll } from '../scripts/pack.ts'
import type { LoadResult } from './load.ts'

export const TOKEN = 'pw_bench_owner_token_000000000000000000000'

/** One line of the report. `ratio` is against `baseline`, measured in the same run. */
export interface Row {
  readonly name: string
  readonly value: string
  readonly baseline?: string
  readonly ratio?: number
  readonly target: string
  readonly ok: boolean
}

export function formatRows(rows: readonly Row[]): string {
  const cells = rows.map((row) => [
    row.ok ? 'ok ' : 'LOW',
    row.name,
    row.value,
    row.baseline ?? '',
    row.ratio === undefined ? '' : `${row.ratio.toFixed(2)}x`,
    row.target,
  ])
  const header = ['', 'what', 'measured', 'baseline of this run', 'ratio', 'target']
  const widths = header.map((title, i) => Math.max(title.length, ...cells.map((cell) => cell[i]!.length)))
  return [header, ...cells].map((cell) => cell.map((text, i) => text.padEnd(widths[i]!)).join('  ')).join('\n')
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}

/** A temporary folder, removed at the end; holds the packed and installed packages and the benchmark project. */
export class Workbench implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'plugwork-bench-'))
  readonly project = join(this.folder, 'project')
  #installed: string | null = null
  #children = new Set<ChildProcess>()

  constructor() {
    cpSync(join(import.meta.dirname, 'project'), this.project, { recursive: true })
  }

  /** Folder with the packed packages installed as a user would: production dependencies only. */
  get installed(): string {
    if (this.#installed) return this.#installed
    const packs = packAll(join(this.folder, 'packs'))
    const user = join(this.folder, 'user')
    mkdirSync(user)
    writeFileSync(join(user, 'package.json'), '{ "name": "user", "private": true }\n')
    const flags = ['--no-audit', '--no-fund', '--omit=dev', '--omit=peer', '--loglevel=error']
    execFileSync('npm', ['install', ...flags, ...packs.values()], { cwd: user, stdio: ['ignore', 2, 2] })
    this.#installed = user
    return user
  }

  /** Starts a script that prints one line when it is ready. */
  async script(file: string, ...args: readonly string[]): Promise<{ child: ChildProcess; line: string }> {
    const child = spawn(process.execPath, [join(import.meta.dirname, file), ...args], { stdio: ['ignore', 'pipe', 2] })
    this.#track(child)
    const line = await new Promise<string>((resolve, reject) => {
      child.once('error', reject)
      child.once('exit', (code) => reject(new Error(`${file} ended with ${code}`)))
      child.stdout!.once('data', (chunk: Buffer) => resolve(chunk.toString().trim()))
    })
    return { child, line }
  }

  /** Starts the installed server; resolves at once, see `answering`. */
  server(options: {
    readonly data: string
    readonly port: number
    readonly env?: Readonly<Record<string, string>>
  }): ChildProcess {
    const bin = join(this.installed, 'node_modules/plugwork/bin/plugwork.mjs')
    const args = ['start', this.project, '--port', String(options.port), '--data-dir', join(this.folder, options.data)]
    const child = spawn(process.execPath, [bin, ...args], {
      stdio: ['ignore', 'ignore', 2],
      env: {
        ...process.env,
        PLUGWORK_OWNER_TOKEN: TOKEN,
        PLUGWORK_EGRESS_ALLOW: '127.0.0.1',
        PLUGWORK_LOG_LEVEL: 'error',
        ...options.env,
      },
    })
    this.#track(child)
    return child
  }

  async load(port: number, path: string, connections: number, seconds: number, idFile?: string): Promise<LoadResult> {
    const args = [String(port), path, String(connections), String(seconds), ...(idFile ? [idFile] : [])]
    const child = spawn(process.execPath, [join(import.meta.dirname, 'load.ts'), ...args], {
      stdio: ['ignore', 'pipe', 2],
    })
    this.#track(child)
    let text = ''
    child.stdout!.on('data', (chunk: Buffer) => (text += chunk.toString()))
    await new Promise((resolve) => child.once('exit', resolve))
    return JSON.parse(text) as LoadResult
  }

  #track(child: ChildProcess): void {
    this.#children.add(child)
    child.once('exit', () => this.#children.delete(child))
  }

  [Symbol.dispose](): void {
    for (const child of this.#children) child.kill('SIGKILL')
    rmSync(this.folder, { recursive: true, force: true })
  }
}

export function kill(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve()
    child.once('exit', () => resolve())
    child.kill('SIGKILL')
  })
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Tries every few milliseconds until `attempt` gives a value. */
export async function until<T>(attempt: () => Promise<T | null>, timeoutMs: number): Promise<T> {
  const ends = Date.now() + timeoutMs
  for (;;) {
    const value = await attempt().catch(() => null)
    if (value !== null) return value
    if (Date.now() > ends) throw new Error(`gave up after ${timeoutMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

export async function api(port: number, path: string): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { authorization: `Bearer ${TOKEN}` } })
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
  return response.json()
}

export function ready(port: number): Promise<true> {
  return until(async () => ((await fetch(`http://127.0.0.1:${port}/readyz`)).ok ? true : null), 30_000)
}

/** Proportional set size of a process in MB: its own memory plus its share of what is shared. */
export function pss(child: ChildProcess): number {
  const text = readFileSync(`/proc/${child.pid}/smaps_rollup`, 'utf8')
  return Number(/^Pss:\s+(\d+) kB/m.exec(text)![1]) / 1024
}

export const perSecond = (value: number): string => `${Math.round(value).toLocaleString('en')}/s`
export const ms = (value: number): string => `${value.toFixed(value < 10 ? 2 : 0)} ms`
