/** The embedded store: one SQLite file, written by a thread of its own, read from here, owned by one process at a time. */
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { Worker } from 'node:worker_threads'

import { fromSqlite, openReader } from './open-database.ts'
import {
  flattenEvent,
  flattenMessage,
  flattenPatch,
  flattenRecords,
  flattenRest,
  packRun,
  Op,
  type AcceptAnswer,
  type CommittedWith,
  type NumberedOperation,
  type Put,
} from './messages.ts'
import { IS_FENCED, toAcceptOutcome, toAppendOutcome } from './outcomes.ts'
import { DEFAULT_LEASE, type Lease } from './owner.ts'
import { processStart } from './process-identity.ts'
import { Reader } from './reader.ts'
import { toEvent, toFlowRow, toFlowVersion, toRunRow, toScheduleRow, toTokenRow, type RunColumns } from './rows.ts'
import { READ } from './statements.ts'
import { WriterClient } from './writer-client.ts'
import type { BackupData } from './backup.ts'
import type { AppendOutcome, Owner, RunWrite, Store, StoreStats } from '../store.ts'

export interface SqliteStoreOptions {
  /** Path of the database file; it and its folder are made when missing. */
  readonly file: string
  /** Local socket through which other processes reach this one; told to those that find the file owned. */
  readonly socket: string
  /** Version of the program, told likewise. */
  readonly version: string
  /** Shorter times of ownership, for tests. */
  readonly lease?: Partial<Lease>
  /** Most pages (of 4 KiB) that the file may have. Default: what SQLite allows. */
  readonly maxPages?: number
  /** Told whom this process follows, and why it could: `released`, `gone` (its process ended), `stalled`. */
  readonly onOwner?: (previous: Owner, why: 'released' | 'gone' | 'stalled') => void
}

/**
 * Opens the store and takes ownership of its file. Throws `StoreOwnedError` when a live process has it, `store_newer` when
 * the file is of a later program.
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const file = resolve(options.file)
  if (!existsSync(file)) await mkdir(dirname(file), { recursive: true })
  const lease = { ...DEFAULT_LEASE, ...options.lease }
  const claimant = {
    pid: process.pid,
    processStart: processStart(process.pid) ?? 'unknown',
    socket: options.socket,
    version: options.version,
  }
  const maxPages = options.maxPages === undefined ? {} : { maxPages: options.maxPages }
  const { client, ready } = await WriterClient.open({ file, claimant, lease, expireMs: lease.expireMs, ...maxPages })
  try {
    const reader = new Reader(openReader(file))
    if (ready.previous !== null) options.onOwner?.(ready.previous.owner, ready.previous.why)
    return sqliteStore(file, ready.epoch, client, reader)
  } catch (error) {
    await client.close()
    throw fromSqlite(error, file)
  }
}

function sqliteStore(file: string, epoch: number, client: WriterClient, reader: Reader): Store {
  const put = (change: Put) => client.send([Op.put, client.nextId(), change]) as Promise<boolean>
  return {
    kind: 'sqlite',
    epoch,

    append: (write) =>
      new Promise<AppendOutcome>((resolve, reject) => {
        if (client.isLost) {
          resolve(IS_FENCED)
          return
        }
        client.post(appendNumberedOperation(client.nextId(), write), {
          settle: (answer) => resolve(toAppendOutcome(answer as number | CommittedWith)),
          reject,
        })
      }),
    async accept(run, start) {
      const flat: NumberedOperation = [
        Op.accept,
        client.nextId(),
        packRun(run),
        start === undefined
          ? null
          : [flattenRecords(start.records), flattenPatch(start.run), flattenRest(start), start.nonce ?? null],
      ]
      return toAcceptOutcome((await client.send(flat)) as AcceptAnswer, epoch)
    },
    async claim(limit, now, only) {
      const rows = await client.send([Op.claim, client.nextId(), limit, now, only ?? null])
      return (rows as RunColumns[]).map(toRunRow)
    },
    deliver: (message) =>
      client.send([Op.deliver, client.nextId(), flattenMessage(message)]) as ReturnType<Store['deliver']>,
    publish: (event) => client.send([Op.publish, client.nextId(), flattenEvent(event)]) as ReturnType<Store['publish']>,

    load: (rid) => reader.load(rid),
    async findRun(tenant, id) {
      const row = tenant === null ? reader.first(READ.runOfId, id) : reader.first(READ.findRun, id, tenant)
      return row === undefined ? null : toRunRow(row)
    },
    async getRun(rid) {
      const row = reader.first(READ.run, rid)
      return row === undefined ? null : toRunRow(row)
    },
    listRuns: (query) => reader.listRuns(query),
    countRuns: (tenant, status) => reader.countRuns(tenant, status),
    readJournal: (rid, fromSeq, limit) => reader.journal(rid, fromSeq, limit),
    interrupted: async (afterRid, limit) => reader.all(READ.interrupted, afterRid, epoch, limit).map(toRunRow),
    due: async (now, limit) => reader.due(now, limit),
    nextWake: async () => (reader.first(READ.nextWake)?.[0] ?? null) as number | null,
    async eventsAfter(tenant, name, after, limit) {
      const rows =
        name === null
          ? reader.all(READ.events, after, tenant, limit)
          : reader.all(READ.eventsByName, tenant, name, after, limit)
      return rows.map(toEvent)
    },
    subscribers: async (tenant, event) =>
      reader.all(READ.subscribers, tenant, event).map(([rid, path]) => ({ rid: rid as number, path: path as string })),
    unoffered: async (afterRid, limit) => reader.all(READ.unoffered, afterRid, limit).map(([rid]) => rid as number),
    lastEventId: async () => (reader.first(READ.lastEvent)?.[0] ?? 0) as number,

    putFlowVersion: async (row) => void (await put({ kind: 'flow_version', row })),
    async getFlowVersion(hash) {
      const row = reader.first(READ.flowVersion, hash)
      return row === undefined ? null : toFlowVersion(row)
    },
    listFlowVersions: async (flow) => reader.all(READ.flowVersions, flow).map(toFlowVersion),
    putFlow: async (row) => void (await put({ kind: 'flow', row })),
    deleteFlow: (tenant, name) => put({ kind: 'delete_flow', tenant, name }),
    listFlows: async (tenant) =>
      (tenant === null ? reader.all(READ.flows) : reader.all(READ.flowsOfTenant, tenant)).map(toFlowRow),

    listSchedules: async () => reader.all(READ.schedules).map(toScheduleRow),
    putSchedule: async (row) => void (await put({ kind: 'schedule', row })),
    deleteSchedule: async (tenant, flow, trigger) =>
      void (await put({ kind: 'delete_schedule', tenant, flow, trigger })),

    getMeta: async (key) => (reader.first(READ.meta, key)?.[0] ?? null) as string | null,
    setMeta: async (key, value) => void (await put({ kind: 'meta', key, value })),

    putToken: async (row) =>
      void (await put({ kind: 'token', row: { ...row, permissions: JSON.stringify(row.permissions) } })),
    async findToken(hash) {
      const row = reader.first(READ.token, hash)
      return row === undefined ? null : toTokenRow(row)
    },
    listTokens: async (tenant) => reader.all(READ.tokens, tenant).map(toTokenRow),
    deleteToken: (tenant, id) => put({ kind: 'delete_token', tenant, id }),

    prune: ({ tenant, flow, before, limit }) =>
      client.send([
        Op.prune,
        client.nextId(),
        { tenant: tenant ?? null, flow: flow ?? null, before, limit },
      ]) as ReturnType<Store['prune']>,
    endedFlows: async () =>
      reader.all(READ.endedFlows).map(([tenant, flow]) => ({ tenant: tenant as string, flow: flow as string })),
    knownBlobs: async (hashes) => reader.all(READ.knownBlobs, JSON.stringify(hashes)).map(([hash]) => hash as string),
    compact: () => client.send([Op.compact, client.nextId()]) as ReturnType<Store['compact']>,
    backup: (target) => backup({ file, target: resolve(target) }),
    stats: () => statsOf(client),
    onLost: (listener) => client.onLost(listener),
    async close() {
      reader.close()
      await client.close()
    },
  }
}

function appendNumberedOperation(id: number, write: RunWrite): NumberedOperation {
  return [
    Op.append,
    id,
    write.rid,
    write.epoch,
    write.nonce ?? null,
    flattenRecords(write.records),
    flattenPatch(write.run),
    flattenRest(write),
  ]
}

function statsOf(client: WriterClient): StoreStats {
  const { commits, records, bytes, lastCommitMs } = client.figures
  const batchSizes = client.figures.batchSizes()
  return { kind: 'sqlite', commits, records, bytes, lastCommitMs, pending: client.pending, batchSizes }
}

/** In a thread of its own: copying a large file takes seconds. */
function backup(data: BackupData): Promise<void> {
  const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'))
  const worker = new Worker(new URL(`./backup${extension}`, import.meta.url), {
    name: 'plugwork-store-backup',
    workerData: data,
    execArgv: [],
  })
  return new Promise((resolve, reject) => {
    worker.once('error', (error) => reject(fromSqlite(error, data.target)))
    worker.once('exit', () => resolve())
  })
}
