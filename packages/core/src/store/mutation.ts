/**
 * Switches that remove one protection each, so that the crash tests can prove that they would notice. Honoured only
 * where `NODE_ENV` is `test`: `PLUGWORK_MUTATE=no_fence`, several with commas. Read once, when this module is loaded.
 * What each one breaks, and which invariant must then turn red, is the table of `crash/README.md`.
 */
const active: ReadonlySet<string> = new Set(
  process.env['NODE_ENV'] === 'test' ? (process.env['PLUGWORK_MUTATE'] ?? '').split(',') : [],
)

/** True when the test environment asks for this protection to be missing. */
export function mutated(name: string): boolean {
  return active.has(name)
}

/** Faults of the store that are SQL of the writing connection. Triggers are temporary: the file does not keep them. */
const STATEMENTS: { readonly [name: string]: string } = {
  no_unique: 'DROP INDEX IF EXISTS journal_completion',
  lost_record: `CREATE TEMP TRIGGER lost_record AFTER INSERT ON main.journal WHEN NEW.seq = 2
    BEGIN DELETE FROM journal WHERE rid = NEW.rid AND seq = NEW.seq; END`,
  half_write: `CREATE TEMP TRIGGER half_write AFTER UPDATE OF status ON main.runs WHEN NEW.status = 'succeeded'
    BEGIN DELETE FROM journal WHERE rid = NEW.rid AND seq = (SELECT max(seq) FROM journal WHERE rid = NEW.rid); END`,
  no_consume: `CREATE TEMP TRIGGER no_consume AFTER UPDATE OF consumed ON main.inbox WHEN NEW.consumed = 1
    BEGIN UPDATE inbox SET consumed = 0 WHERE id = NEW.id; END`,
}

/** The SQL of the switches that are on. */
export function faultyStatements(): string[] {
  return [...active].flatMap((name) => STATEMENTS[name] ?? [])
}

/**
 * The records that a run is brought back from. `stale_replay` leaves the last one out, as a reader would that is behind;
 * `other_inputs` has the run begin with another `n` than it did.
 */
export function faultyRecords<Kept extends { readonly kind: string; readonly data: string }>(
  records: readonly Kept[],
): readonly Kept[] {
  if (active.has('stale_replay')) return records.slice(0, -1)
  if (!active.has('other_inputs')) return records
  return records.map((record) =>
    record.kind === 'start' ? { ...record, data: record.data.replace(/"n":\d+/, '"n":777') } : record,
  )
}
