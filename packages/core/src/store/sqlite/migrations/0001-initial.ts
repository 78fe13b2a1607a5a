/**
 * The first schema.
 *
 * - `runs` is small and changes; `run_payloads` holds what never changes (a status change would rewrite it otherwise).
 * - `journal` is an append-only table with two narrow indexes. Keyed by (rid, seq) itself, each of a hundred concurrent
 *   runs would dirty a page of its own per commit: measured, a third to a half more time per record.
 * - Rids and event and message ids are never used twice, even after the newest were pruned: `AUTOINCREMENT` for events, and
 *   the `floors` of the meta table for the others, which the writer counts itself.
 * - All indexes but those of keys and of listing by flow are partial.
 */
export const initial = `
CREATE TABLE owner (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  epoch INTEGER NOT NULL,
  pid INTEGER NOT NULL,
  process_start TEXT NOT NULL,
  socket TEXT NOT NULL,
  renewed_at INTEGER NOT NULL,
  version TEXT NOT NULL
);

CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE flow_versions (
  hash TEXT PRIMARY KEY,
  flow TEXT NOT NULL,
  plan TEXT NOT NULL,
  created_at INTEGER NOT NULL
);
CREATE INDEX flow_versions_flow ON flow_versions (flow, created_at);

CREATE TABLE flows (
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  hash TEXT NOT NULL,
  source TEXT NOT NULL,
  enabled INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (tenant, name)
);

CREATE TABLE runs (
  rid INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  tenant TEXT NOT NULL,
  flow TEXT NOT NULL,
  flow_hash TEXT NOT NULL,
  status TEXT NOT NULL,
  reason TEXT,
  priority INTEGER NOT NULL,
  queue_pos INTEGER NOT NULL,
  blocked INTEGER NOT NULL,
  concurrency_key TEXT,
  concurrency_limit INTEGER,
  hold_waiting INTEGER NOT NULL,
  parent_rid INTEGER,
  parent_path TEXT,
  root_rid INTEGER,
  forked_from TEXT,
  forked_at TEXT,
  idempotency_key TEXT,
  epoch INTEGER NOT NULL,
  nonce TEXT,
  wake_at INTEGER,
  crash_count INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  started_at INTEGER,
  finished_at INTEGER,
  outputs TEXT,
  error TEXT
);
CREATE UNIQUE INDEX runs_id ON runs (id);
CREATE INDEX runs_flow ON runs (tenant, flow, rid);
CREATE UNIQUE INDEX runs_idempotency ON runs (tenant, flow, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX runs_status ON runs (status, rid, tenant) WHERE status <> 'succeeded';
CREATE INDEX runs_queued ON runs (queue_pos) WHERE status = 'queued' AND blocked = 0;
CREATE INDEX runs_keyed ON runs (tenant, concurrency_key, status, queue_pos)
  WHERE concurrency_key IS NOT NULL AND status IN ('queued', 'running', 'waiting');
CREATE INDEX runs_waiting ON runs (wake_at) WHERE status = 'waiting' AND wake_at IS NOT NULL;
CREATE INDEX runs_parent ON runs (parent_rid, parent_path) WHERE parent_rid IS NOT NULL;
CREATE INDEX runs_root ON runs (root_rid) WHERE root_rid IS NOT NULL;
CREATE INDEX runs_forked ON runs (forked_from) WHERE forked_from IS NOT NULL;
CREATE INDEX runs_ended ON runs (tenant, flow, finished_at) WHERE finished_at IS NOT NULL AND parent_rid IS NULL;

CREATE TABLE run_payloads (
  rid INTEGER PRIMARY KEY,
  trigger TEXT NOT NULL,
  inputs TEXT NOT NULL,
  facts TEXT NOT NULL
);

CREATE TABLE journal (
  rid INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  kind TEXT NOT NULL,
  path TEXT NOT NULL,
  completes INTEGER NOT NULL,
  at INTEGER NOT NULL,
  data TEXT NOT NULL,
  nonce TEXT
);
CREATE UNIQUE INDEX journal_seq ON journal (rid, seq);
CREATE UNIQUE INDEX journal_completion ON journal (rid, path) WHERE completes = 1;

CREATE TABLE doomed (rid INTEGER PRIMARY KEY);

CREATE TABLE snapshots (rid INTEGER PRIMARY KEY, seq INTEGER NOT NULL, state TEXT NOT NULL);

CREATE TABLE inbox (
  id INTEGER PRIMARY KEY,
  rid INTEGER NOT NULL,
  kind TEXT NOT NULL,
  dedupe TEXT,
  payload TEXT NOT NULL,
  at INTEGER NOT NULL,
  consumed INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX inbox_dedupe ON inbox (rid, dedupe);
CREATE INDEX inbox_open ON inbox (rid) WHERE consumed = 0;

CREATE TABLE events (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  data TEXT NOT NULL,
  at INTEGER NOT NULL,
  key TEXT
);
CREATE INDEX events_name ON events (tenant, name, id);
CREATE INDEX events_at ON events (at);
CREATE UNIQUE INDEX events_key ON events (tenant, name, key) WHERE key IS NOT NULL;

CREATE TABLE subscriptions (
  rid INTEGER NOT NULL,
  path TEXT NOT NULL,
  tenant TEXT NOT NULL,
  event TEXT NOT NULL,
  after INTEGER NOT NULL,
  PRIMARY KEY (rid, path)
) WITHOUT ROWID;
CREATE INDEX subscriptions_event ON subscriptions (tenant, event);

CREATE TABLE blobs (hash TEXT NOT NULL, rid INTEGER NOT NULL, size INTEGER NOT NULL, PRIMARY KEY (hash, rid)) WITHOUT ROWID;
CREATE INDEX blobs_run ON blobs (rid);

CREATE TABLE schedules (
  tenant TEXT NOT NULL,
  flow TEXT NOT NULL,
  trigger TEXT NOT NULL,
  spec TEXT NOT NULL,
  last_at INTEGER,
  next_at INTEGER NOT NULL,
  PRIMARY KEY (tenant, flow, trigger)
) WITHOUT ROWID;

CREATE TABLE tokens (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  hash TEXT NOT NULL UNIQUE,
  permissions TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER
) WITHOUT ROWID;
`
