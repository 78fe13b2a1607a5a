/** The sessions of an ftp connection: each does one thing at a time, is checked before use, and replaced when it broke. */
import type BasicFtp from 'basic-ftp'
import type { Client } from 'basic-ftp'
import { PlugworkError } from '@plugwork/core'
import type { ConnectContext, Egress } from '@plugwork/core/node'
import { LocalFolder } from '../content/transfer.ts'
import { loadPackage } from '../optional-package.ts'
import { unlessAborted } from '../unless-aborted.ts'
import type { FtpConfig } from './schemas.ts'
import { asFtpError, BASIC_FTP, ftpError, openSession, portOf } from './session.ts'

interface Waiter {
  readonly give: () => void
}

/** An unused session is asked whether it still lives after this long. */
const FRESH_MS = 5_000

export class FtpPool {
  readonly name: string
  readonly target: string
  readonly root: string | undefined
  readonly local: LocalFolder
  readonly #ftp: typeof BasicFtp
  readonly #config: FtpConfig
  readonly #egress: Egress
  readonly #idle: { readonly client: Client; readonly since: number }[] = []
  readonly #open = new Set<Client>()
  readonly #waiting: Waiter[] = []
  #busy = 0
  #closed = false

  private constructor(ftp: typeof BasicFtp, config: FtpConfig, { name, egress, directory }: ConnectContext) {
    this.#ftp = ftp
    this.#config = config
    this.#egress = egress
    this.name = name
    this.target = `${config.host}:${portOf(config)}`
    this.root = config.root
    this.local = new LocalFolder({ directory, root: config.local_root, connection: name })
  }

  /** Opens the first session, so that wrong settings show at once. */
  static async open(config: FtpConfig, context: ConnectContext): Promise<FtpPool> {
    const { default: ftp } = await loadPackage('ftp', BASIC_FTP, context.directory, () => import('basic-ftp'))
    const pool = new FtpPool(ftp, config, context)
    await pool.use('/', context.signal, () => Promise.resolve())
    return pool
  }

  /** Runs `work` on a session of its own; a session that was interrupted is closed. `path` is for messages. */
  async use<Result>(path: string, signal: AbortSignal, work: (client: Client) => Promise<Result>): Promise<Result> {
    signal.throwIfAborted()
    await this.#slot(signal)
    let client: Client | null = null
    try {
      client = await this.#session(signal)
      const result = await unlessAborted(work(client), signal)
      this.#giveBack(client)
      return result
    } catch (error) {
      // An answer of the server leaves the session as it was; anything else, an abort included, may not.
      if (client !== null) {
        if (
          error instanceof this.#ftp.FTPError ||
          (error instanceof PlugworkError && !signal.aborted && !client.closed)
        ) {
          this.#giveBack(client)
        } else this.#drop(client)
      }
      signal.throwIfAborted()
      throw asFtpError(error, { name: this.name, target: this.target, path })
    } finally {
      this.#busy -= 1
      this.#waiting.shift()?.give()
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const client of this.#open) client.close()
    this.#open.clear()
    await Promise.resolve()
  }

  #slot(signal: AbortSignal): Promise<void> {
    if (this.#busy < this.#config.max_connections) {
      this.#busy += 1
      return Promise.resolve()
    }
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        give: () => {
          signal.removeEventListener('abort', onAbort)
          this.#busy += 1
          resolve()
        },
      }
      const onAbort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
        reject(signal.reason as Error)
      }
      signal.addEventListener('abort', onAbort, { once: true })
      this.#waiting.push(waiter)
    })
  }

  async #session(signal: AbortSignal): Promise<Client> {
    for (let kept = this.#idle.pop(); kept !== undefined; kept = this.#idle.pop()) {
      const { client, since } = kept
      if (!client.closed && (performance.now() - since < FRESH_MS || (await this.#answers(client, signal))))
        return client
      this.#drop(client)
    }
    if (this.#closed) throw ftpError('ftp_busy', `The connection "${this.name}" is being closed.`)
    const options = { ftp: this.#ftp, config: this.#config, name: this.name, egress: this.#egress, signal }
    const client = await openSession(options)
    this.#open.add(client)
    return client
  }

  async #answers(client: Client, signal: AbortSignal): Promise<boolean> {
    try {
      await unlessAborted(client.send('NOOP'), signal)
      return true
    } catch {
      signal.throwIfAborted()
      return false
    }
  }

  #giveBack(client: Client): void {
    if (client.closed || this.#closed) this.#drop(client)
    else this.#idle.push({ client, since: performance.now() })
  }

  #drop(client: Client): void {
    client.close()
    this.#open.delete(client)
  }
}
