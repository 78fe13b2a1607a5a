/**
 * Which service a suite talks to: the local server, or the hosted one with `npm run test:live -- <connector>`, which sets
 * `PLUGWORK_LIVE`.
 */

/** Values of the environment that a live run needs; null in ordinary tests. Throws when one is missing. */
export function liveSettings<Name extends string>(
  connector: string,
  names: Readonly<Record<Name, string>>,
): Readonly<Record<Name, string>> | null {
  if (process.env['PLUGWORK_LIVE'] !== connector) return null
  const settings: Partial<Record<Name, string>> = {}
  const missing: string[] = []
  for (const name in names) {
    const value = process.env[name]
    if (value === undefined || value === '') missing.push(`${name} (${names[name]})`)
    else settings[name] = value
  }
  if (missing.length > 0) throw new Error(`To test ${connector} against the real service, set ${missing.join(', ')}.`)
  return settings as Record<Name, string>
}
