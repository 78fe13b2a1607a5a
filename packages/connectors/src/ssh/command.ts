/** Running one command: quoting, bounds, and an end that is really one. */
import { randomUUID } from 'node:crypto'
import type { ClientChannel } from 'ssh2'
import { PlugworkError } from '@plugwork/core'
import { bytesOf } from '../content/content.ts'
import { milliseconds } from '../network-settings.ts'
import { unlessAborted } from '../unless-aborted.ts'
import { sshError, type SshConnection } from './connection.ts'
import type { execInput, execOutput } from './schemas.ts'
import type { z } from 'zod'

type Scalar = string | number | boolean
export type ExecInput = z.output<typeof execInput>
export type ExecOutput = z.output<typeof execOutput>

const MAX_EXCERPT = 2_000
const KILL_MS = 3_000

/** One word for a POSIX shell, whatever is in it. */
export function quote(value: Scalar): string {
  const text = String(value)
  if (text.includes('\0')) throw sshError('ssh_config', 'An argument has a NUL character, which no command can take.')
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}

/** The text for a POSIX shell. */
export function commandLine({ command, args, env }: Pick<ExecInput, 'command' | 'args' | 'env'>): string {
  const exports = Object.entries(env).map(([name, value]) => `${name}=${quote(value)}`)
  const line = [command, ...args.map(quote)].join(' ')
  return exports.length === 0 ? line : `export ${exports.join(' ')}; ${line}`
}

/**
 * The text for the login shell, whichever it is. The first line on stderr says the id of the process, which leads a group
 * of its own: that is how it can be killed where the server ignores signals (OpenSSH does for root, and before 7.9).
 */
const reporting = (line: string, mark: string): string => `exec sh -c ${quote(`echo ${mark}$$ >&2; ${line}`)}`

/** Runs a command to its end. One that is cancelled, late or too loud is killed first. */
export async function execute(connection: SshConnection, input: ExecInput, signal: AbortSignal): Promise<ExecOutput> {
  signal.throwIfAborted()
  const mark = `plugwork:${randomUUID()}:`
  const opening = connection.exec(reporting(commandLine(input), mark))
  const channel = await unlessAborted(opening, signal).catch((error: unknown) => {
    // It may open after its caller has gone.
    opening.then(
      (late) => new Running(connection, late, mark).kill(),
      () => undefined,
    )
    throw error
  })
  const result = await finished(new Running(connection, channel, mark), input, signal)
  if (!input.fail_on_exit || result.exit_code === 0) return result
  const how =
    result.exit_code === null ? `was ended by the signal ${result.signal}` : `ended with exit code ${result.exit_code}`
  const said = excerpt(result.stderr) || excerpt(result.stdout)
  throw new PlugworkError(
    'ssh_exit',
    `The command on ${connection.host} ${how}${said === '' ? '' : `: ${said}`}. With fail_on_exit: false the step gets the code instead.`,
    { data: { ...result, stdout: excerpt(result.stdout), stderr: excerpt(result.stderr) } },
  )
}

const excerpt = (text: string): string => text.trim().slice(-MAX_EXCERPT)

function finished(running: Running, input: ExecInput, signal: AbortSignal): Promise<ExecOutput> {
  const { connection, channel, stdout, stderr } = running
  return new Promise((resolve, reject) => {
    let exit: { readonly code: number | null; readonly signal: string | null } | null = null
    let over = false
    const end = (): void => {
      over = true
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
    }
    const giveUp = (error: unknown): void => {
      if (over) return
      end()
      void running.kill().then(() => reject(error as Error))
    }
    const onAbort = (): void => giveUp(signal.reason)
    const late = `The command on ${connection.host} ran longer than ${input.time_limit} and was killed. Raise time_limit.`
    const timer = setTimeout(() => giveUp(sshError('ssh_timeout', late)), milliseconds(input.time_limit))
    signal.addEventListener('abort', onAbort, { once: true })
    const keep = (output: Output, name: string) => (chunk: Buffer) => {
      if (over) return
      output.add(chunk)
      if (output.size <= input.max_output_bytes) return
      const loud = `The command on ${connection.host} printed more than ${input.max_output_bytes} bytes to ${name} and was killed.`
      giveUp(sshError('ssh_output', `${loud} Raise max_output_bytes, or write to a file and download it.`))
    }
    channel.on('data', keep(stdout, 'stdout'))
    channel.stderr.on('data', keep(stderr, 'stderr'))
    channel.once('exit', (code: number | null, name?: string) => {
      exit = { code, signal: name?.replace(/^SIG/, '') ?? null }
    })
    channel.once('close', () => {
      if (over) return
      end()
      if (exit === null) {
        reject(
          connection.lost ?? sshError('ssh_failed', `The command on ${connection.host} ended without an exit code.`),
        )
      } else {
        resolve({ stdout: stdout.text(), stderr: running.said(), exit_code: exit.code, signal: exit.signal })
      }
    })
    if (signal.aborted) onAbort()
    else channel.end(input.stdin === undefined ? undefined : bytesOf(input.stdin))
  })
}

/** A command under way. */
class Running {
  readonly connection: SshConnection
  readonly channel: ClientChannel
  readonly stdout = new Output()
  readonly stderr = new Output()
  readonly #mark: string

  constructor(connection: SshConnection, channel: ClientChannel, mark: string) {
    this.connection = connection
    this.channel = channel
    this.#mark = mark
    channel.on('error', () => undefined)
  }

  /** What it printed on stderr, without the line that is ours. */
  said(): string {
    return this.stderr.text().replace(this.#line, '')
  }

  /** Ends its processes on the server, not only our interest in them. Never fails, and ends soon. */
  async kill(): Promise<void> {
    const late = setTimeout(() => this.channel.close(), KILL_MS)
    try {
      this.channel.signal('KILL')
      const pid = this.#pid ?? (await this.#reported())
      if (pid === null) return
      const killer = await this.connection.exec(`kill -KILL -${pid}`)
      killer.resume().stderr.resume()
      await new Promise((resolve) => killer.once('close', resolve))
    } catch {
      // The connection is gone, and with it what could be done.
    } finally {
      clearTimeout(late)
      this.channel.close()
    }
  }

  get #line(): RegExp {
    return new RegExp(`^${this.#mark}(\\d+)\\n`)
  }

  get #pid(): string | null {
    return this.#line.exec(this.stderr.text())?.[1] ?? null
  }

  /** It may have been cancelled before it came to its first line. */
  #reported(): Promise<string | null> {
    return new Promise((resolve) => {
      this.channel.once('close', () => resolve(null))
      this.channel.stderr.on('data', (chunk: Buffer) => {
        this.stderr.add(chunk)
        if (this.#pid !== null) resolve(this.#pid)
      })
      this.channel.resume()
    })
  }
}

class Output {
  readonly #chunks: Buffer[] = []
  size = 0

  add(chunk: Buffer): void {
    this.size += chunk.length
    this.#chunks.push(chunk)
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString('utf8')
  }
}
