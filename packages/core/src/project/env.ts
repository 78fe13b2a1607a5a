/**
 * What flows may read as `env.NAME`. Flows of the project's own files may read every name they mention unless a list of
 * allowed names is set; flows that came over the API only what is in the list.
 */
export interface EnvRules {
  readonly environment: { readonly [name: string]: string | undefined }
  /** `PLUGWORK_ENV_ALLOW`: names, `*` stands for any characters. Null: not set. */
  readonly allow: readonly string[] | null
}

/** The value of a name for a flow; null when it is not set or not allowed. Plugwork's own settings are never readable. */
export function readEnv(rules: EnvRules, name: string, origin: 'file' | 'api'): string | null {
  if (name.startsWith('PLUGWORK_')) return null
  const allowed = rules.allow === null ? origin === 'file' : rules.allow.some((pattern) => matches(pattern, name))
  return allowed ? (rules.environment[name] ?? null) : null
}

/** Compares piece by piece: no pattern of the user's becomes a regular expression. */
function matches(pattern: string, name: string): boolean {
  const pieces = pattern.split('*')
  const last = pieces.length - 1
  if (last === 0) return pattern === name
  if (!name.startsWith(pieces[0]!) || !name.endsWith(pieces[last]!)) return false
  let at = pieces[0]!.length
  const end = name.length - pieces[last]!.length
  for (const piece of pieces.slice(1, last)) {
    const found = name.indexOf(piece, at)
    if (found < 0) return false
    at = found + piece.length
  }
  return at <= end
}
