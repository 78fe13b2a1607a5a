/** What `createPlugwork` is given. */
import type { Actor, AccessRequest, Connection, ConnectionStore } from '@plugwork/connections'
import type { Egress, EgressPolicy } from '@plugwork/core/node'
import type { Connectable } from './connectable.ts'
import { sdkError } from './errors.ts'

/** Who makes a request, as the application knows it. */
export interface Session {
  readonly userId: string
  /** Default: `default`. */
  readonly tenantId?: string
  /** The browser session: an authorization that was started in it is finished in it only. Give it where there is one. */
  readonly sessionId?: string
}

/** Who asks for what. `via: 'http'`: it came through `plug.handler`, from somebody's browser. */
export interface AuthorizeRequest extends AccessRequest {
  readonly via: 'code' | 'http'
}

export type { AccessRequest, Actor, Connection }

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

export interface PlugworkOptions<Given extends readonly Connectable[]> {
  /**
   * Where connections are kept: `memory:` (tests), `sqlite:./app.db`, `postgres://…`, or a store of the application
   * (`describeConnectionStore` of `@plugwork/connections/testing` tells whether it keeps what it must).
   */
  readonly database: string | ConnectionStore
  /** Key ring that protects credentials, as `PLUGWORK_KEYS` has it: `k1:` and 32 bytes in base64. */
  readonly encryptionKey: string
  /** Public address of the application: `https://app.example.com`. */
  readonly baseUrl: string
  /** Path below which `handler` is mounted; part of the OAuth callback URL. Default: `/`. */
  readonly basePath?: string
  readonly auth: {
    /** Who makes a request; null for nobody. Throwing is nobody too. */
    authenticate(request: Request): Session | null | undefined | Promise<Session | null | undefined>
    /** Origins beside the one of `baseUrl` whose pages may call the handler (`https://admin.example.com`). */
    readonly origins?: readonly string[]
  }
  readonly connectors: Given
  /**
   * Who may do what with which connection. Only `true` allows; undefined leaves it to the default: users may do everything
   * with their own. Credentials are given out (`action: 'credentials'`) only where this answers true.
   */
  readonly authorize?: (request: AuthorizeRequest) => boolean | undefined | Promise<boolean | undefined>
  /** Paths and URLs below which somebody may be sent back after signing in. Default: every page of `baseUrl`'s origin. */
  readonly returnTo?: readonly string[]
  /** How services are reached: a policy (`{ allow: ['10.0.0.7:5432'] }`), or an egress of the application. */
  readonly egress?: Partial<EgressPolicy> | Egress
  /** Folder that relative paths in configs start from. Default: the working directory. */
  readonly directory?: string
  /** Workflows of the application and of its users. */
  readonly workflows?: WorkflowOptions
  /** Told what nobody else is told. Default: warnings and errors go to the console. */
  readonly log?: (level: LogLevel, message: string, data?: unknown) => void
}

export interface WorkflowOptions {
  /**
   * Where runs are kept: `memory:`, `sqlite:./runs.db`, `postgres://…`. Default: `database`; of `sqlite:./app.db` the runs are in
   * `app.runs.db` beside it, which one process at a time owns.
   */
  readonly database?: string
  /** Functions and `defineTask` values that the steps of workflows may use, by name. */
  readonly tasks?: { readonly [name: string]: unknown }
  /** Value of `secrets.NAME` in workflows; null when there is none. Default: there are none. */
  readonly secret?: (tenantId: string, name: string) => string | null | Promise<string | null>
  /** Runs worked on at once. Default 1,000. */
  readonly concurrency?: number
}

/** The options, checked, with what is derived from them. */
export interface Settings extends Omit<PlugworkOptions<readonly Connectable[]>, 'connectors' | 'basePath' | 'log'> {
  /** Path below which requests come, without a slash at its end; empty for the root. */
  readonly basePath: string
  readonly origin: string
  /** Public address of the handler, without a slash at its end. */
  readonly root: string
  readonly redirectUri: string
  readonly log: (level: LogLevel, message: string, data?: unknown) => void
}

const DATABASE = /^(?:memory:$|sqlite:.|postgres(?:ql)?:\/\/)/
const KEY_BYTES = 32
const PASSPHRASE_LENGTH = 12

/** Throws `sdk_option_invalid` and `sdk_key_invalid`, naming the option, the rule and the remedy. */
export function checkOptions(options: PlugworkOptions<readonly Connectable[]>): Settings {
  // A caller in JavaScript may have left anything out.
  const { database, encryptionKey, baseUrl, auth, basePath = '/' } = options as Partial<typeof options>
  checkDatabase(database)
  checkKey(encryptionKey)
  const base = typeof baseUrl === 'string' ? URL.parse(baseUrl) : null
  if (base === null || !/^https?:$/.test(base.protocol) || base.username !== '' || base.search + base.hash !== '') {
    throw invalid('baseUrl', 'must be the public address of the application, such as https://app.example.com')
  }
  if (base.protocol === 'http:' && !isLoopback(base.hostname)) {
    throw invalid('baseUrl', 'must begin with https:// (http:// only for localhost): OAuth providers send codes there')
  }
  if (!/^\/(?:[\w.~-]+(?:\/[\w.~-]+)*\/?)?$/.test(basePath)) {
    throw invalid('basePath', 'must be a path such as /api/plugwork, without query and without special characters')
  }
  if (typeof auth?.authenticate !== 'function') {
    throw invalid('auth', 'must have a function `authenticate` that says who makes a request, or null')
  }
  for (const origin of auth.origins ?? []) {
    if (URL.parse(origin)?.origin !== origin) {
      throw invalid('auth.origins', `has "${origin}", which is no origin such as https://admin.example.com`)
    }
  }
  const runs = options.workflows?.database
  if (runs !== undefined && !DATABASE.test(runs)) {
    throw invalid('workflows.database', 'must be memory:, sqlite:./runs.db, or a postgres:// address')
  }
  const path = basePath.replace(/\/$/, '')
  const root = base.href.replace(/\/$/, '')
  return {
    ...options,
    basePath: path,
    origin: base.origin,
    root: `${root}${path}`,
    redirectUri: `${root}${path}/oauth/callback`,
    log: options.log ?? toConsole,
  }
}

function checkDatabase(database: unknown): void {
  if (typeof database === 'string') {
    if (DATABASE.test(database)) return
  } else if (typeof database === 'object' && database !== null) {
    const missing = ['get', 'insert', 'replace', 'remove', 'list', 'close'].filter(
      (method) => typeof (database as Record<string, unknown>)[method] !== 'function',
    )
    if (missing.length === 0) return
    throw invalid('database', `is an object without ${missing.join(', ')}; a ConnectionStore has six methods`)
  }
  throw invalid('database', 'must be memory:, sqlite:./app.db, a postgres:// address, or a ConnectionStore')
}

/** The ring is read when the store is open (the salt of a passphrase is there); what is no ring is refused at once. */
function checkKey(ring: unknown): void {
  const make = 'Make one with `openssl rand -base64 32` and give it as `k1:<what it printed>`.'
  if (typeof ring !== 'string' || ring.trim() === '') {
    throw sdkError('sdk_key_invalid', `The encryptionKey is missing. ${make} Keep it: credentials are lost without it.`)
  }
  const entries = ring.split(/[,\n]/).filter((entry) => entry.trim() !== '')
  for (const [index, entry] of entries.entries()) {
    const which = entries.length === 1 ? 'The encryptionKey' : `Key ${index + 1} of the encryptionKey`
    const [, words] = /^(?:[\w-]{1,32}:)?passphrase:(.*)$/.exec(entry.trim()) ?? []
    if (words !== undefined) {
      if (words.length >= PASSPHRASE_LENGTH) continue
      throw sdkError('sdk_key_invalid', `${which} is a passphrase of less than ${PASSPHRASE_LENGTH} characters.`)
    }
    const [, text] = /^(?:[\w-]{1,32}:)?([A-Za-z0-9+/_-]+={0,2})$/.exec(entry.trim()) ?? []
    if (text === undefined) throw sdkError('sdk_key_invalid', `${which} is not written as a key. ${make}`)
    const { length } = Buffer.from(text, 'base64')
    if (length !== KEY_BYTES) {
      throw sdkError('sdk_key_invalid', `${which} has ${length} bytes in base64, and needs ${KEY_BYTES}. ${make}`)
    }
  }
}

function invalid(option: string, rule: string): Error {
  return sdkError('sdk_option_invalid', `The option ${option} of createPlugwork ${rule}.`, { data: { option } })
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || /^127(?:\.\d+){3}$/.test(host) || host === '[::1]'
}

function toConsole(level: LogLevel, message: string): void {
  // The message alone: what else there is may be large, and the application can take it with `log`.
  if (level === 'warn' || level === 'error') console[level](`plugwork: ${message}`)
}
