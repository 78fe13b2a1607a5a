/**
 * Refreshing so that no token is lost: providers that rotate refresh tokens take each one once, and whoever uses one
 * twice, or does not write down the new one, has locked its user out.
 *
 * 1. In a process, one refresh per connection at a time; later callers join it.
 * 2. Across processes, a lease in the connection's row, taken by compare-and-set. It outlives the token request (20 s)
 *    by far (45 s), and a process that dies frees it by time.
 * 3. Taking the lease reads the row: if another process has refreshed meanwhile, its token is the answer.
 * 4. The token request has its own deadline; it does not end when a caller gives up.
 * 5. New tokens are written if the row still has the tokens they replace, and in the same write the lease ends. A refresh
 *    token that the answer does not repeat stays.
 * 6. `invalid_grant` while the stored tokens have changed is a race that somebody else won.
 * 7. Only what the provider says about the grant or the client asks for a person. Everything else pauses for 30 s, and the
 *    old token serves until it expires.
 * 8. Who waits too long for another process reads once more, else gets an error that may be retried.
 */
import { randomBytes } from 'node:crypto'
import { PlugworkError } from '@plugwork/core'
import { systemClock, type Clock } from '@plugwork/core/node'
import type { ConnectionRow, ConnectionStatus, StatusReason, StatusReasonCode } from '../connection/connection.ts'
import type { ConnectionRows, RowChange } from '../connection/connection-rows.ts'
import { connectionError, notFound } from '../connection/errors.ts'
import type { TokenSet } from '../oauth/token-set.ts'
import { isDue, isUsable } from './token-times.ts'

export interface RefreshTiming {
  /** How long a process may take from taking the lease to writing the tokens. */
  readonly leaseMs: number
  /** How long a token request may take; well below the lease. */
  readonly requestMs: number
  /** Pause after a failure that is not the connection's fault. */
  readonly cooldownMs: number
  /** How long callers wait for another process. */
  readonly waitMs: number
}

export const REFRESH_TIMING: RefreshTiming = { leaseMs: 45_000, requestMs: 20_000, cooldownMs: 30_000, waitMs: 25_000 }

/** How often a lease of another process is looked at, and how long writing received tokens is tried again. */
const LOOK_MS = 150
const WRITE_AGAIN_MS = 60_000

export interface RefresherOptions {
  readonly rows: ConnectionRows
  /** Asks the provider, with what the row holds. */
  fetchTokens(row: ConnectionRow, signal: AbortSignal): Promise<TokenSet>
  /** What the row gets for new tokens, encrypted. */
  storeTokens(row: ConnectionRow, tokens: TokenSet): Promise<RowChange>
  /** Told of every write: `from` is the state before, as everybody saw it. */
  changed(row: ConnectionRow, from: ConnectionStatus, refreshed: boolean): void
  log(level: 'warn' | 'error', message: string): void
  readonly clock?: Clock
  /** From 0 to 1, for pauses. */
  readonly random?: () => number
  readonly timing?: Partial<RefreshTiming>
}

/** Codes of RFC 6749, 5.2 after which nothing but a person helps. */
const NEEDS_PERSON = new Set<string>(['invalid_grant', 'invalid_client', 'unauthorized_client'])

export class Refresher {
  readonly #options: RefresherOptions
  readonly #clock: Clock
  readonly #random: () => number
  readonly #timing: RefreshTiming
  /** Names this process in leases. */
  readonly #self = `${process.pid}-${randomBytes(6).toString('hex')}`
  readonly #flights = new Map<string, Promise<ConnectionRow>>()

  constructor(options: RefresherOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#random = options.random ?? Math.random
    this.#timing = { ...REFRESH_TIMING, ...options.timing }
  }

  /**
   * Answers the row with tokens newer than `version`. With `serveOld` a token that has not expired is good enough while
   * the provider or another process is slow. Throws `connection_needs_reauth`, `connection_refresh_failed` and the like.
   */
  async refresh(id: string, version: number, serveOld: boolean): Promise<ConnectionRow> {
    const joined = this.#flights.get(id)
    if (joined !== undefined) {
      const row = await joined.catch((error: unknown) => {
        if (serveOld) return null
        throw error
      })
      // A flight that ended with the old token does not answer who needs a newer one, and one that failed may have been
      // more demanding.
      if (row !== null && (row.data.tokenVersion > version || serveOld)) return row
      return this.refresh(id, version, serveOld)
    }
    const flight = this.#run(id, version, serveOld).finally(() => this.#flights.delete(id))
    this.#flights.set(id, flight)
    return flight
  }

  async #run(id: string, version: number, serveOld: boolean): Promise<ConnectionRow> {
    const giveUpAt = this.#clock.now() + this.#timing.waitMs
    for (;;) {
      const row = await this.#options.rows.read(id)
      if (row === null) throw notFound(id)
      assertConnected(row)
      const now = this.#clock.now()
      if (row.data.tokenVersion > version) return row
      const old = serveOld && isUsable(row.data, now)
      if (row.data.cooldownUntil !== null && row.data.cooldownUntil > now) {
        if (old) return row
        throw refreshFailed(row)
      }
      if (row.data.lease !== null && row.data.lease.until > now) {
        // Another process is at it: its answer comes, or its lease ends.
        if (old) return row
        if (now >= giveUpAt) throw refreshBusy(row)
        await this.#pause(LOOK_MS * (0.5 + this.#random()))
        continue
      }
      const leased = await this.#takeLease(row)
      if (leased === null) continue
      const renewed = await this.#renew(leased, serveOld)
      if (renewed.data.tokenVersion > version || (serveOld && isUsable(renewed.data, this.#clock.now()))) return renewed
    }
  }

  /** Null when anything at all has changed since the row was read. */
  async #takeLease(row: ConnectionRow): Promise<ConnectionRow | null> {
    const lease = { owner: this.#self, until: this.#clock.now() + this.#timing.leaseMs }
    const taken = await this.#options.rows.change(row.id, (now) =>
      now.version === row.version ? { data: { lease } } : null,
    )
    if (taken.outcome !== 'done') return null
    this.#options.changed(taken.row, row.data.status, false)
    return taken.row
  }

  async #renew(row: ConnectionRow, serveOld: boolean): Promise<ConnectionRow> {
    let tokens: TokenSet
    try {
      tokens = await this.#request(row)
    } catch (error) {
      return this.#failed(row, error, serveOld)
    }
    return this.#keep(row, tokens)
  }

  /** The deadline holds whether or not the request heeds its signal. */
  async #request(row: ConnectionRow): Promise<TokenSet> {
    const limit = new AbortController()
    const late = Promise.withResolvers<never>()
    const seconds = this.#timing.requestMs / 1_000
    const cancel = this.#clock.at(this.#clock.now() + this.#timing.requestMs, () => {
      const error = new Error(`the token endpoint did not answer within ${seconds} s`)
      limit.abort(error)
      late.reject(error)
    })
    try {
      return await Promise.race([this.#options.fetchTokens(row, limit.signal), late.promise])
    } finally {
      cancel()
    }
  }

  /** The one moment at which a new refresh token exists in memory only: it is written first, and again if that fails. */
  async #keep(leased: ConnectionRow, tokens: TokenSet): Promise<ConnectionRow> {
    const written = await this.#persistently(leased.id, async () => this.#write(leased, tokens))
    if (written !== null) return written
    const row = await this.#release(leased.id)
    assertConnected(row)
    return row
  }

  async #persistently<T>(id: string, write: () => Promise<T>): Promise<T> {
    const giveUpAt = this.#clock.now() + WRITE_AGAIN_MS
    for (let pause = 50; ; pause = Math.min(pause * 2, 2_000)) {
      try {
        return await write()
      } catch (error) {
        if (this.#clock.now() >= giveUpAt) throw error
        const because = error instanceof Error ? error.message : String(error)
        this.#options.log('warn', `new tokens of connection ${id} could not be stored, trying again: ${because}`)
        await this.#pause(pause)
      }
    }
  }

  /** Null when somebody has reconnected or disconnected it meanwhile: what they did stands. */
  async #write(leased: ConnectionRow, tokens: TokenSet): Promise<ConnectionRow | null> {
    const stored = await this.#options.storeTokens(leased, tokens)
    const written = await this.#options.rows.change(leased.id, (row) => {
      if (row.data.tokenVersion !== leased.data.tokenVersion || row.data.status === 'revoked') return null
      const data = { status: 'active', reason: null, cooldownUntil: null, ...this.#withoutLease(row) } as const
      return { ...stored, data: { ...stored.data, ...data } }
    })
    if (written.outcome !== 'done') return null
    this.#options.changed(written.row, this.#statusOf(written.before), true)
    return written.row
  }

  async #failed(leased: ConnectionRow, error: unknown, serveOld: boolean): Promise<ConnectionRow> {
    const refusal = refusalOf(error)
    const now = this.#clock.now()
    const written = await this.#options.rows.change(leased.id, (row) => {
      if (row.data.tokenVersion !== leased.data.tokenVersion || row.data.status === 'revoked') return null
      // Our lease has ended and another process is at it: what it is told counts.
      if (row.data.lease !== null && row.data.lease.owner !== this.#self && row.data.lease.until > now) return null
      if (refusal !== null) {
        const reason = reasonOf(refusal, row, now)
        return { due: null, data: { status: 'needs_reauth', reason, ...this.#withoutLease(row) } }
      }
      const usable = isUsable(row.data, now)
      const reason = usable ? row.data.reason : reasonOf('refresh_failed', row, now)
      return {
        data: {
          status: usable ? row.data.status : 'error',
          reason,
          cooldownUntil: now + this.#timing.cooldownMs,
          ...this.#withoutLease(row),
        },
      }
    })
    if (written.outcome !== 'done') {
      // The stored tokens are not those that were refused: a race that somebody else won.
      const row = await this.#release(leased.id)
      assertConnected(row)
      return row
    }
    this.#options.changed(written.row, this.#statusOf(written.before), false)
    assertConnected(written.row)
    const because = error instanceof Error ? error.message : 'unknown'
    this.#options.log('warn', `the token of connection ${leased.id} could not be refreshed: ${because}`)
    if (serveOld && isUsable(written.row.data, now)) return written.row
    throw refreshFailed(written.row, error)
  }

  async #release(id: string): Promise<ConnectionRow> {
    const released = await this.#options.rows.change(id, (row) =>
      row.data.lease?.owner === this.#self ? { data: { lease: null } } : null,
    )
    if (!('row' in released)) throw notFound(id)
    if (released.outcome === 'done') this.#options.changed(released.row, this.#statusOf(released.before), false)
    return released.row
  }

  /** A lease that another process has taken since ours ended stays. */
  #withoutLease(row: ConnectionRow): { readonly lease: null } | object {
    return row.data.lease?.owner === this.#self ? { lease: null } : {}
  }

  #statusOf(row: ConnectionRow): ConnectionStatus {
    return row.data.lease === null ? row.data.status : 'refreshing'
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#clock.at(this.#clock.now() + ms, resolve))
  }
}

/** Throws when only a person can make the connection work again. */
export function assertConnected(row: ConnectionRow): void {
  const { status, reason } = row.data
  const data = { connection: row.id, reason: reason?.code ?? null }
  if (status === 'needs_reauth') {
    throw connectionError(
      'connection_needs_reauth',
      `The connection "${row.name}" to ${row.connector} has to be connected again: ${reason?.message ?? 'it was refused.'}`,
      { data },
    )
  }
  if (status === 'revoked') {
    throw connectionError(
      'connection_revoked',
      `The connection "${row.name}" to ${row.connector} was disconnected. Connect it again.`,
      { data },
    )
  }
}

/** Whether a row's token is due, or missing where one can be got. */
export function needsToken(row: ConnectionRow, now: number): boolean {
  return row.data.renewable && isDue(row.data, now)
}

function refusalOf(error: unknown): StatusReasonCode | null {
  if (!(error instanceof PlugworkError) || error.code !== 'oauth_refused') return null
  const { data } = error
  const code = typeof data === 'object' && data !== null && 'error' in data ? data['error'] : null
  return typeof code === 'string' && NEEDS_PERSON.has(code) ? (code as StatusReasonCode) : null
}

const REASONS: Readonly<Partial<Record<StatusReasonCode, string>>> = {
  invalid_grant: 'the service no longer accepts its authorization (revoked, expired, or used elsewhere).',
  invalid_client: "the service does not accept the application's client id or secret.",
  unauthorized_client: 'the service does not allow the application to refresh.',
  refresh_failed: 'the token has expired and the service does not give a new one; it is asked again.',
}

function reasonOf(code: StatusReasonCode, row: ConnectionRow, at: number): StatusReason {
  return row.data.reason?.code === code ? row.data.reason : { code, message: REASONS[code] ?? code, at }
}

function refreshFailed(row: ConnectionRow, cause?: unknown): PlugworkError {
  const { cooldownUntil } = row.data
  const until = cooldownUntil === null ? '' : ` It is asked again after ${new Date(cooldownUntil).toISOString()}.`
  return connectionError(
    'connection_refresh_failed',
    `The token of the connection "${row.name}" to ${row.connector} could not be renewed.${until}`,
    { data: { connection: row.id, retryAt: cooldownUntil }, ...(cause === undefined ? {} : { cause }) },
  )
}

function refreshBusy(row: ConnectionRow): PlugworkError {
  return connectionError(
    'connection_refresh_busy',
    `Another process refreshes the token of the connection "${row.name}" to ${row.connector} and has not finished. Try again.`,
    { data: { connection: row.id } },
  )
}
