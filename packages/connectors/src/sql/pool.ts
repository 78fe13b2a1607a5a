/**
 * Open sessions that are lent one at a time. Small on purpose: the drivers' own pools open their sockets past the guard,
 * and waiting in them cannot be aborted.
 */

export interface PoolSession {
  /** False once its socket is gone. */
  readonly usable: boolean
  /** Says goodbye to the server and closes. */
  close(): Promise<void>
  /** Drops the socket. */
  destroy(): void
}

export interface PoolOptions<Session> {
  readonly size: number
  readonly idleMs: number
  readonly acquireMs: number
  /** Opens one; calls `gone` when it ends by itself later. */
  open(signal: AbortSignal, gone: () => void): Promise<Session>
  /** What a waiter gets that waited too long: `busy` of `size` are in use, the others are being opened. */
  exhausted(busy: number): Error
  closed(): Error
}

interface Waiter<Session> {
  readonly resolve: (session: Session) => void
  readonly reject: (error: unknown) => void
}

export class Pool<Session extends PoolSession> {
  readonly #options: PoolOptions<Session>
  /** The one used last is at the end and is used next, so that the others become idle. */
  readonly #idle: { readonly session: Session; readonly since: number }[] = []
  readonly #busy = new Set<Session>()
  readonly #waiters: Waiter<Session>[] = []
  readonly #closing = new AbortController()
  #opening = 0
  #sweeper: NodeJS.Timeout | undefined

  constructor(options: PoolOptions<Session>) {
    this.#options = options
  }

  /** How many are open, in use, and waited for. */
  get counts(): { readonly open: number; readonly busy: number; readonly waiting: number } {
    return { open: this.#idle.length + this.#busy.size, busy: this.#busy.size, waiting: this.#waiters.length }
  }

  /** A session for one use. Rejects with the signal's reason, `exhausted()`, `closed()`, or why none could be opened. */
  async acquire(signal: AbortSignal): Promise<Session> {
    signal.throwIfAborted()
    if (this.#closing.signal.aborted) throw this.#options.closed()
    for (let free = this.#idle.pop(); free !== undefined; free = this.#idle.pop()) {
      if (!free.session.usable) continue
      this.#busy.add(free.session)
      return free.session
    }
    return this.#wait(signal)
  }

  /** Gives a session back. One that is not usable any more makes room for another one. */
  release(session: Session): void {
    if (!this.#busy.delete(session)) return
    if (session.usable && !this.#closing.signal.aborted) {
      this.#give(session)
      return
    }
    session.destroy()
    this.#grow()
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return
    this.#closing.abort(this.#options.closed())
    clearInterval(this.#sweeper)
    for (const waiter of this.#waiters.splice(0)) waiter.reject(this.#options.closed())
    for (const session of this.#busy) session.destroy()
    await Promise.all(this.#idle.splice(0).map(({ session }) => session.close()))
  }

  #wait(signal: AbortSignal): Promise<Session> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', onAbort)
        const at = this.#waiters.indexOf(waiter)
        if (at >= 0) this.#waiters.splice(at, 1)
      }
      const waiter: Waiter<Session> = {
        resolve: (session) => {
          settle()
          resolve(session)
        },
        reject: (error) => {
          settle()
          reject(error as Error)
        },
      }
      const onAbort = (): void => waiter.reject(signal.reason)
      const timer = setTimeout(() => waiter.reject(this.#options.exhausted(this.#busy.size)), this.#options.acquireMs)
      signal.addEventListener('abort', onAbort, { once: true })
      this.#waiters.push(waiter)
      this.#grow()
    })
  }

  /** Opens what waiters need and the size allows. */
  #grow(): void {
    while (
      this.#waiters.length > this.#opening &&
      this.#idle.length + this.#busy.size + this.#opening < this.#options.size &&
      !this.#closing.signal.aborted
    ) {
      this.#opening += 1
      void this.#open()
    }
  }

  async #open(): Promise<void> {
    let opened: Session | null = null
    try {
      opened = await this.#options.open(this.#closing.signal, () => opened !== null && this.#gone(opened))
      this.#opening -= 1
      if (this.#closing.signal.aborted) opened.destroy()
      else this.#give(opened)
    } catch (error) {
      this.#opening -= 1
      // The next one in line may have more luck; each failure is told to somebody.
      this.#waiters[0]?.reject(error)
      this.#grow()
    }
  }

  #give(session: Session): void {
    const waiter = this.#waiters[0]
    if (waiter !== undefined) {
      this.#busy.add(session)
      waiter.resolve(session)
      return
    }
    this.#idle.push({ session, since: performance.now() })
    // Idle sessions do not keep a process alive.
    this.#sweeper ??= setInterval(() => this.#sweep(), Math.max(this.#options.idleMs / 2, 10)).unref()
  }

  #sweep(): void {
    const until = performance.now() - this.#options.idleMs
    while (this.#idle[0] !== undefined && this.#idle[0].since <= until) void this.#idle.shift()!.session.close()
    if (this.#idle.length > 0) return
    clearInterval(this.#sweeper)
    this.#sweeper = undefined
  }

  /** The server ended an idle one. One in use is told by its statement. */
  #gone(session: Session): void {
    const at = this.#idle.findIndex((each) => each.session === session)
    if (at >= 0) this.#idle.splice(at, 1)
  }
}
