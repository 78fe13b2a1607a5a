/** Settings of the connectors of database servers, and what they mean. Read before anything is opened. */
import { isIP } from 'node:net'
import { checkServerIdentity, type ConnectionOptions } from 'node:tls'
import { z } from 'zod'
import { durationSetting, hostSetting, milliseconds, portSetting } from '../network-settings.ts'
import { sqlError } from './error-table.ts'

const ssl = z.union([
  z.boolean(),
  z.strictObject({
    verify: z
      .enum(['full', 'ca', 'none'])
      .default('full')
      .describe('`full`: certificate and name. `ca`: not the name. `none`: encrypts without knowing to whom.'),
    ca: z.string().min(1).optional().describe('Certificate authority that signed the server, in PEM.'),
    cert: z.string().min(1).optional().describe('Certificate of the client, in PEM.'),
    key: z.string().min(1).optional().describe('Private key of the client, in PEM.').meta({ 'x-plugwork': 'secret' }),
    server_name: z.string().min(1).optional().describe('Name in the certificate, where it is not the host.'),
  }),
])

/** Fields of a connection, with the scheme that its URLs have. */
export function serverFields({ scheme, port }: { readonly scheme: string; readonly port: number }) {
  return {
    url: z
      .string()
      .min(1)
      .optional()
      .describe(`\`${scheme}://user:password@host:${port}/database\`; other settings of this list win over its parts.`)
      .meta({ 'x-plugwork': 'secret' }),
    host: hostSetting.describe('Name or address of the server.'),
    port: portSetting.describe(`Default: ${port}.`),
    database: z.string().min(1).optional().describe('Name of the database.'),
    user: z.string().min(1).optional().describe('User that logs in.'),
    password: z.string().optional().describe('Its password.').meta({ 'x-plugwork': 'secret' }),
    ssl: ssl
      .optional()
      .describe('TLS. Default: on and fully verified, but off for a server on the loopback of this machine.'),
    pool: z
      .strictObject({
        size: z.int().positive().max(1_000).default(10).describe('Connections at most.'),
        idle_timeout: durationSetting('24h').default('30s').describe('An unused connection is closed after this.'),
        acquire_timeout: durationSetting('10m')
          .default('10s')
          .describe('How long a step waits for a free connection, opening one included.'),
      })
      .prefault({})
      .describe('Connections that are kept open and lent to one step at a time.'),
    statement_timeout: durationSetting('24h').optional().describe('The server ends statements that take longer.'),
    application_name: z.string().min(1).max(63).default('plugwork').describe('Name that the server shows for us.'),
    exactly_once: z
      .boolean()
      .default(true)
      .describe(
        'Writes leave their idempotency key in the table `_plugwork_applied`, so that a repeated attempt does nothing.',
      ),
  }
}

export type ServerConfig = z.output<z.ZodObject<ReturnType<typeof serverFields>>>

export interface ServerSettings {
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
  readonly password: string
  /** Options of `tls.connect`; null: no TLS. */
  readonly tls: (ConnectionOptions & { readonly verify: 'full' | 'ca' | 'none'; readonly name: string }) | null
  readonly poolSize: number
  readonly idleMs: number
  readonly acquireMs: number
  readonly statementMs: number
  readonly applicationName: string
  readonly exactlyOnce: boolean
}

export interface SettingsContext {
  /** Connector and connection, for messages. */
  readonly connector: string
  readonly connection: string
  readonly schemes: readonly string[]
  readonly defaultPort: number
}

/** What a config means. Throws `<connector>_config` that names the connection, the field, the rule and the remedy. */
export function serverSettings(config: ServerConfig, context: SettingsContext): ServerSettings {
  const { connector, connection, schemes, defaultPort } = context
  const refuse = (field: string, why: string): Error =>
    sqlError(connector, 'config', `Connection "${connection}", ${field}: ${why}`, { data: { connection, field } })
  const url = config.url === undefined ? null : URL.parse(config.url)
  if (config.url !== undefined && (url === null || !schemes.includes(url.protocol))) {
    // The URL itself is not shown: it can hold a password.
    throw refuse('url', `it is not a URL that begins with ${schemes.map((each) => `${each}//`).join(' or ')}.`)
  }
  const unknown = url === null ? undefined : [...url.searchParams.keys()].find((name) => !PARAMETERS.has(name))
  if (unknown !== undefined) {
    throw refuse('url', `the parameter "${unknown}" is not known; known are ${[...PARAMETERS].join(', ')}.`)
  }
  const decoded = (text: string, field: string): string => {
    try {
      return decodeURIComponent(text)
    } catch {
      throw refuse('url', `its ${field} has a % that is no escape; write %25 for a percent sign.`)
    }
  }
  const host = config.host ?? (url === null ? '' : decoded(url.hostname, 'host').replace(/^\[(.*)\]$/, '$1'))
  if (host === '') throw refuse('host', 'it is missing. Give `host`, or a `url` with a host.')
  const database = config.database ?? decoded(url?.pathname.slice(1) ?? '', 'database')
  if (database === '') throw refuse('database', 'it is missing. Give `database`, or a `url` that ends with its name.')
  const user = config.user ?? decoded(url?.username ?? '', 'user')
  if (user === '') throw refuse('user', 'it is missing. Give `user`, or a `url` with a user.')
  return {
    host,
    port: config.port ?? (url === null || url.port === '' ? defaultPort : Number(url.port)),
    database,
    user,
    password: config.password ?? decoded(url?.password ?? '', 'password'),
    tls: tlsOf(config, url, host, refuse),
    poolSize: config.pool.size,
    idleMs: milliseconds(config.pool.idle_timeout),
    acquireMs: milliseconds(config.pool.acquire_timeout),
    statementMs: config.statement_timeout === undefined ? 0 : milliseconds(config.statement_timeout),
    applicationName: url?.searchParams.get('application_name') ?? config.application_name,
    exactlyOnce: config.exactly_once,
  }
}

const PARAMETERS: ReadonlySet<string> = new Set(['sslmode', 'ssl-mode', 'application_name'])

type Refuse = (field: string, why: string) => Error

function tlsOf(config: ServerConfig, url: URL | null, host: string, refuse: Refuse): ServerSettings['tls'] {
  const setting = config.ssl ?? fromMode(url, refuse) ?? !isLoopback(host)
  if (setting === false) return null
  const { verify = 'full', ca, cert, key, server_name: serverName } = setting === true ? {} : setting
  if ((cert === undefined) !== (key === undefined)) {
    throw refuse(cert === undefined ? 'ssl.cert' : 'ssl.key', 'a client certificate needs both `cert` and `key`.')
  }
  const name = serverName ?? host
  return {
    verify,
    name,
    rejectUnauthorized: verify !== 'none',
    ...(isIP(name) === 0 ? { servername: name } : {}),
    checkServerIdentity:
      verify === 'full' ? (_host, certificate) => checkServerIdentity(name, certificate) : () => undefined,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert, key }),
  }
}

type SslSetting = Exclude<ServerConfig['ssl'], undefined>

/** `sslmode` of PostgreSQL's URLs, `ssl-mode` of MySQL's. */
function fromMode(url: URL | null, refuse: Refuse): SslSetting | undefined {
  const mode = url?.searchParams.get('sslmode') ?? url?.searchParams.get('ssl-mode')
  if (mode === null || mode === undefined) return undefined
  switch (mode.toLowerCase().replaceAll('_', '-')) {
    case 'disable':
    case 'disabled':
      return false
    case 'require':
    case 'required':
    case 'verify-full':
    case 'verify-identity':
      return true
    case 'verify-ca':
      return { verify: 'ca' }
    case 'no-verify':
      return { verify: 'none' }
    default:
      throw refuse(
        'url',
        `the sslmode "${mode}" is not known; write disable, require, verify-ca, verify-full or no-verify.`,
      )
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}
