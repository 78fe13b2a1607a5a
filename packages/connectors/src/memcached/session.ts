/**
 * One connection to a memcached server. Commands of all steps share one socket and are answered in their order. A broken
 * socket fails what was under way, sends nothing twice, and is replaced by the next command.
 *
 * The client is our own: of those on npm one decodes every value as UTF-8, drops cas tokens and damages counters beyond 2^53,
 * the others have had no release for years, and none lets the guard open its socket.
 */
import type { Socket } from 'node:net'
import type { Egress } from '@plugwork/core/node'
import { openSocket } from '../socket.ts'
import { unlessAborted } from '../unless-aborted.ts'
import type { MemcachedSettings } from './config.ts'
import { memcachedError } from './errors.ts'
import { AnswerReader, storageCommand, type Answer, type Expected, type Item } from './protocol.ts'

/** What one answer may hold. */
const MAX_ANSWER = 32 * 1024 * 1024

interface Pending {
  readonly expected: Expected
  readonly settle: (answer: Answer) => void
  readonly fail: (error: unknown) => void
}

interface Line {
  readonly socket: Socket
  readonly pending: Pending[]
  broken: unknown
}

interface Command {
  /** For messages: its name. */
  readonly name: string
  readonly bytes: Buffer
  readonly signal: AbortSignal
}

export class MemcachedSession {
  readonly settings: MemcachedSettings
  readonly #egress: Egress
  #line: Line | null = null
  #opening: Promise<Line> | null = null
  #closed = false

  constructor(settings: MemcachedSettings, egress: Egress) {
    this.settings = settings
    this.#egress = egress
  }

  /** False once it was closed; a lost socket is opened again. */
  get healthy(): boolean {
    return !this.#closed
  }

  /** Opens the connection. Throws `memcached_connect` and `memcached_auth`. */
  async open(signal: AbortSignal): Promise<void> {
    await this.#ready(signal)
  }

  /** A command that is answered with one line. Throws the codes of this connector, or the signal's reason. */
  async line(command: Command): Promise<string> {
    const answer = await this.#send(command, 'line')
    if (answer.kind === 'line') return answer.line
    throw this.#refusal(command.name, answer)
  }

  /** A command that is answered with values. */
  async items(command: Command): Promise<readonly Item[]> {
    const answer = await this.#send(command, 'items')
    if (answer.kind === 'items') return answer.items
    throw this.#refusal(command.name, answer)
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#opening?.catch(() => undefined)
    const line = this.#line
    this.#line = null
    if (line === null || line.socket.closed) return
    await new Promise<void>((resolve) => {
      line.socket.once('close', () => resolve())
      line.socket.destroy()
    })
  }

  async #send(command: Command, expected: Expected): Promise<Answer> {
    command.signal.throwIfAborted()
    const line = await this.#ready(command.signal)
    return this.#exchange(line, command, expected)
  }

  async #ready(signal: AbortSignal): Promise<Line> {
    if (this.#closed) throw this.#closedError()
    const line = this.#line
    if (line !== null && line.broken === null) return line
    // One opening serves everybody who waits; a step that gives up must not end it for the others.
    this.#opening ??= this.#connect()
      .then((opened) => {
        this.#line = opened
        return opened
      })
      .finally(() => {
        this.#opening = null
      })
    return unlessAborted(this.#opening, signal)
  }

  async #connect(): Promise<Line> {
    const { host, port, tls, connectMs, login } = this.settings
    const signal = AbortSignal.timeout(connectMs)
    let line: Line
    try {
      line = this.#listen(await openSocket(this.#egress, { host, port, tls, timeoutMs: connectMs, signal }))
    } catch (error) {
      throw this.#connectError(error)
    }
    if (login === null) return line
    try {
      const bytes = storageCommand(['set', 'auth', 0, 0], Buffer.from(`${login.username} ${login.password}`))
      const answer = await this.#exchange(line, { name: 'the login', bytes, signal }, 'line')
      if (answer.kind === 'line' && answer.line === 'STORED') return line
      throw this.#refusal('the login', answer)
    } catch (error) {
      line.socket.destroy()
      throw signal.aborted ? this.#connectError(signal.reason) : error
    }
  }

  #listen(socket: Socket): Line {
    const line: Line = { socket, pending: [], broken: null }
    const reader = new AnswerReader(MAX_ANSWER)
    const fail = (cause: unknown): void => {
      line.broken ??= cause
      socket.destroy()
      for (const pending of line.pending.splice(0)) pending.fail(line.broken)
    }
    socket.on('data', (chunk: Buffer) => {
      reader.push(chunk)
      for (let first = line.pending[0]; first !== undefined; first = line.pending[0]) {
        const answer = reader.next(first.expected)
        if (answer === null) return
        line.pending.shift()
        first.settle(answer)
        // What follows is not the beginning of an answer: the socket is of no more use.
        if (answer.kind === 'garbage' || answer.kind === 'too-large') return fail(new Error('its answers were cut off'))
      }
    })
    socket.on('error', fail)
    socket.on('close', () => fail(new Error('the server closed the connection')))
    return line
  }

  #exchange(line: Line, { name, bytes, signal }: Command, expected: Expected): Promise<Answer> {
    const { commandMs } = this.settings
    return new Promise((resolve, reject) => {
      if (line.broken !== null) return reject(this.#lostError(name, line.broken))
      let late = false
      const timer = setTimeout(() => {
        late = true
        // A server that is silent that long may be gone for good: the socket is given up, with all that waits on it.
        line.socket.destroy()
      }, commandMs)
      const stop = (): void => {
        clearTimeout(timer)
        reject(signal.reason as Error)
      }
      const done = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', stop)
      }
      signal.addEventListener('abort', stop, { once: true })
      line.pending.push({
        expected,
        settle(answer) {
          done()
          resolve(answer)
        },
        fail: (cause) => {
          done()
          reject(late ? this.#lateError(name) : this.#lostError(name, cause))
        },
      })
      line.socket.write(bytes)
    })
  }

  #refusal(what: string, answer: Answer): Error {
    const { name, host, port, maxValue } = this.settings
    const where = `${what} of the memcached connection "${name}"`
    if (answer.kind === 'too-large')
      return memcachedError(
        'memcached_too_large',
        `The answer to ${where} has more than 32 MiB. Read fewer keys at a time.`,
      )
    const line = answer.kind === 'error' ? answer.line : ''
    if (/authenticat/.test(line))
      return memcachedError('memcached_auth', `The server refuses ${where}. Check \`username\` and \`password\`.`)
    if (/too large/.test(line))
      return memcachedError(
        'memcached_too_large',
        `The server refuses ${where}: the value is too large for it, although \`max_value_size\` is ${maxValue}. Key and bookkeeping count too; start the server with a larger -I, or store less.`,
      )
    if (/out of memory/.test(line))
      return memcachedError(
        'memcached_full',
        `The server has no memory left for ${where}. Give it more (-m), or store less.`,
      )
    if (/non-numeric/.test(line))
      return memcachedError(
        'memcached_value',
        `The server refuses ${where}: what is stored is not an unsigned integer in text.`,
      )
    const said = line === '' ? 'with something that is not of its protocol' : `with ${line.slice(0, 200)}`
    return memcachedError('memcached_failed', `${host}:${port} answered ${where} ${said}. Check what listens there.`)
  }

  #connectError(cause: unknown): Error {
    const { name, host, port, connectMs } = this.settings
    const { message, name: kind, code } = cause as { message: string; name: string; code?: unknown }
    // The guard says itself what it denies, and how to allow it.
    if (code === 'egress_denied' || code === 'egress_url' || code === 'egress_closed') return cause as Error
    const late = kind === 'TimeoutError' || code === 'egress_timeout'
    const why = late ? `no answer within ${connectMs} ms` : message.replace(/\.$/, '')
    return memcachedError(
      'memcached_connect',
      `The memcached connection "${name}" could not be opened: ${host}:${port} (${why}). Check \`host\`, \`port\` and \`tls\`, and that the server runs.`,
      { cause, data: { host, port } },
    )
  }

  #lostError(what: string, cause: unknown): Error {
    if (this.#closed) return this.#closedError()
    const { name, host, port } = this.settings
    return memcachedError(
      'memcached_lost',
      `The memcached connection "${name}" to ${host}:${port} broke before ${what} was answered; the server may have done it. The next command opens it again.`,
      { cause, data: { host, port, command: what } },
    )
  }

  #lateError(what: string): Error {
    const { name, host, port, commandMs } = this.settings
    return memcachedError(
      'memcached_timeout',
      `${what} of the memcached connection "${name}" was not answered by ${host}:${port} within ${commandMs} ms; the server may have done it. Raise \`command_timeout\` if it needs longer.`,
      { data: { host, port, command: what } },
    )
  }

  #closedError(): Error {
    return memcachedError(
      'memcached_closed',
      `The memcached connection "${this.settings.name}" was closed; the next use opens it again.`,
    )
  }
}
