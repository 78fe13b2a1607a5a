/**
 * The SQL of the SQLite store, apart from the code that runs it. `WRITE` is prepared in the writer thread, `READ` on the
 * main thread's read-only connection.
 *
 * The PostgreSQL statements that the contract foresees stand beside the ones they replace. There a batch is one statement
 * per kind of write (arrays through `unnest`), the fence is per run (`lease_epoch`), and `next_seq` is a column, because
 * its compare-and-set is the fence's other half; here the whole file is fenced, one owner row per transaction, and the
 * next number is what follows the last record.
 */
import { mutated } from '../mutation.ts'
import type { RunStatus } from '../store.ts'
import { RUN_COLUMNS } from './rows.ts'

const RUN = `SELECT ${RUN_COLUMNS} FROM runs r JOIN run_payloads p ON p.rid = r.rid`
/** Repeats the condition of the index `runs_keyed`, so that SQLite can use it. */
const KEYED = `tenant = ? AND concurrency_key = ? AND status IN ('queued', 'running', 'waiting')`
const HOLDS = `(status = 'running' OR (status = 'waiting' AND hold_waiting = 1))`

/** Repeats the condition of the index `runs_ended`. */
const ENDED = 'finished_at IS NOT NULL AND parent_rid IS NULL'
/** Jumps from one flow to the next in the index: DISTINCT would read all of it. */
const ENDED_FLOWS = `WITH RECURSIVE f (tenant, flow) AS (
    SELECT * FROM (SELECT tenant, flow FROM runs WHERE ${ENDED} ORDER BY tenant, flow LIMIT 1)
    UNION ALL
    SELECT r.tenant, r.flow FROM f JOIN runs r ON r.rid = coalesce(
      (SELECT rid FROM runs WHERE ${ENDED} AND tenant = f.tenant AND flow > f.flow ORDER BY flow LIMIT 1),
      (SELECT rid FROM runs WHERE ${ENDED} AND tenant > f.tenant ORDER BY tenant, flow LIMIT 1)))
  SELECT tenant, flow FROM f`

export const WRITE = {
  begin: 'BEGIN IMMEDIATE',
  commit: 'COMMIT',
  rollback: 'ROLLBACK',
  // PostgreSQL: no statement; each batch joins `runs` on lease_epoch (see insertRecord).
  ownerEpoch: 'SELECT epoch FROM owner WHERE id = 1',
  // PostgreSQL: UPDATE workers SET expires_at = now() + $ttl WHERE session_id = $1 AND expires_at > now(): one row per process.
  renew: 'UPDATE owner SET renewed_at = ? WHERE id = 1 AND epoch = ?',
  release: "UPDATE owner SET pid = 0, socket = '', renewed_at = ? WHERE id = 1 AND epoch = ?",

  runState: `SELECT epoch, tenant, concurrency_key, hold_waiting, nonce, root_rid,
      (SELECT coalesce(max(seq), 0) + 1 FROM journal WHERE journal.rid = runs.rid)
    FROM runs WHERE rid = ?`,
  // PostgreSQL: UPDATE runs SET lease_owner = $1, lease_epoch = lease_epoch + 1 WHERE rid = $2 AND (lease expired): one per
  // run taken over. Here the first write of a new owner does it.
  takeRun: 'UPDATE runs SET epoch = ? WHERE rid = ?',
  setNonce: 'UPDATE runs SET nonce = ? WHERE rid = ?',

  // PostgreSQL, one statement per batch; a run that is missing from the result was fenced, or is our own earlier commit (the
  // nonce at from_seq tells):
  //   WITH r AS (SELECT * FROM unnest($1::bigint[], $2::int[], $3::bigint[], $4::bigint[]) AS t(rid, epoch, from_seq, to_seq)),
  //   ok AS (UPDATE runs u SET next_seq = r.to_seq FROM r
  //          WHERE u.rid = r.rid AND u.lease_epoch = r.epoch AND u.next_seq = r.from_seq RETURNING u.rid, u.lease_epoch),
  //   j AS (INSERT INTO journal (rid, seq, epoch, kind, path, completes, at, data, nonce)
  //         SELECT x.rid, x.seq, ok.lease_epoch, x.kind, x.path, x.completes, x.at, x.data, x.nonce
  //         FROM unnest($5::bigint[], …) AS x(rid, seq, kind, path, completes, at, data, nonce) JOIN ok ON ok.rid = x.rid)
  //   SELECT rid FROM ok
  // A run stands in `r` once: writes of one run are merged before.
  insertRecord: 'INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
  nonceAt: 'SELECT nonce FROM journal WHERE rid = ? AND seq = ?',

  // PostgreSQL: rid from a sequence; INSERT … ON CONFLICT (tenant, flow, idempotency_key) DO NOTHING RETURNING rid.
  insertRun: `INSERT INTO runs (rid, id, tenant, flow, flow_hash, status, reason, priority, queue_pos, blocked,
      concurrency_key, concurrency_limit, hold_waiting, parent_rid, parent_path, root_rid, forked_from, forked_at,
      idempotency_key, epoch, nonce, wake_at, crash_count, created_at, started_at, finished_at, outputs, error)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  insertPayload: 'INSERT INTO run_payloads VALUES (?, ?, ?, ?)',
  maxRid: 'SELECT coalesce(max(rid), 0) FROM runs',
  ridOfId: 'SELECT rid, status FROM runs WHERE id = ?',
  runById: `${RUN} WHERE r.id = ?`,
  runByKey: `${RUN} WHERE r.tenant = ? AND r.flow = ? AND r.idempotency_key = ?`,
  runByRid: `${RUN} WHERE r.rid = ?`,

  // Slots of a concurrency key are counted per tree of runs: a child shares its ancestor's.
  // PostgreSQL: the same count, under pg_advisory_xact_lock(hashtextextended(tenant || key, 0)).
  holders: `SELECT rid, id, coalesce(root_rid, rid) FROM runs WHERE ${KEYED} AND ${HOLDS} ORDER BY rid`,
  queuedWithKey: `SELECT 1 FROM runs WHERE ${KEYED} AND status = 'queued' LIMIT 1`,
  unblockFirst: `UPDATE runs SET blocked = 0 WHERE rid = (
      SELECT rid FROM runs WHERE ${KEYED} AND status = 'queued' AND blocked = 1 ORDER BY queue_pos LIMIT 1)`,
  block: 'UPDATE runs SET blocked = 1 WHERE rid = ?',

  // PostgreSQL: the same with FOR UPDATE SKIP LOCKED.
  queued: `SELECT rid, tenant, concurrency_key, concurrency_limit, coalesce(root_rid, rid) FROM runs
    WHERE status = 'queued' AND blocked = 0 ORDER BY queue_pos LIMIT ?`,
  queuedOnly: `SELECT rid, tenant, concurrency_key, concurrency_limit, coalesce(root_rid, rid) FROM runs
    WHERE rid IN (SELECT value FROM json_each(?)) AND status = 'queued' ORDER BY queue_pos LIMIT ?`,
  claim: `UPDATE runs SET status = 'running', reason = NULL, blocked = 0, epoch = ?, started_at = coalesce(started_at, ?)
    WHERE rid = ?`,

  putSnapshot:
    'INSERT INTO snapshots VALUES (?, ?, ?) ON CONFLICT (rid) DO UPDATE SET seq = excluded.seq, state = excluded.state',
  putBlob: 'INSERT INTO blobs (hash, rid, size) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',

  insertMessage: `INSERT INTO inbox (id, rid, kind, dedupe, payload, at) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (rid, dedupe) DO NOTHING`,
  maxMessage: 'SELECT coalesce(max(id), 0) FROM inbox',
  messageByDedupe: 'SELECT id FROM inbox WHERE rid = ? AND dedupe = ?',
  storedMessage: 'SELECT id, kind, payload, at FROM inbox WHERE rid = ? AND dedupe = ?',
  consume: 'UPDATE inbox SET consumed = 1 WHERE id = ? AND rid = ?',
  runExists: 'SELECT 1 FROM runs WHERE rid = ?',
  childAt: 'SELECT rid FROM runs WHERE parent_rid = ? AND parent_path = ? ORDER BY rid DESC LIMIT 1',

  insertEvent: 'INSERT INTO events (tenant, name, data, at, key) VALUES (?, ?, ?, ?, ?)',
  eventByKey: 'SELECT id FROM events WHERE tenant = ? AND name = ? AND key = ?',
  lastEvent: "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'",
  subscribers: 'SELECT rid, path FROM subscriptions WHERE tenant = ? AND event = ? ORDER BY rid, path',
  subscribe: `INSERT INTO subscriptions VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (rid, path) DO UPDATE SET event = excluded.event, after = excluded.after`,
  unsubscribe: 'DELETE FROM subscriptions WHERE rid = ? AND path = ?',
  unsubscribeAll: 'DELETE FROM subscriptions WHERE rid = ?',

  putFlowVersion: 'INSERT INTO flow_versions VALUES (?, ?, ?, ?) ON CONFLICT (hash) DO NOTHING',
  putFlow: `INSERT INTO flows VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (tenant, name) DO UPDATE SET
    hash = excluded.hash, source = excluded.source, enabled = excluded.enabled, updated_at = excluded.updated_at`,
  deleteFlow: 'DELETE FROM flows WHERE tenant = ? AND name = ?',
  putSchedule: `INSERT INTO schedules VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (tenant, flow, trigger) DO UPDATE SET
    spec = excluded.spec, last_at = excluded.last_at, next_at = excluded.next_at`,
  deleteSchedule: 'DELETE FROM schedules WHERE tenant = ? AND flow = ? AND trigger = ?',
  setMeta: 'INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
  getMeta: 'SELECT value FROM meta WHERE key = ?',
  putToken: `INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET tenant = excluded.tenant,
    name = excluded.name, hash = excluded.hash, permissions = excluded.permissions, expires_at = excluded.expires_at`,
  deleteToken: 'DELETE FROM tokens WHERE tenant = ? AND id = ?',

  // Pruning. First the rows of whole trees go, and their rids are noted in `doomed`; then their journals, in slices.
  // PostgreSQL: partitions of the journal by rid range are dropped once no run of theirs is left.
  endedFlows: ENDED_FLOWS,
  endedRoots: `SELECT rid FROM runs r
    WHERE tenant = ? AND flow = ? AND finished_at < ? AND ${ENDED}
      AND status IN ('succeeded', 'failed', 'cancelled')
      AND NOT EXISTS (SELECT 1 FROM runs c WHERE c.root_rid = r.rid AND c.status IN ('queued', 'running', 'waiting'))
      AND NOT EXISTS (SELECT 1 FROM runs f WHERE f.forked_from = r.id AND f.status IN ('queued', 'running', 'waiting'))
    ORDER BY finished_at LIMIT ?`,
  treeOf: 'SELECT rid FROM runs WHERE rid = ?1 UNION ALL SELECT rid FROM runs WHERE root_rid = ?1',
  doom: 'INSERT INTO doomed VALUES (?)',
  doomed: 'SELECT rid FROM doomed LIMIT 1',
  undoom: 'DELETE FROM doomed WHERE rid = ?',
  deleteRun: 'DELETE FROM runs WHERE rid = ?',
  deletePayload: 'DELETE FROM run_payloads WHERE rid = ?',
  deleteSnapshot: 'DELETE FROM snapshots WHERE rid = ?',
  deleteInbox: 'DELETE FROM inbox WHERE rid = ?',
  deleteBlobs: 'DELETE FROM blobs WHERE rid = ? RETURNING hash',
  blobInUse: 'SELECT 1 FROM blobs WHERE hash = ? LIMIT 1',
  deleteJournal: `DELETE FROM journal WHERE rowid IN (SELECT rowid FROM journal WHERE rid = ? ORDER BY seq LIMIT ?)`,
  deleteEvents: `DELETE FROM events WHERE id IN (
      SELECT id FROM events e WHERE at < ? AND (?2 IS NULL OR tenant = ?2)
        AND NOT EXISTS (SELECT 1 FROM subscriptions s WHERE s.tenant = e.tenant AND s.event = e.name AND s.after < e.id)
      LIMIT ?)`,
} as const

/** Updates of `runs` that a patch may make; built once per set of columns. */
export function patchStatement(columns: readonly string[]): string {
  return `UPDATE runs SET ${columns.map((column) => `${column} = ?`).join(', ')} WHERE rid = ?`
}

export const READ = {
  run: `${RUN} WHERE r.rid = ?`,
  findRun: `${RUN} WHERE r.id = ? AND r.tenant = ?`,
  runOfId: `${RUN} WHERE r.id = ?`,
  facts: 'SELECT facts FROM run_payloads WHERE rid = ?',
  snapshot: 'SELECT seq, state FROM snapshots WHERE rid = ?',
  /** From `fromSeq` on. */
  journal: 'SELECT seq, kind, path, completes, at, data FROM journal WHERE rid = ? AND seq >= ? ORDER BY seq LIMIT ?',
  messages: `SELECT id, rid, kind, dedupe, payload, at FROM inbox WHERE rid = ? AND consumed = 0
    ORDER BY id ${mutated('unordered_inbox') ? 'DESC' : 'ASC'}`,
  subscriptions: 'SELECT path, event, after FROM subscriptions WHERE rid = ? ORDER BY path',
  // The second term repeats the condition of the index `runs_status`.
  interrupted: `${RUN} WHERE r.status = 'running' AND r.status <> 'succeeded' AND r.rid > ? AND r.epoch < ? ORDER BY r.rid LIMIT ?`,
  // PostgreSQL: the same; the sweeper of any node asks.
  dueTimers: `SELECT rid FROM runs WHERE status = 'waiting' AND wake_at IS NOT NULL AND wake_at <= ? ORDER BY wake_at LIMIT ?`,
  dueMessages: `SELECT DISTINCT i.rid FROM inbox i CROSS JOIN runs r ON r.rid = i.rid
    WHERE i.consumed = 0 AND r.status = 'waiting' ORDER BY i.rid LIMIT ?`,
  nextWake: `SELECT min(wake_at) FROM runs WHERE status = 'waiting' AND wake_at IS NOT NULL`,
  eventsByName: `SELECT id, tenant, name, data, at, key FROM events WHERE tenant = ? AND name = ? AND id > ?
    ORDER BY id LIMIT ?`,
  events: 'SELECT id, tenant, name, data, at, key FROM events WHERE id > ? AND tenant = ? ORDER BY id LIMIT ?',
  subscribers: 'SELECT rid, path FROM subscriptions WHERE tenant = ? AND event = ? ORDER BY rid, path',
  unoffered: `SELECT DISTINCT s.rid FROM subscriptions s CROSS JOIN runs r ON r.rid = s.rid
    WHERE s.rid > ? AND r.status = 'waiting'
      AND EXISTS (SELECT 1 FROM events e WHERE e.tenant = s.tenant AND e.name = s.event AND e.id > s.after)
    ORDER BY s.rid LIMIT ?`,
  lastEvent: `SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'`,
  flowVersion: 'SELECT hash, flow, plan, created_at FROM flow_versions WHERE hash = ?',
  flowVersions: 'SELECT hash, flow, plan, created_at FROM flow_versions WHERE flow = ? ORDER BY created_at DESC, hash',
  flows: 'SELECT tenant, name, hash, source, enabled, updated_at FROM flows ORDER BY tenant, name',
  flowsOfTenant: `SELECT tenant, name, hash, source, enabled, updated_at FROM flows WHERE tenant = ? ORDER BY name`,
  schedules: 'SELECT tenant, flow, trigger, spec, last_at, next_at FROM schedules ORDER BY tenant, flow, trigger',
  meta: 'SELECT value FROM meta WHERE key = ?',
  token: 'SELECT id, tenant, name, hash, permissions, created_at, expires_at FROM tokens WHERE hash = ?',
  tokens: `SELECT id, tenant, name, hash, permissions, created_at, expires_at FROM tokens WHERE tenant = ?
    ORDER BY created_at, id`,
  endedFlows: ENDED_FLOWS,
  knownBlobs: 'SELECT DISTINCT hash FROM blobs WHERE hash IN (SELECT value FROM json_each(?))',
  maxRid: 'SELECT coalesce(max(rid), 0) FROM runs',
  createdAt: 'SELECT created_at FROM runs WHERE rid <= ? ORDER BY rid DESC LIMIT 1',
} as const

/**
 * A slice of the list of runs, newest first, among rids in [from, before). Which index serves it depends on what is asked:
 * the parent, the flow, a status that is not the usual end, or the table itself.
 */
export function listStatement(query: {
  readonly flow: boolean
  readonly parent: boolean
  readonly status: RunStatus | null
}): string {
  // A unary plus keeps a term out of the choice of an index: where a status has its own, that one is the narrower, and
  // the table itself is in the order of the list.
  const unusual = query.status !== null && query.status !== 'succeeded'
  const byFlow = query.flow && !query.parent && !unusual
  const terms = ['r.rid < ?', 'r.rid >= ?', byFlow ? 'r.tenant = ?' : '+r.tenant = ?']
  if (query.flow) terms.push(byFlow ? 'r.flow = ?' : '+r.flow = ?')
  if (query.parent) terms.push('r.parent_rid = ?')
  if (query.status !== null) terms.push(`${query.parent ? '+' : ''}r.status = '${query.status}'`)
  if (unusual) terms.push(`r.status <> 'succeeded'`)
  terms.push('r.created_at >= ?')
  return `${RUN} WHERE ${terms.join(' AND ')} ORDER BY r.rid DESC LIMIT ?`
}

/** Counts runs by status in a range of rids; `succeeded` has no index of its own and is counted from the table. */
export function countStatement(statuses: readonly RunStatus[], ofTenant: boolean): string {
  const list = statuses.map((status) => `'${status}'`).join(', ')
  const unusual = statuses.includes('succeeded') ? '' : ` AND status <> 'succeeded'`
  return `SELECT count(*) FROM runs WHERE rid >= ? AND rid < ? AND status IN (${list})${unusual}${ofTenant ? ' AND tenant = ?' : ''}`
}
