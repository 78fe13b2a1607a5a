/** The address of a PostgreSQL database, before anything is loaded that talks to one. */
import type { PlugworkError } from '../../error.ts'
import { storeError } from '../errors.ts'

/** Where a database is, taken apart so that no password gets into an error. */
export interface Address {
  /** For the driver. Has the password. */
  readonly url: string
  readonly schema: string
  /** Settings of the session that the address asks for (`?options=-c …`). */
  readonly options: string
  /** For people: no user, no password, no parameters. */
  readonly shown: string
}

/**
 * Takes a `postgres://` address apart. `?schema=` names the schema of the tables (default `plugwork`), so that Plugwork and an
 * application, or two projects, can share a database. Throws `store_url_invalid`, never with the password in it.
 */
export function parseAddress(text: string): Address {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw invalid('it is not a URL')
  }
  if (url.protocol !== 'postgres:' && url.protocol !== 'postgresql:') throw invalid(`it begins with ${url.protocol}//`)
  const schema = url.searchParams.get('schema') ?? 'plugwork'
  if (!/^[a-z_][a-z0-9_]{0,50}$/.test(schema)) {
    throw invalid('`schema` must be lower-case letters, digits and underscores, beginning with a letter')
  }
  const options = url.searchParams.get('options') ?? ''
  url.searchParams.delete('schema')
  url.searchParams.delete('options')
  // As libpq and every other client reads it: `require` encrypts, `verify-full` also proves who answers.
  if (url.searchParams.has('sslmode') && !url.searchParams.has('uselibpqcompat')) {
    url.searchParams.set('uselibpqcompat', 'true')
  }
  const host = decodeURIComponent(url.hostname) || url.searchParams.get('host') || 'localhost'
  const port = url.port === '' ? '' : `:${url.port}`
  const suffix = schema === 'plugwork' ? '' : ` (schema ${schema})`
  return { url: url.href, schema, options, shown: `postgres://${host}${port}${url.pathname}${suffix}` }
}

function invalid(why: string): PlugworkError {
  return storeError(
    'store_url_invalid',
    `The database address cannot be used: ${why}. Write postgres://user:password@host:5432/name?sslmode=verify-full.`,
  )
}
