/**
 * Switches that remove one protection each, so that the crash tests can prove that they would notice. Honoured only
 * where `NODE_ENV` is `test`: `PLUGWORK_MUTATE=no_fence`.
 *
 * The store knows `no_fence` (writes do not check who owns the file), `ack_before_commit` (writes are acknowledged when
 * they are queued), `sync_off` (commits are not forced to disk) and `no_unique` (no index forbids a second completion). The
 * runtime knows `effect_before_commit` (effects begin before their record is durable).
 */
const active: ReadonlySet<string> = new Set(
  process.env['NODE_ENV'] === 'test' ? (process.env['PLUGWORK_MUTATE'] ?? '').split(',') : [],
)

/** True when the test environment asks for this protection to be missing. */
export function mutated(name: string): boolean {
  return active.has(name)
}
