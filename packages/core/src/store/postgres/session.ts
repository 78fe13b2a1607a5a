/**
 * The session of a process: the row that says that it lives, and under which epoch it owns runs. It is renewed on the main loop, so a
 * process whose loop hangs stops renewing. Expiry is measured by the database's clock. A session that is gone is never renewed
 * again: the process that had it is fenced, by every statement it sends.
 *
 * A session whose process has ended is closed by whoever notices: at once on the same machine (its pid is free), else when its time is
 * up. The processes tell one another what there is to do by LISTEN and NOTIFY; a look every few seconds catches what was missed.
 */
import { hostname } from 'node:os'

import { isRunning, processStart } from '../sqlite/process-identity.ts'
import type { StoreNews } from '../store.ts'
import type { Database } from './database.ts'
import { READ, SESSION } from './statements.ts'

/** Times of ownership, in ms. */
export interface SessionTimes {
  /** The row is renewed, and others are looked at, this often. Default 5,000. */
  readonly renewMs: number
  /** A session that was not renewed for this long may be ended by another process. Default 15,000. */
  readonly expireMs: number
}

export const DEFAULT_TIMES: SessionTimes = { renewMs: 5_000, expireMs: 15_000 }

export interface SessionInfo {
  readonly epoch: number
  readonly pid: number
  readonly host: string
  readonly version: string
  readonly renewedAt: number
}

export class Session {
  readonly epoch: number
  readonly channel: string
  readonly #database: Database
  readonly #times: SessionTimes
  readonly #timer: ReturnType<typeof setInterval>
  readonly #listeners: ((news: StoreNews) => void)[] = []
  readonly #onLost: (reason: string) => void
  #stopListening: (() => Promise<void>) | null = null
  #listening = false
  #ticking = false
  #closed = false

  private constructor(database: Database, epoch: number, times: SessionTimes, onLost: (reason: string) => void) {
    this.#database = database
    this.epoch = epoch
    this.channel = channelOf(database)
    this.#times = times
    this.#onLost = onLost
    this.#timer = setInterval(() => void this.#tick(), times.renewMs)
    this.#timer.unref()
  }

  /** Opens a session, after closing those whose processes have ended on this machine or whose time is up. */
  static async open(
    database: Database,
    options: { readonly version: string; readonly times: SessionTimes; readonly onLost: (reason: string) => void },
  ): Promise<Session> {
    await endOthers(database, 0)
    const { version, times, onLost } = options
    const start = processStart(process.pid) ?? 'unknown'
    const { rows } = await database.query(SESSION.open, [process.pid, start, hostname(), version, times.expireMs])
    const session = new Session(database, rows[0]?.[0] as number, times, onLost)
    await session.#listen()
    return session
  }

  onNews(listener: (news: StoreNews) => void): void {
    this.#listeners.push(listener)
  }

  /** This process has learned that its session is gone. */
  lose(): void {
    if (this.#closed) return
    this.#closed = true
    clearInterval(this.#timer)
    void this.#stopListening?.()
    this.#onLost('its session has expired or was ended, and other processes may have its runs')
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    clearInterval(this.#timer)
    await this.#stopListening?.()
    await this.#database.query(SESSION.close, [this.epoch])
    // Whatever it leaves (runs that wait, runs in the queue) is the others' now.
    await this.#database.query(`SELECT pg_notify($1, $2)`, [this.channel, `${this.epoch}:x`])
  }

  async #tick(): Promise<void> {
    if (this.#ticking || this.#closed) return
    this.#ticking = true
    try {
      const { count } = await this.#database.query(SESSION.renew, [this.epoch, this.#times.expireMs])
      if (count === 0) return this.lose()
      const ended = await endOthers(this.#database, this.epoch)
      const left = ended > 0 || (await this.#database.query(READ.isAnyInterrupted)).rows.length > 0
      if (left) this.#tell({ kind: 'interrupted' })
      this.#tell({ kind: 'look' })
      if (!this.#listening) await this.#listen()
    } catch {
      // The server cannot be reached: the next tick tries again, and finds out whether the session outlived that.
    } finally {
      this.#ticking = false
    }
  }

  async #listen(): Promise<void> {
    const onEnd = (): void => {
      this.#listening = false
    }
    this.#stopListening = await this.#database.listen(this.channel, (payload) => this.#hear(payload), onEnd)
    this.#listening = true
  }

  #hear(payload: string): void {
    const colon = payload.indexOf(':')
    if (Number(payload.slice(0, colon)) === this.epoch) return
    const what = payload.slice(colon + 1)
    const rest = what.slice(1)
    if (what === 'q') this.#tell({ kind: 'queued' })
    else if (what === 'x') this.#tell({ kind: 'interrupted' })
    else if (what[0] === 'r') this.#tell({ kind: 'message', rid: Number(rest) })
    else if (what[0] === 'e') {
      const [tenant = '', name = ''] = JSON.parse(rest) as [string, string]
      this.#tell({ kind: 'event', tenant, name })
    }
  }

  #tell(news: StoreNews): void {
    if (this.#closed) return
    for (const listener of this.#listeners) listener(news)
  }
}

/** Sessions of a database, its own or others'. */
export async function readSessions(database: Database): Promise<readonly SessionInfo[]> {
  const { rows } = await database.query(SESSION.list)
  return rows.map(([epoch, pid, , host, version, renewedAt]) => ({
    epoch: epoch as number,
    pid: pid as number,
    host: host as string,
    version: version as string,
    renewedAt: renewedAt as number,
  }))
}

/** Ends sessions that have nobody any more; answers how many. */
async function endOthers(database: Database, own: number): Promise<number> {
  const expired = await database.query(SESSION.expire, [own])
  const gone = (await database.query(SESSION.list)).rows
    .filter(([epoch, pid, start]) => epoch !== own && isGone(pid as number, start as string))
    .map(([epoch]) => epoch)
  if (gone.length === 0) return expired.count
  return expired.count + (await database.query(SESSION.end, [gone])).count
}

/** True when the process was one of this machine (this boot and pid namespace) and has ended. Elsewhere, only time tells. */
function isGone(pid: number, start: string): boolean {
  const own = processStart(process.pid) ?? ''
  const isHere = start.startsWith('linux:') && placeOf(start) === placeOf(own)
  return isHere && isRunning(pid, start) === 'no'
}

function placeOf(start: string): string {
  return start.split(':').slice(0, 3).join(':')
}

/** Channels belong to the database; a schema has one of its own. */
function channelOf({ address }: Database): string {
  return `plugwork_${address.schema}`.slice(0, 60)
}
