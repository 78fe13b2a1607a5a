/** An SSH connection on a socket of the guarded egress: host key pinned, logged in, watched. ssh and sftp share it. */
import { createHash } from 'node:crypto'
import type * as Ssh2 from 'ssh2'
import type { Client, SFTPWrapper } from 'ssh2'
import { PlugworkError } from '@plugwork/core'
import type { ConnectContext, PackageNeed } from '@plugwork/core/node'
import { LocalFolder } from '../content/transfer.ts'
import { milliseconds } from '../network-settings.ts'
import { loadPackage } from '../optional-package.ts'
import { unlessAborted } from '../unless-aborted.ts'
import { ERRORS, type SshErrorCode } from './errors.ts'
import type { SshConfig } from './schemas.ts'

export const SSH2: PackageNeed = { name: 'ssh2', range: '^1.17.0' }
const KEEPALIVE_MS = 15_000
const KEEPALIVES_LOST = 3
const CLOSE_MS = 2_000
const CLEAR_UP_MS = 2_000

export function sshError(code: SshErrorCode, message: string, cause?: unknown): PlugworkError {
  return new PlugworkError(code, message, {
    retryable: ERRORS[code].retryable,
    ...(cause === undefined ? {} : { cause }),
  })
}

export class SshConnection {
  readonly name: string
  readonly host: string
  readonly client: Client
  readonly local: LocalFolder
  readonly root: string | undefined
  #lost: PlugworkError | null = null
  readonly #ended: Promise<void>

  constructor(client: Client, options: { name: string; host: string; local: LocalFolder; root: string | undefined }) {
    this.client = client
    this.name = options.name
    this.host = options.host
    this.local = options.local
    this.root = options.root
    this.#ended = new Promise((resolve) => {
      client.once('close', () => {
        this.#lose('the server or the network closed it')
        resolve()
      })
    })
    client.on('error', (error) => this.#lose(error.message))
    client.once('end', () => this.#lose('the server ended it'))
  }

  get healthy(): boolean {
    return this.#lost === null
  }

  /** The error of a connection that is gone; null while it works. */
  get lost(): PlugworkError | null {
    return this.#lost
  }

  /** Opens a channel of SFTP for `use`, and closes it. */
  async sftp<Result>(signal: AbortSignal, use: (sftp: SFTPWrapper) => Promise<Result>): Promise<Result> {
    signal.throwIfAborted()
    if (this.#lost !== null) throw this.#lost
    const sftp = await unlessAborted(
      this.#answered<SFTPWrapper>((done) => this.client.sftp(done)),
      signal,
    )
    // Its requests fail one by one; without a listener the emitter would throw.
    sftp.on('error', () => undefined)
    const work = use(sftp)
    try {
      return await unlessAborted(work, signal)
    } catch (error) {
      throw this.#lost ?? error
    } finally {
      // Work that was cancelled still clears up what it began.
      void settled(work, CLEAR_UP_MS).then(() => sftp.end())
    }
  }

  /** Runs a call with a callback; the connection's end is an answer too. */
  async #answered<Value>(call: (done: (error: Error | undefined, value: Value) => void) => void): Promise<Value> {
    try {
      return await new Promise<Value>((resolve, reject) => {
        void this.#ended.then(() => reject(this.#lost!))
        call((error, value) => (error === undefined ? resolve(value) : reject(error)))
      })
    } catch (error) {
      if (error instanceof PlugworkError) throw error
      const { message } = error as Error
      throw (
        this.#lost ?? sshError('ssh_failed', `The connection "${this.name}" to ${this.host} failed: ${message}.`, error)
      )
    }
  }

  /** Opens a channel that runs a command. */
  exec(command: string): Promise<Ssh2.ClientChannel> {
    if (this.#lost !== null) throw this.#lost
    return this.#answered<Ssh2.ClientChannel>((done) => this.client.exec(command, done))
  }

  async close(): Promise<void> {
    this.#lose('it was closed')
    this.client.end()
    const timer = setTimeout(() => this.client.destroy(), CLOSE_MS)
    await this.#ended
    clearTimeout(timer)
  }

  #lose(why: string): void {
    this.#lost ??= new PlugworkError(
      'connection_lost',
      `The connection "${this.name}" to ${this.host} is gone: ${why}. The next use opens a new one.`,
      { retryable: true },
    )
  }
}

/** Ends with the promise, however it ends, or when time is up. */
async function settled(promise: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([promise.then(nothing, nothing), late])
  clearTimeout(timer)
}

const nothing = (): void => undefined

/** Connects and logs in. Throws `ssh_…` and `egress_…`. */
export async function openSsh(
  config: SshConfig & { readonly root?: string | undefined },
  context: ConnectContext,
): Promise<SshConnection> {
  const { name, egress, signal, directory } = context
  const target = `${config.host}:${config.port}`
  const ssh2 = await loadPackage('ssh', SSH2, directory, () => import('ssh2'))
  // A package of CommonJS: what it exports is the default.
  const { Client: SshClient, utils } = ssh2.default
  checkIdentity(config, name, utils)
  const timeoutMs = milliseconds(config.connect_timeout)
  const sock = await egress.connect({ host: config.host, port: config.port, timeoutMs, signal })
  const client = new SshClient()
  const local = new LocalFolder({ directory, root: config.local_root, connection: name })
  const connection = new SshConnection(client, { name, host: target, local, root: config.root })
  let wrongKey: PlugworkError | null = null
  try {
    await unlessAborted(
      new Promise<void>((resolve, reject) => {
        client
          .once('ready', resolve)
          .once('error', reject)
          .once('close', () => reject(connection.lost!))
        client.on('keyboard-interactive', (_name, _instructions, _language, prompts, answer) =>
          answer(prompts.map(() => config.password ?? '')),
        )
        client.connect({
          sock,
          username: config.user,
          readyTimeout: timeoutMs,
          keepaliveInterval: KEEPALIVE_MS,
          keepaliveCountMax: KEEPALIVES_LOST,
          hostVerifier: (key: Buffer) => {
            wrongKey = checkHostKey(key, config, { name, target })
            return wrongKey === null
          },
          ...(config.password === undefined ? {} : { password: config.password, tryKeyboard: true }),
          ...(config.private_key === undefined ? {} : { privateKey: config.private_key }),
          ...(config.passphrase === undefined ? {} : { passphrase: config.passphrase }),
        })
      }),
      signal,
    )
    return connection
  } catch (error) {
    client.destroy()
    sock.destroy()
    if (wrongKey !== null) throw wrongKey as PlugworkError
    signal.throwIfAborted()
    throw openingFailed(error, config, { name, target })
  }
}

function checkIdentity(config: SshConfig, name: string, utils: typeof Ssh2.utils): void {
  const refuse = (why: string): PlugworkError => sshError('ssh_config', `The connection "${name}" ${why}.`)
  if (config.password === undefined && config.private_key === undefined) {
    throw refuse('has neither password nor private_key; add one of them')
  }
  if (config.private_key === undefined) {
    if (config.passphrase !== undefined) throw refuse('has a passphrase but no private_key')
    return
  }
  const parsed = utils.parseKey(config.private_key, config.passphrase)
  if (parsed instanceof Error) {
    throw refuse(
      `has a private_key that cannot be read (${parsed.message}); it must be the whole text in OpenSSH or PEM format, with its passphrase where it has one`,
    )
  }
}

interface Where {
  readonly name: string
  readonly target: string
}

function checkHostKey(key: Buffer, { host_key }: SshConfig, { name, target }: Where): PlugworkError | null {
  const expected = (typeof host_key === 'string' ? [host_key] : host_key).map((one) => one.replace(/=$/, ''))
  if (expected.includes('accept_any')) return null
  const shown = `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`
  if (expected.includes(shown)) return null
  return sshError(
    'ssh_host_key',
    `The server ${target} of connection "${name}" shows the host key ${shown}, but host_key says ${expected.join(' or ')}. ` +
      'It is another server, its key was changed, or somebody is in between: ask its operator before you change host_key.',
  )
}

function openingFailed(error: unknown, { user }: SshConfig, { name, target }: Where): unknown {
  if (error instanceof PlugworkError && error.code !== 'connection_lost') return error
  const { level, message } = error as { level?: string; message: string }
  if (level === 'client-authentication') {
    return sshError(
      'ssh_auth',
      `The server ${target} of connection "${name}" did not let ${user} in. Check user, password or private_key.`,
      error,
    )
  }
  return sshError('ssh_connect', `The connection "${name}" to ${target} could not be opened: ${message}.`, error)
}
