/** Every setting there is: its names, how it is read, its default. `docs/cli.md` lists this table. */
import { readOAuthClients, type OAuthClientSettings } from './oauth-clients.ts'

export interface Settings {
  readonly port: number
  readonly host: string
  /** Absolute. */
  readonly dataDir: string
  readonly databaseUrl: string | null
  readonly redisUrl: string | null
  readonly ownerToken: string | null
  readonly keys: string | null
  readonly envAllow: readonly string[] | null
  readonly egressAllow: readonly string[]
  readonly baseUrl: string | null
  /** Registrations with services for OAuth, by connector. */
  readonly connectors: OAuthClientSettings
  readonly logLevel: (typeof LOG_LEVELS)[number]
  readonly logFormat: (typeof LOG_FORMATS)[number]
  readonly concurrency: number
  /** How long ended runs are kept where a flow does not say; milliseconds. */
  readonly retention: number
}

export type SettingName = keyof Settings

type Read<Value> = { readonly value: Value } | { readonly problem: string }

export interface SettingSpec<Value> {
  /** Key in `plugwork.yaml`; with `-` for `_` it is the flag. */
  readonly key: string
  readonly variable: string
  readonly summary: string
  /** Read like a given value; null: there is none. */
  readonly default: Value | string | null
  /** Never read from the project file, never shown. */
  readonly secret?: boolean
  /** A value that is refused is not shown: a secret may stand in it by mistake. */
  readonly quiet?: boolean
  /** A path, made absolute from where it was given. */
  readonly path?: boolean
  /** Set: this build cannot do what the setting asks for, and why. */
  readonly unavailable?: string
  /** `problem` completes "must be …". */
  read(raw: unknown): Read<Value>
}

const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const
const LOG_FORMATS = ['auto', 'json', 'text'] as const
const SCALE = 'Redis is not available in this build; leave it out.'

export const SETTINGS: { readonly [name in SettingName]: SettingSpec<Settings[name]> } = {
  port: {
    key: 'port',
    variable: 'PLUGWORK_PORT',
    summary: 'Port of the server; 0 takes a free one.',
    default: 7420,
    read: (raw) => integer(raw, 0, 65_535),
  },
  host: {
    key: 'host',
    variable: 'PLUGWORK_HOST',
    summary: 'Address that the server listens on.',
    default: '127.0.0.1',
    read: text,
  },
  dataDir: {
    key: 'data_dir',
    variable: 'PLUGWORK_DATA_DIR',
    summary: 'Folder of the embedded store.',
    default: '.plugwork',
    path: true,
    read: text,
  },
  databaseUrl: {
    key: 'database_url',
    variable: 'PLUGWORK_DATABASE_URL',
    summary: 'PostgreSQL instead of the embedded store: postgres://user:password@host/name.',
    default: null,
    secret: true,
    read: text,
  },
  redisUrl: {
    key: 'redis_url',
    variable: 'PLUGWORK_REDIS_URL',
    summary: 'Redis for dispatch (not available in this build).',
    default: null,
    secret: true,
    unavailable: SCALE,
    read: text,
  },
  ownerToken: {
    key: 'owner_token',
    variable: 'PLUGWORK_OWNER_TOKEN',
    summary: "The first owner's API token; without it one is made and printed once.",
    default: null,
    secret: true,
    read: text,
  },
  keys: {
    key: 'keys',
    variable: 'PLUGWORK_KEYS',
    summary: 'Key ring that protects stored credentials and secret inputs; without it one is made in the data folder.',
    default: null,
    secret: true,
    read: text,
  },
  envAllow: {
    key: 'env_allow',
    variable: 'PLUGWORK_ENV_ALLOW',
    summary: 'Names that flows may read as `env.NAME`, with `*`; without it all that project files mention.',
    default: null,
    read: list,
  },
  egressAllow: {
    key: 'egress_allow',
    variable: 'PLUGWORK_EGRESS_ALLOW',
    summary: 'Private hosts, host:port or CIDRs that requests may go to.',
    default: '',
    read: list,
  },
  baseUrl: {
    key: 'base_url',
    variable: 'PLUGWORK_BASE_URL',
    summary: 'Public address, for links that leave the system; without it the address listened on.',
    default: null,
    read: url,
  },
  connectors: {
    key: 'connectors',
    variable: 'PLUGWORK_CONNECTORS',
    summary:
      'OAuth apps by connector: `github: { client_id: …, client_secret: "${secrets.GITHUB}" }`; or PLUGWORK_GITHUB_CLIENT_ID and PLUGWORK_GITHUB_CLIENT_SECRET.',
    default: '{}',
    quiet: true,
    read: readOAuthClients,
  },
  logLevel: {
    key: 'log_level',
    variable: 'PLUGWORK_LOG_LEVEL',
    summary: 'debug, info, warn, error or silent.',
    default: 'info',
    read: (raw) => oneOf(raw, LOG_LEVELS),
  },
  logFormat: {
    key: 'log_format',
    variable: 'PLUGWORK_LOG_FORMAT',
    summary: 'json, text, or auto (text on a terminal).',
    default: 'auto',
    read: (raw) => oneOf(raw, LOG_FORMATS),
  },
  concurrency: {
    key: 'concurrency',
    variable: 'PLUGWORK_CONCURRENCY',
    summary: 'Runs worked on at once; further ones are queued.',
    default: 1000,
    read: (raw) => integer(raw, 1, 1_000_000),
  },
  retention: {
    key: 'retention',
    variable: 'PLUGWORK_RETENTION',
    summary: 'How long ended runs are kept where their flow does not say.',
    default: '30d',
    read: duration,
  },
}

export function settingNames(): SettingName[] {
  return Object.keys(SETTINGS) as SettingName[]
}

function text(raw: unknown): Read<string> {
  return typeof raw === 'string' && raw.trim() !== '' ? { value: raw.trim() } : { problem: 'a text that is not empty' }
}

function integer(raw: unknown, least: number, most: number): Read<number> {
  const value = typeof raw === 'string' && /^\d+$/.test(raw.trim()) ? Number(raw) : raw
  const fits = typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most
  return fits ? { value } : { problem: `a whole number from ${least} to ${most}` }
}

/** A comma list, or a list in the file. */
function list(raw: unknown): Read<readonly string[]> {
  const items = typeof raw === 'string' ? raw.split(',') : raw
  if (!Array.isArray(items) || !items.every((item) => typeof item === 'string')) {
    return { problem: 'a list of texts' }
  }
  return { value: items.map((item) => item.trim()).filter((item) => item !== '') }
}

function url(raw: unknown): Read<string> {
  const fits = typeof raw === 'string' && /^https?:\/\//.test(raw) && URL.canParse(raw)
  return fits ? { value: raw.replace(/\/+$/, '') } : { problem: 'an address such as https://flows.example.com' }
}

function oneOf<Choice extends string>(raw: unknown, choices: readonly Choice[]): Read<Choice> {
  const found = choices.find((choice) => choice === raw)
  return found === undefined ? { problem: `one of ${choices.join(', ')}` } : { value: found }
}

const UNITS: { readonly [unit: string]: number } = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

function duration(raw: unknown): Read<number> {
  const match = typeof raw === 'string' ? /^(\d+)\s*([smhd])$/.exec(raw.trim()) : null
  if (!match) return { problem: 'a duration such as 12h or 30d' }
  return { value: Number(match[1]) * UNITS[match[2]!]! }
}
