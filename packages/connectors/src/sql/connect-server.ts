/** Opens the client of a database server, and proves that it works: the first session is opened here. */
import { PlugworkError } from '@plugwork/core'
import type { ConnectContext, Egress } from '@plugwork/core/node'
import { sqlError, type SqlErrorKind } from './error-table.ts'
import { ServerClient } from './server-client.ts'
import { serverSettings, type ServerConfig, type ServerSettings } from './server-config.ts'
import type { Dialect, ServerSession } from './session.ts'

export interface ServerKind {
  readonly dialect: Dialect
  /** Of URLs, with the colon. */
  readonly schemes: readonly string[]
  readonly defaultPort: number
  open(options: {
    readonly settings: ServerSettings
    readonly egress: Egress
    readonly signal: AbortSignal
    readonly gone: () => void
  }): Promise<ServerSession>
}

/** Throws `<connector>_…` that says which connection, which field, which rule, and what to do. */
export async function connectServer(
  config: ServerConfig,
  { name, egress, signal }: ConnectContext,
  kind: ServerKind,
): Promise<ServerClient> {
  const { dialect, schemes, defaultPort } = kind
  const settings = serverSettings(config, { connector: dialect.name, connection: name, schemes, defaultPort })
  const client = new ServerClient({
    connection: name,
    dialect,
    settings,
    open: (limit, gone) =>
      kind.open({ settings, egress, signal: limit, gone }).catch((error: unknown) => {
        throw openingFailure(error, { dialect, name, settings })
      }),
  })
  try {
    client.pool.release(await client.pool.acquire(signal))
    return client
  } catch (error) {
    await client.close()
    throw error
  }
}

interface Opening {
  readonly dialect: Dialect
  readonly name: string
  readonly settings: ServerSettings
}

/** The field that is to be looked at. */
const FIELDS: { readonly [kind in SqlErrorKind]?: string } = {
  unreachable: 'host',
  login: 'password',
  database: 'database',
  tls: 'ssl',
  too_many_connections: 'pool.size',
}

function openingFailure(error: unknown, { dialect, name, settings }: Opening): PlugworkError {
  const { host, port, database, user, tls } = settings
  const at = `${host}:${port}`
  const { code, message } = error as { code?: unknown; message?: unknown }
  const reason = typeof code === 'string' ? code : typeof message === 'string' ? message : String(error)
  const tell = (kind: SqlErrorKind, what: string, cause: unknown = error): PlugworkError => {
    const field = FIELDS[kind]
    return sqlError(dialect.name, kind, `Connection "${name}"${field === undefined ? '' : `, ${field}`}: ${what}`, {
      cause,
      data: { connection: name, ...(field === undefined ? {} : { field }) },
    })
  }
  if (error instanceof PlugworkError) {
    // The guard's refusals say what to allow; they keep their codes.
    if (error.code !== 'egress_connect' && error.code !== 'egress_timeout' && error.code !== 'egress_dns') return error
    return tell('unreachable', `${error.message} Check \`host\` and \`port\`.`)
  }
  if (tls !== null && isTlsProblem(String(code ?? ''), String(message ?? ''))) {
    return tell(
      'tls',
      `TLS with ${at} failed (${reason}). Give the certificate authority as ssl.ca, or ssl: false for a server without TLS on a network that you trust.`,
    )
  }
  if (/password/i.test(String(message ?? '')) && settings.password === '') {
    return tell('login', `the server at ${at} asks user "${user}" for a password, and none is given.`)
  }
  const failure = dialect.failure(error)
  switch (failure.code) {
    case `${dialect.name}_login`:
      return tell(
        'login',
        `the server at ${at} refused user "${user}" (${settings.password === '' ? 'without' : 'with'} a password). ${failure.message}`,
      )
    case `${dialect.name}_database`:
      return tell(
        'database',
        `the server at ${at} has no database "${database}" for user "${user}". ${failure.message}`,
      )
    case `${dialect.name}_tls`:
      return tell('tls', failure.message)
    case `${dialect.name}_too_many_connections`:
      return tell('too_many_connections', failure.message)
    default:
      return tell('unreachable', `the server at ${at} did not let us in: ${failure.message}`)
  }
}

const isTlsProblem = (code: string, message: string): boolean =>
  /CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO|EPROTO/.test(code) ||
  /\b(?:SSL|TLS|secure connection|certificate)\b/i.test(message)
