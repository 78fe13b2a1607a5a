/** The shared store: one PostgreSQL schema, worked on by any number of processes, each run owned by one of them at a time. */
import { createPostgresBlobStore } from '../../blob/postgres-blob-store.ts'
import type { BlobStore } from '../../blob/blob-store.ts'
import { storeError } from '../errors.ts'
import {
  flattenEvent,
  flattenMessage,
  flattenPatch,
  flattenRecords,
  flattenRest,
  packRun,
  Op,
  type AcceptAnswer,
  type AppendOp,
  type CommittedWith,
  type Put,
} from '../sqlite/messages.ts'
import { toAcceptOutcome, toAppendOutcome } from '../sqlite/outcomes.ts'
import { toEvent, toFlowRow, toFlowVersion, toRunRow, toScheduleRow, toTokenRow } from '../sqlite/rows.ts'
import type { RunColumns } from '../sqlite/rows.ts'
import type { RunRow, RunWrite, Store, StoreStats } from '../store.ts'
import { Database, type Queryable } from './database.ts'
import { GroupCommit } from './group-commit.ts'
import { KnownRuns } from './known-runs.ts'
import { migrateTables, schemaVersion } from './migrations.ts'
import { Reader } from './reader.ts'
import { DEFAULT_TIMES, readSessions, Session, type SessionInfo, type SessionTimes } from './session.ts'
import { READ, WRITE } from './statements.ts'
import { compact, prune } from './upkeep.ts'

export interface PostgresStoreOptions {
  /** `postgres://user:password@host:5432/name?sslmode=verify-full`; `?schema=` names the schema, default `plugwork`. */
  readonly url: string
  /** Version of the program, told to those who ask who works on the database. */
  readonly version: string
  /** Shorter times of ownership, for tests. */
  readonly times?: Partial<SessionTimes>
}

export interface PostgresStore {
  readonly store: Store
  /** Values past 64 KiB, in the same database: every process can read them. */
  readonly blobs: BlobStore
  /** Statements sent so far, transaction control included. */
  readonly statements: () => number
  /** For what else lives in this database (limits that processes share); closed with the store. */
  readonly database: Queryable
}

/**
 * Connects, brings the schema up to date and opens a session. Several processes may do so at a time. Throws
 * `store_unreachable`, `store_refused`, `store_newer`, `store_driver_missing`.
 */
export async function openPostgresStore(options: PostgresStoreOptions): Promise<PostgresStore> {
  const database = await Database.open(options.url)
  try {
    await migrateTables(database)
    return await open(database, options)
  } catch (error) {
    await database.close()
    throw error
  }
}

/** Brings the schema of a database to this program's version, as `plugwork migrate` does. */
export async function migratePostgres(url: string): Promise<{ readonly from: number; readonly to: number }> {
  return withDatabase(url, migrateTables)
}

/** Schema version and live sessions of a database, without opening a store: version 0 where there is none. */
export async function inspectPostgres(url: string): Promise<{
  readonly shown: string
  readonly server: string
  readonly version: number
  readonly sessions: readonly SessionInfo[]
}> {
  return withDatabase(url, async (database) => {
    const version = await schemaVersion(database)
    const [row] = (await database.query('SHOW server_version')).rows
    const sessions = version === 0 ? [] : await readSessions(database)
    return { shown: database.address.shown, server: String(row?.[0]), version, sessions }
  })
}

async function withDatabase<T>(url: string, work: (database: Database) => Promise<T>): Promise<T> {
  const database = await Database.open(url)
  try {
    return await work(database)
  } finally {
    await database.close()
  }
}

async function open(database: Database, { version, times }: PostgresStoreOptions): Promise<PostgresStore> {
  const lost = new Lost()
  const session = await Session.open(database, {
    version,
    times: { ...DEFAULT_TIMES, ...times },
    onLost: (reason) => {
      writer.fence()
      lost.tell(reason)
    },
  })
  const { epoch, channel } = session
  const known = new KnownRuns()
  const context = { epoch, channel, known, schema: database.address.schema }
  const writer = new GroupCommit({ ...context, database, onFenced: () => session.lose() })
  const store = postgresStore({ database, session, known, writer, lost, reader: new Reader(database) })
  return { store, blobs: createPostgresBlobStore(database), statements: () => database.statements, database }
}

interface Parts {
  readonly database: Database
  readonly session: Session
  readonly known: KnownRuns
  readonly writer: GroupCommit
  readonly lost: Lost
  readonly reader: Reader
}

/** Tells once that this process has lost its session. */
class Lost {
  readonly #listeners: ((reason: string) => void)[] = []
  #told = false

  listen(listener: (reason: string) => void): void {
    this.#listeners.push(listener)
  }

  tell(reason: string): void {
    if (this.#told) return
    this.#told = true
    for (const listener of this.#listeners) listener(reason)
  }
}

function postgresStore({ database, session, known, writer, lost, reader }: Parts): Store {
  const { epoch } = session
  // Operations need no numbers here: their answers come back as promises.
  const put = (change: Put) => writer.send([Op.put, 0, change]) as Promise<boolean>
  const note = (row: RunRow): void => known.note(row.rid, { epoch: row.epoch, keyed: row.concurrencyKey !== null })
  let closing: Promise<void> | null = null
  return {
    kind: 'postgres',
    epoch,

    async append(write) {
      return toAppendOutcome(
        (await writer.send(appendOperation(write), write.nextSeq ?? null)) as number | CommittedWith,
      )
    },
    async accept(run, start) {
      const flat =
        start === undefined
          ? null
          : ([flattenRecords(start.records), flattenPatch(start.run), flattenRest(start), start.nonce ?? null] as const)
      return toAcceptOutcome((await writer.send([Op.accept, 0, packRun(run), flat])) as AcceptAnswer, epoch)
    },
    async claim(limit, now, only) {
      const rows = (await writer.send([Op.claim, 0, limit, now, only ?? null])) as RunColumns[]
      const claimed = rows.map(toRunRow)
      claimed.forEach(note)
      return claimed
    },
    deliver: (message) => writer.send([Op.deliver, 0, flattenMessage(message)]) as ReturnType<Store['deliver']>,
    publish: (event) => writer.send([Op.publish, 0, flattenEvent(event)]) as ReturnType<Store['publish']>,

    async load(rid) {
      const loaded = await reader.load(rid)
      if (loaded !== null) note(loaded.row)
      return loaded
    },
    findRun: (tenant, id) => (tenant === null ? reader.row(READ.runOfId, id) : reader.row(READ.findRun, id, tenant)),
    getRun: (rid) => reader.row(READ.run, rid),
    listRuns: (query) => reader.listRuns(query),
    countRuns: (tenant, status) => reader.countRuns(tenant, status),
    readJournal: (rid, fromSeq, limit) => reader.journal(rid, fromSeq, limit),
    async interrupted(afterRid, limit) {
      const rows = (await reader.all(READ.interrupted, afterRid, limit)).map(toRunRow)
      rows.forEach(note)
      return rows
    },
    due: (now, limit) => reader.due(now, limit, epoch),
    nextWake: async () => ((await reader.first(READ.nextWake, epoch))?.[0] ?? null) as number | null,
    async eventsAfter(tenant, name, after, limit) {
      const rows =
        name === null
          ? await reader.all(READ.events, tenant, after, limit)
          : await reader.all(READ.eventsByName, tenant, name, after, limit)
      return rows.map(toEvent)
    },
    async subscribers(tenant, event) {
      const rows = await reader.all(WRITE.subscribers, tenant, event)
      return rows.map(([rid, path]) => ({ rid: rid as number, path: path as string }))
    },
    unoffered: async (afterRid, limit) =>
      (await reader.all(READ.unoffered, afterRid, limit)).map(([rid]) => rid as number),
    lastEventId: async () => ((await reader.first(READ.lastEvent))?.[0] ?? 0) as number,

    async putFlowVersion(row) {
      // Versions never change, and every start of a process puts all that it uses.
      if ((await reader.first(READ.flowVersion, row.hash)) === undefined) await put({ kind: 'flow_version', row })
    },
    async getFlowVersion(hash) {
      const row = await reader.first(READ.flowVersion, hash)
      return row === undefined ? null : toFlowVersion(row)
    },
    listFlowVersions: async (flow) => (await reader.all(READ.flowVersions, flow)).map(toFlowVersion),
    putFlow: async (row) => void (await put({ kind: 'flow', row })),
    deleteFlow: (tenant, name) => put({ kind: 'delete_flow', tenant, name }),
    listFlows: async (tenant) => (await reader.all(READ.flows, tenant)).map(toFlowRow),

    listSchedules: async () => (await reader.all(READ.schedules)).map(toScheduleRow),
    putSchedule: async (row) => void (await put({ kind: 'schedule', row })),
    deleteSchedule: async (tenant, flow, trigger) =>
      void (await put({ kind: 'delete_schedule', tenant, flow, trigger })),

    getMeta: async (key) => ((await reader.first(READ.meta, key))?.[0] ?? null) as string | null,
    setMeta: async (key, value) => void (await put({ kind: 'meta', key, value })),

    putToken: async (row) =>
      void (await put({ kind: 'token', row: { ...row, permissions: JSON.stringify(row.permissions) } })),
    async findToken(hash) {
      const row = await reader.first(READ.token, hash)
      return row === undefined ? null : toTokenRow(row)
    },
    listTokens: async (tenant) => (await reader.all(READ.tokens, tenant)).map(toTokenRow),
    deleteToken: (tenant, id) => put({ kind: 'delete_token', tenant, id }),

    prune: (query) => prune(database, epoch, query),
    endedFlows: async () =>
      (await reader.all(READ.endedFlows)).map(([tenant, flow]) => ({ tenant: tenant as string, flow: flow as string })),
    knownBlobs: async (hashes) => (await reader.all(READ.knownBlobs, hashes)).map(([hash]) => hash as string),
    compact: () => compact(database),
    async backup() {
      throw storeError(
        'store_backup_elsewhere',
        `${database.address.shown} is backed up with PostgreSQL's own tools: pg_dump --schema=${database.address.schema} copies it while work goes on, pg_restore puts it back.`,
      )
    },
    stats: () => statsOf(writer),
    onLost: (listener) => lost.listen(listener),
    onNews: (listener) => session.onNews(listener),
    async isElsewhere(row) {
      return row.epoch !== epoch && (await reader.first(READ.isAlive, row.epoch)) !== undefined
    },
    close() {
      closing ??= (async () => {
        await writer.close()
        await session.close().finally(() => database.close())
      })()
      return closing
    },
  }
}

function appendOperation(write: RunWrite): AppendOp {
  const nonce = write.nonce ?? null
  const { rid, epoch } = write
  return [Op.append, 0, rid, epoch, nonce, flattenRecords(write.records), flattenPatch(write.run), flattenRest(write)]
}

function statsOf(writer: GroupCommit): StoreStats {
  const { commits, records, bytes, lastCommitMs } = writer.figures
  const batchSizes = writer.figures.batchSizes()
  return { kind: 'postgres', commits, records, bytes, lastCommitMs, pending: writer.pending, batchSizes }
}
