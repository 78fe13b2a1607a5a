/** A `plugwork start` process that can be killed, stopped and started again, and its API as a client sees it. */
import { spawn, type ChildProcess } from 'node:child_process'
import { createWriteStream, type WriteStream } from 'node:fs'
import { join } from 'node:path'

const BIN = join(import.meta.dirname, '../packages/plugwork/bin/plugwork.mjs')
export const TOKEN = 'pw_crash_tests_owner_token_0000000000000000'

export interface NodeOptions {
  readonly project: string
  readonly dataDir: string
  readonly oracle: string
  readonly port: number
  readonly logFile: string
  readonly env?: Readonly<Record<string, string>>
  /** Words before the command, such as a tracer that leaves the process our child. */
  readonly prefix?: readonly string[]
}

/** Status 0 means that no answer came (killed, refused, timed out): the request may or may not have happened. */
export interface Answer {
  readonly status: number
  readonly body: { readonly [field: string]: unknown }
}

export class PlugworkNode {
  readonly options: NodeOptions
  readonly address: string
  #child: ChildProcess
  #log: WriteStream
  #exit: Promise<number | string>

  constructor(options: NodeOptions) {
    this.options = options
    this.address = `http://127.0.0.1:${options.port}`
    this.#log = createWriteStream(options.logFile, { flags: 'a' })
    const start = [BIN, 'start', options.project, '--port', String(options.port), '--data-dir', options.dataDir]
    const [program, ...words] = [...(options.prefix ?? []), process.execPath, ...start]
    this.#child = spawn(program!, words, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        NODE_ENV: 'test',
        PLUGWORK_OWNER_TOKEN: TOKEN,
        PLUGWORK_EGRESS_ALLOW: '127.0.0.1',
        PLUGWORK_LOG_LEVEL: 'warn',
        CRASH_ORACLE: options.oracle,
        ...options.env,
      },
    })
    this.#child.stdout!.pipe(this.#log, { end: false })
    this.#child.stderr!.pipe(this.#log, { end: false })
    this.#exit = new Promise((resolve) => this.#child.on('exit', (code, signal) => resolve(signal ?? code ?? -1)))
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** Exit code, or the name of the signal that ended it. */
  get exited(): Promise<number | string> {
    return this.#exit
  }

  /** Resolves true when the node serves, false when it ended before that. */
  async ready(timeoutMs = 30_000): Promise<boolean> {
    const until = Date.now() + timeoutMs
    while (this.#child.exitCode === null && this.#child.signalCode === null) {
      const answer = await this.call('GET', '/readyz')
      if (answer.status === 200) return true
      if (Date.now() > until) throw new Error(`not ready after ${timeoutMs} ms; see ${this.options.logFile}`)
      await delay(15)
    }
    return false
  }

  async call(method: string, path: string, body?: unknown): Promise<Answer> {
    try {
      const response = await fetch(this.address + path, {
        method,
        headers: {
          authorization: `Bearer ${TOKEN}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: AbortSignal.timeout(15_000),
      })
      const text = await response.text()
      return { status: response.status, body: text.startsWith('{') ? (JSON.parse(text) as Answer['body']) : {} }
    } catch {
      return { status: 0, body: {} }
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exit
    this.#log.end()
  }

  async stop(): Promise<number | string> {
    this.#child.kill('SIGTERM')
    const code = await this.#exit
    this.#log.end()
    return code
  }
}

export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
