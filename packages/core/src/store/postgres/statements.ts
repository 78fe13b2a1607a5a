/**
 * The SQL of the PostgreSQL store, apart from the code that runs it. Table names are found by the connection's search_path.
 *
 * Whose a run is: the session that `runs.epoch` names, as long as it has a row in `sessions` and the run is `running`. A run that
 * waits, is queued or has ended is nobody's, and the first write of a session makes it its own; so does a write to a run
 * whose session is gone. `noted` is the epoch that the writer has seen in the row: when it has changed since, somebody else has
 * had the run, and the write lands nowhere.
 */
import type { RunStatus } from '../store.ts'

export const RUN_COLUMNS = `r.rid, r.id, r.tenant, r.flow, r.flow_hash, r.status, r.reason, r.priority, r.concurrency_key,
  r.concurrency_limit, r.parent_rid, r.parent_path, r.root_rid, r.forked_from, r.forked_at, r.idempotency_key, p.trigger,
  p.inputs, r.outputs, r.error, r.epoch, r.next_seq, r.wake_at, r.crash_count, r.created_at, r.started_at, r.finished_at`
const RUN = `SELECT ${RUN_COLUMNS} FROM runs r JOIN run_payloads p ON p.rid = r.rid`

const ALIVE = (epoch: string): string => `EXISTS (SELECT 1 FROM sessions s WHERE s.epoch = ${epoch})`

/** Repeats the condition of the index `runs_keyed`. */
const KEYED = `tenant = $1 AND concurrency_key = $2 AND status IN ('queued', 'running', 'waiting')`
const HOLDS = `(status = 'running' OR (status = 'waiting' AND hold_waiting))`
const ENDED = 'finished_at IS NOT NULL AND parent_rid IS NULL'
/** Another live session is likely to see to its own run; only after this grace do others, in ms. */
const GRACE_MS = 2_000
const GRACE = (mine: string): string =>
  `CASE WHEN r.epoch = ${mine} OR NOT ${ALIVE('r.epoch')} THEN 0 ELSE ${GRACE_MS} END`

/** Bits of the columns that a patch sets, in the order of their arrays. */
export const PATCHED: readonly (readonly [column: string, type: string])[] = [
  ['status', 'text'],
  ['reason', 'text'],
  ['wake_at', 'bigint'],
  ['outputs', 'text'],
  ['error', 'text'],
  ['started_at', 'bigint'],
  ['finished_at', 'bigint'],
  ['crash_count', 'integer'],
]

/** Columns of a run that is inserted, beside `epoch`, `next_seq`; the same names in JSON and in `unnest`. */
export const NEW_RUN: readonly (readonly [column: string, type: string])[] = [
  ['id', 'text'],
  ['tenant', 'text'],
  ['flow', 'text'],
  ['flow_hash', 'text'],
  ['status', 'text'],
  ['reason', 'text'],
  ['priority', 'integer'],
  ['concurrency_key', 'text'],
  ['concurrency_limit', 'integer'],
  ['hold_waiting', 'boolean'],
  ['parent_rid', 'bigint'],
  ['parent_path', 'text'],
  ['root_rid', 'bigint'],
  ['forked_from', 'text'],
  ['forked_at', 'text'],
  ['idempotency_key', 'text'],
  ['next_seq', 'bigint'],
  ['nonce', 'text'],
  ['wake_at', 'bigint'],
  ['crash_count', 'integer'],
  ['created_at', 'bigint'],
  ['started_at', 'bigint'],
  ['finished_at', 'bigint'],
  ['outputs', 'text'],
  ['error', 'text'],
]
const NEW_COLUMNS = NEW_RUN.map(([column]) => column)

/** What a group commit has beside journal records: its statement is made of the parts that it needs. */
export interface Shape {
  readonly patches: boolean
  readonly accepts: boolean
  readonly snapshots: boolean
  readonly consumes: boolean
  readonly blobs: boolean
}

/**
 * One group commit as one statement. Arrays (one per column) come in this order: runs written to; their patches; records;
 * snapshots; consumed messages; blobs; new runs; their payloads; their records. `$1` is the writer's epoch, `$2` the channel.
 * Answers rows (kind, number, id): 0 a run whose writes landed, 1 a new run, 2 the writer's session lives, 3 told others.
 */
export function commitStatement(shape: Shape): string {
  let next = 3
  const unnest = (types: readonly string[]): string =>
    `unnest(${types.map((type) => `$${next++}::${type}[]`).join(', ')})`
  const parts: string[] = ['me AS (SELECT epoch FROM sessions WHERE epoch = $1)']
  const patchTypes = shape.patches ? ['smallint', ...PATCHED.map(([, type]) => type)] : []
  const patchNames = shape.patches ? ['mask', ...PATCHED.map(([column]) => column)] : []
  const runs = unnest(['bigint', 'bigint', 'bigint', 'integer', 'text', ...patchTypes])
  parts.push(
    `w AS (SELECT * FROM ${runs} AS t(rid, noted, from_seq, n, nonce${patchNames.map((name) => `, ${name}`).join('')}))`,
  )
  const sets = shape.patches
    ? PATCHED.map(
        ([column], bit) => `${column} = CASE WHEN w.mask & ${1 << bit} > 0 THEN w.${column} ELSE u.${column} END`,
      )
    : []
  parts.push(`ok AS (UPDATE runs u SET ${['epoch = $1', 'next_seq = u.next_seq + w.n', 'nonce = coalesce(w.nonce, u.nonce)', ...sets].join(', ')}
    FROM w, me
    WHERE u.rid = w.rid AND (w.from_seq IS NULL OR u.next_seq = w.from_seq) AND (w.nonce IS NULL OR u.nonce IS DISTINCT FROM w.nonce)
      AND (u.epoch = $1 OR ((w.noted IS NULL OR u.epoch = w.noted) AND (u.status <> 'running' OR NOT ${ALIVE('u.epoch')})))
    RETURNING u.rid, u.status)`)
  const record = ['bigint', 'text', 'text', 'boolean', 'bigint', 'text', 'text']
  const recordNames = 'seq, kind, path, completes, at, data, nonce'
  const insertRecords = `INSERT INTO journal (rid, seq, kind, path, completes, at, data, nonce, epoch)`
  parts.push(
    `j AS (${insertRecords} SELECT x.*, $1 FROM ${unnest(['bigint', ...record])} AS x(rid, ${recordNames}) JOIN ok ON ok.rid = x.rid)`,
  )
  if (shape.patches) {
    parts.push(
      `gone AS (DELETE FROM subscriptions s USING ok WHERE s.rid = ok.rid AND ok.status IN ('succeeded', 'failed', 'cancelled'))`,
    )
  }
  if (shape.snapshots) {
    parts.push(`s AS (INSERT INTO snapshots SELECT x.* FROM ${unnest(['bigint', 'bigint', 'text'])} AS x(rid, seq, state)
      JOIN ok ON ok.rid = x.rid ON CONFLICT (rid) DO UPDATE SET seq = excluded.seq, state = excluded.state)`)
  }
  if (shape.consumes) {
    parts.push(`c AS (UPDATE inbox i SET consumed = true FROM ${unnest(['bigint', 'bigint'])} AS x(id, rid)
      JOIN ok ON ok.rid = x.rid WHERE i.id = x.id AND i.rid = x.rid)`)
  }
  if (shape.blobs) {
    parts.push(`b AS (INSERT INTO blob_refs SELECT x.* FROM ${unnest(['text', 'bigint', 'bigint'])} AS x(hash, rid, size)
      JOIN ok ON ok.rid = x.rid ON CONFLICT DO NOTHING)`)
  }
  const answers = ['SELECT 0, rid, NULL::text FROM ok', 'SELECT 2, epoch, NULL FROM me']
  if (shape.accepts) {
    parts.push(`new AS (INSERT INTO runs (${NEW_COLUMNS.join(', ')}, epoch)
      SELECT ${NEW_COLUMNS.map((column) => `x.${column}`).join(', ')}, $1
      FROM ${unnest(NEW_RUN.map(([, type]) => type))} WITH ORDINALITY AS x(${NEW_COLUMNS.join(', ')}, nth), me
      WHERE NOT EXISTS (SELECT 1 FROM runs o WHERE o.id = x.id) AND NOT EXISTS (SELECT 1 FROM runs o
        WHERE o.tenant = x.tenant AND o.flow = x.flow AND o.idempotency_key = x.idempotency_key)
      ORDER BY x.nth ON CONFLICT DO NOTHING RETURNING rid, id, status)`)
    parts.push(`np AS (INSERT INTO run_payloads SELECT new.rid, x.trigger, x.inputs, x.facts
      FROM ${unnest(['text', 'text', 'text', 'text'])} AS x(id, trigger, inputs, facts) JOIN new ON new.id = x.id)`)
    parts.push(`nj AS (${insertRecords} SELECT new.rid, ${recordNames.replaceAll(/(\w+)/g, 'x.$1')}, $1
      FROM ${unnest(['text', ...record])} AS x(id, ${recordNames}) JOIN new ON new.id = x.id)`)
    answers.push('SELECT 1, rid, id FROM new')
    answers.push(
      `SELECT 3, NULL, pg_notify($2, $1::bigint || ':q')::text FROM (SELECT 1 FROM new WHERE status = 'queued' LIMIT 1) AS queued`,
    )
  } else {
    // Every parameter must stand in the statement for its type to be known.
    answers.push('SELECT 3, NULL, NULL WHERE $2::text IS NULL')
  }
  return `WITH ${parts.join(',\n')}\n${answers.join(' UNION ALL ')}`
}

export const WRITE = {
  /** What every transaction begins with: whether this session lives; it cannot be ended before the transaction does. */
  alive: (epoch: number): string => `SELECT epoch FROM sessions WHERE epoch = ${epoch} FOR KEY SHARE`,
  notify: `SELECT pg_notify($1, $2)`,

  lockRun: `SELECT epoch, tenant, concurrency_key, hold_waiting, nonce, coalesce(root_rid, rid), next_seq,
      status = 'running' AND ${ALIVE('runs.epoch')} FROM runs WHERE rid = $1 FOR UPDATE`,
  patch: `UPDATE runs SET epoch = $2, next_seq = next_seq + $3, nonce = coalesce($4, nonce) WHERE rid = $1`,
  nonceAt: 'SELECT nonce FROM journal WHERE rid = $1 AND seq = $2',
  insertRecords: `INSERT INTO journal (rid, seq, kind, path, completes, at, data, nonce, epoch)
    SELECT $1, x.*, $2 FROM unnest($3::bigint[], $4::text[], $5::text[], $6::boolean[], $7::bigint[], $8::text[], $9::text[])
      AS x(seq, kind, path, completes, at, data, nonce)`,

  insertRuns: `INSERT INTO runs (${NEW_COLUMNS.join(', ')}, epoch)
    SELECT ${NEW_COLUMNS.map((column) => `x.${column}`).join(', ')}, $2
    FROM ROWS FROM (json_to_recordset($1::json) AS (${NEW_RUN.map(([column, type]) => `${column} ${type}`).join(', ')}))
      WITH ORDINALITY AS x(${NEW_COLUMNS.join(', ')}, nth) ORDER BY x.nth RETURNING rid, id`,
  insertPayloads: `INSERT INTO run_payloads SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[])`,
  idsTaken: 'SELECT 1 FROM runs WHERE id = ANY($1) LIMIT 1',
  runOfId: 'SELECT rid, status FROM runs WHERE id = $1',
  runByKey: `${RUN} WHERE r.tenant = $1 AND r.flow = $2 AND r.idempotency_key = $3`,
  runsByRid: `${RUN} WHERE r.rid = ANY($1) ORDER BY r.queue_pos`,

  lockKey: 'SELECT pg_advisory_xact_lock(hashtextextended($1, 1))',
  lockEvents: 'SELECT pg_advisory_xact_lock(hashtextextended($1, 2))',
  lockEventsShared: 'SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 2))',
  holders: `SELECT rid, id, coalesce(root_rid, rid) FROM runs WHERE ${KEYED} AND ${HOLDS} ORDER BY rid`,
  queuedWithKey: `SELECT 1 FROM runs WHERE ${KEYED} AND status = 'queued' LIMIT 1`,
  unblockFirst: `UPDATE runs SET blocked = false WHERE rid = (
      SELECT rid FROM runs WHERE ${KEYED} AND status = 'queued' AND blocked ORDER BY queue_pos LIMIT 1)`,
  block: 'UPDATE runs SET blocked = true WHERE rid = $1',

  queued: `SELECT rid, tenant, concurrency_key, concurrency_limit, coalesce(root_rid, rid) FROM runs
    WHERE status = 'queued' AND NOT blocked AND rid <> ALL($2::bigint[]) ORDER BY queue_pos LIMIT $1 FOR UPDATE SKIP LOCKED`,
  queuedOnly: `SELECT rid, tenant, concurrency_key, concurrency_limit, coalesce(root_rid, rid) FROM runs
    WHERE rid = ANY($1::bigint[]) AND status = 'queued' ORDER BY queue_pos FOR UPDATE SKIP LOCKED`,
  claim: `UPDATE runs SET status = 'running', reason = NULL, blocked = false, epoch = $2, started_at = coalesce(started_at, $3)
    WHERE rid = ANY($1::bigint[])`,

  putSnapshot:
    'INSERT INTO snapshots VALUES ($1, $2, $3) ON CONFLICT (rid) DO UPDATE SET seq = excluded.seq, state = excluded.state',
  putBlobs: `INSERT INTO blob_refs SELECT x.hash, $1, x.size FROM unnest($2::text[], $3::bigint[]) AS x(hash, size)
    ON CONFLICT DO NOTHING`,

  insertMessage: `INSERT INTO inbox (rid, kind, dedupe, payload, at) SELECT $1::bigint, $2::text, $3::text, $4::text, $5::bigint
    WHERE EXISTS (SELECT 1 FROM runs WHERE rid = $1) AND NOT EXISTS (SELECT 1 FROM inbox WHERE rid = $1 AND dedupe = $3)
    ON CONFLICT DO NOTHING RETURNING id`,
  messageByDedupe: 'SELECT id FROM inbox WHERE rid = $1 AND dedupe = $2',
  storedMessage: 'SELECT id, kind, payload, at FROM inbox WHERE rid = $1 AND dedupe = $2',
  consume: 'UPDATE inbox SET consumed = true WHERE id = ANY($2::bigint[]) AND rid = $1',
  runExists: 'SELECT 1 FROM runs WHERE rid = $1',
  childAt: 'SELECT rid FROM runs WHERE parent_rid = $1 AND parent_path = $2 ORDER BY rid DESC LIMIT 1',

  /** Under the lock of events, so nobody is about to store one. */
  lastEventNumber: `SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM events_id_seq`,
  insertEvent: 'INSERT INTO events (tenant, name, data, at, key) VALUES ($1, $2, $3, $4, $5) RETURNING id',
  eventByKey: 'SELECT id FROM events WHERE tenant = $1 AND name = $2 AND key = $3',
  subscribers: 'SELECT rid, path FROM subscriptions WHERE tenant = $1 AND event = $2 ORDER BY rid, path COLLATE "C"',
  subscribe: `INSERT INTO subscriptions VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (rid, path) DO UPDATE SET event = excluded.event, after = excluded.after`,
  unsubscribe: 'DELETE FROM subscriptions WHERE rid = $1 AND path = ANY($2)',
  unsubscribeAll: 'DELETE FROM subscriptions WHERE rid = $1',

  putFlowVersion: 'INSERT INTO flow_versions VALUES ($1, $2, $3, $4) ON CONFLICT (hash) DO NOTHING',
  putFlow: `INSERT INTO flows VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant, name) DO UPDATE SET
    hash = excluded.hash, source = excluded.source, enabled = excluded.enabled, updated_at = excluded.updated_at`,
  deleteFlow: 'DELETE FROM flows WHERE tenant = $1 AND name = $2',
  putSchedule: `INSERT INTO schedules VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant, flow, trigger) DO UPDATE SET
    spec = excluded.spec, last_at = excluded.last_at, next_at = excluded.next_at`,
  deleteSchedule: 'DELETE FROM schedules WHERE tenant = $1 AND flow = $2 AND trigger = $3',
  setMeta: 'INSERT INTO meta VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
  putToken: `INSERT INTO tokens VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO UPDATE SET tenant = excluded.tenant,
    name = excluded.name, hash = excluded.hash, permissions = excluded.permissions, expires_at = excluded.expires_at`,
  deleteToken: 'DELETE FROM tokens WHERE tenant = $1 AND id = $2',

  endedRoots: `SELECT rid FROM runs r
    WHERE tenant = $1 AND flow = $2 AND finished_at < $3 AND ${ENDED}
      AND status IN ('succeeded', 'failed', 'cancelled')
      AND NOT EXISTS (SELECT 1 FROM runs c WHERE c.root_rid = r.rid AND c.status IN ('queued', 'running', 'waiting'))
      AND NOT EXISTS (SELECT 1 FROM runs f WHERE f.forked_from = r.id AND f.status IN ('queued', 'running', 'waiting'))
    ORDER BY finished_at LIMIT $4 FOR UPDATE SKIP LOCKED`,
  treesOf: 'SELECT rid FROM runs WHERE rid = ANY($1::bigint[]) OR root_rid = ANY($1::bigint[])',
  deleteOfRuns: ['runs', 'run_payloads', 'journal', 'snapshots', 'inbox', 'subscriptions'].map(
    (table) => `DELETE FROM ${table} WHERE rid = ANY($1::bigint[])`,
  ),
  deleteBlobRefs: 'DELETE FROM blob_refs WHERE rid = ANY($1::bigint[]) RETURNING hash',
  blobsInUse: 'SELECT DISTINCT hash FROM blob_refs WHERE hash = ANY($1)',
  deleteEvents: `DELETE FROM events WHERE id IN (
      SELECT id FROM events e WHERE at < $1 AND ($2::text IS NULL OR tenant = $2)
        AND NOT EXISTS (SELECT 1 FROM subscriptions s WHERE s.tenant = e.tenant AND s.event = e.name AND s.after < e.id)
      LIMIT $3)`,
} as const

export const SESSION = {
  open: `INSERT INTO sessions SELECT nextval('epochs'), $1, $2, $3, $4, clock_timestamp(), clock_timestamp(),
    clock_timestamp() + $5 * interval '1 millisecond' RETURNING epoch`,
  renew: `UPDATE sessions SET renewed_at = clock_timestamp(), expires_at = clock_timestamp() + $2 * interval '1 millisecond'
    WHERE epoch = $1`,
  close: 'DELETE FROM sessions WHERE epoch = $1',
  /**
   * Sessions whose time is up. One whose process was stopped in the middle of a transaction is locked until the server ends that;
   * nobody waits for it, least of all whoever has his own session to renew.
   */
  expire: `DELETE FROM sessions WHERE epoch IN (
      SELECT epoch FROM sessions WHERE expires_at < clock_timestamp() AND epoch <> $1 FOR UPDATE SKIP LOCKED)`,
  end: `DELETE FROM sessions WHERE epoch IN (
      SELECT epoch FROM sessions WHERE epoch = ANY($1::bigint[]) FOR UPDATE SKIP LOCKED)`,
  list: `SELECT epoch, pid, process_start, host, version, (extract(epoch FROM renewed_at) * 1000)::bigint FROM sessions ORDER BY epoch`,
} as const

export const READ = {
  run: `${RUN} WHERE r.rid = $1`,
  findRun: `${RUN} WHERE r.id = $1 AND r.tenant = $2`,
  runOfId: `${RUN} WHERE r.id = $1`,
  facts: 'SELECT p.facts, s.seq, s.state FROM run_payloads p LEFT JOIN snapshots s ON s.rid = p.rid WHERE p.rid = $1',
  journal: `SELECT seq, kind, path, completes::integer, at, data FROM journal WHERE rid = $1 AND seq >= $2 ORDER BY seq LIMIT $3`,
  messages: 'SELECT id, rid, kind, dedupe, payload, at FROM inbox WHERE rid = $1 AND NOT consumed ORDER BY id',
  subscriptions: 'SELECT path, event, after FROM subscriptions WHERE rid = $1 ORDER BY path COLLATE "C"',
  interrupted: `${RUN} WHERE r.status = 'running' AND r.rid > $1 AND NOT ${ALIVE('r.epoch')} ORDER BY r.rid LIMIT $2`,
  isAnyInterrupted: `SELECT 1 FROM runs r WHERE r.status = 'running' AND NOT ${ALIVE('r.epoch')} LIMIT 1`,
  dueTimers: `SELECT rid FROM runs r WHERE status = 'waiting' AND wake_at IS NOT NULL AND wake_at <= $1
      AND wake_at + ${GRACE('$3')} <= $1 ORDER BY wake_at LIMIT $2`,
  dueMessages: `SELECT DISTINCT r.rid FROM inbox i JOIN runs r ON r.rid = i.rid
    WHERE NOT i.consumed AND r.status = 'waiting' AND (${GRACE('$3')} = 0 OR i.at + ${GRACE_MS} <= $1) ORDER BY r.rid LIMIT $2`,
  nextWake: `SELECT min(wake_at + ${GRACE('$1')}) FROM (
      SELECT wake_at, epoch FROM runs WHERE status = 'waiting' AND wake_at IS NOT NULL ORDER BY wake_at LIMIT 1000) AS r`,
  eventsByName: `SELECT id, tenant, name, data, at, key FROM events WHERE tenant = $1 AND name = $2 AND id > $3
    ORDER BY id LIMIT $4`,
  events: 'SELECT id, tenant, name, data, at, key FROM events WHERE tenant = $1 AND id > $2 ORDER BY id LIMIT $3',
  unoffered: `SELECT DISTINCT s.rid FROM subscriptions s JOIN runs r ON r.rid = s.rid
    WHERE s.rid > $1 AND r.status = 'waiting'
      AND EXISTS (SELECT 1 FROM events e WHERE e.tenant = s.tenant AND e.name = s.event AND e.id > s.after)
    ORDER BY s.rid LIMIT $2`,
  /** The newest that everybody can see: one that is about to be stored may have a number already. */
  lastEvent: 'SELECT coalesce(max(id), 0) FROM events',
  isAlive: 'SELECT 1 FROM sessions WHERE epoch = $1',
  flowVersion: 'SELECT hash, flow, plan, created_at FROM flow_versions WHERE hash = $1',
  flowVersions: 'SELECT hash, flow, plan, created_at FROM flow_versions WHERE flow = $1 ORDER BY created_at DESC, hash',
  flows: `SELECT tenant, name, hash, source, enabled::integer, updated_at FROM flows
    WHERE $1::text IS NULL OR tenant = $1 ORDER BY tenant COLLATE "C", name COLLATE "C"`,
  schedules: `SELECT tenant, flow, trigger, spec, last_at, next_at FROM schedules
    ORDER BY tenant COLLATE "C", flow COLLATE "C", trigger COLLATE "C"`,
  meta: 'SELECT value FROM meta WHERE key = $1',
  token: 'SELECT id, tenant, name, hash, permissions, created_at, expires_at FROM tokens WHERE hash = $1',
  tokens: `SELECT id, tenant, name, hash, permissions, created_at, expires_at FROM tokens WHERE tenant = $1
    ORDER BY created_at, id COLLATE "C"`,
  endedFlows: `WITH RECURSIVE f (tenant, flow) AS (
    (SELECT tenant, flow FROM runs WHERE ${ENDED} ORDER BY tenant, flow LIMIT 1)
    UNION ALL
    SELECT n.tenant, n.flow FROM f, LATERAL (SELECT tenant, flow FROM runs
      WHERE ${ENDED} AND (tenant, flow) > (f.tenant, f.flow) ORDER BY tenant, flow LIMIT 1) AS n)
  SELECT tenant, flow FROM f`,
  knownBlobs: 'SELECT DISTINCT hash FROM blob_refs WHERE hash = ANY($1)',
  size: `SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = current_schema() AND c.relkind = 'r'`,
} as const

/** A page of the list of runs, newest first. */
export function listStatement(query: {
  readonly flow: boolean
  readonly parent: boolean
  readonly status: boolean
}): string {
  let next = 4
  const terms = ['r.tenant = $1', 'r.rid < $2', 'r.created_at >= $3']
  if (query.flow) terms.push(`r.flow = $${next++}`)
  if (query.parent) terms.push(`r.parent_rid = $${next++}`)
  if (query.status) terms.push(`r.status = ANY($${next++}::text[])`)
  return `${RUN} WHERE ${terms.join(' AND ')} ORDER BY r.rid DESC LIMIT $${next}`
}

/** Counts runs by status; `succeeded` has no index of its own and is counted from the table. */
export function countStatement(statuses: readonly RunStatus[], ofTenant: boolean): string {
  const counts = statuses.map(
    (status) =>
      `(SELECT count(*) FROM runs WHERE status = '${status}'${unusual(status)}${ofTenant ? ' AND tenant = $1' : ''})`,
  )
  return `SELECT ${counts.join(' + ')}`
}

/** Repeats the condition of the index `runs_unusual`. */
function unusual(status: RunStatus): string {
  return status === 'running' || status === 'succeeded' ? '' : ` AND status NOT IN ('running', 'succeeded')`
}
