/** What a mongodb connection is configured with, and what of it the driver is told. */
import type { MongoClientOptions } from 'mongodb'
import { z } from 'zod'
import { durationSetting, hostSetting, milliseconds, portSetting, tlsSetting } from '../network-settings.ts'
import { tlsOptions } from '../socket.ts'
import { mongodbError } from './errors.ts'

export const mongodbConfig = z.strictObject({
  url: z
    .string()
    .min(1)
    .optional()
    .describe(
      '`mongodb://user:password@host:27017/database` or `mongodb+srv://…`. In place of `host` and what follows.',
    )
    .meta({ 'x-plugwork': 'secret' }),
  host: hostSetting.describe('Name or address of the server. Default: `127.0.0.1`.'),
  port: portSetting.describe('Default: 27017.'),
  username: z.string().min(1).optional().describe('User that logs in.'),
  password: z.string().min(1).optional().describe('Its password.').meta({ 'x-plugwork': 'secret' }),
  auth_source: z.string().min(1).optional().describe('Database that knows the user. Default: `admin`.'),
  replica_set: z.string().min(1).optional().describe('Name of the replica set, to find its members.'),
  database: z
    .string()
    .regex(/^[^/\\. "$*<>:|?\0]{1,63}$/)
    .optional()
    .describe('Database of the collections. Needed, unless `url` names it.'),
  tls: tlsSetting.optional().describe('`true`, or `{ ca, cert, key, server_name }`. Certificates are always verified.'),
  max_pool_size: z.int().min(1).max(500).default(10).describe('Connections per server at most.'),
  min_pool_size: z.int().min(0).max(100).default(0).describe('Connections that are kept open.'),
  max_idle_time: durationSetting('1d').default('5m').describe('An idle connection is closed after this time.'),
  connect_timeout: durationSetting('2m')
    .default('10s')
    .describe('How long finding a server and connecting to it may take.'),
  timeout: durationSetting('1h')
    .default('30s')
    .describe('How long an operation may take, waiting for a connection included.'),
  extended_json: z
    .enum(['relaxed', 'canonical'])
    .default('relaxed')
    .describe('How documents are answered. `canonical` keeps even the difference between 1 as int, long and double.'),
  allow_javascript: z
    .boolean()
    .default(false)
    .describe('Allows `$where`, `$function`, `$accumulator` and `$code`, which run on the server.'),
})

export type MongodbConfig = z.output<typeof mongodbConfig>

export interface Seed {
  readonly host: string
  readonly port: number
}

export interface MongodbSettings {
  readonly name: string
  readonly url: string
  readonly database: string
  /** Servers that the config names; none for `mongodb+srv`, whose names the driver looks up. */
  readonly seeds: readonly Seed[]
  /** For messages: no user, no password. */
  readonly where: string
  readonly options: MongoClientOptions
  readonly timeoutMs: number
  readonly connectMs: number
  readonly canonical: boolean
  readonly allowJavascript: boolean
}

/** Options of a URL that are harmless; others read files, call metadata services or go through a proxy. */
const URL_OPTIONS: ReadonlySet<string> = new Set(
  [
    'appName',
    'authSource',
    'authMechanism',
    'directConnection',
    'journal',
    'loadBalanced',
    'maxStalenessSeconds',
    'readConcernLevel',
    'readPreference',
    'readPreferenceTags',
    'replicaSet',
    'retryReads',
    'retryWrites',
    'srvMaxHosts',
    'srvServiceName',
    'ssl',
    'tls',
    'w',
    'wtimeoutMS',
  ].map((option) => option.toLowerCase()),
)
const MECHANISMS: ReadonlySet<string> = new Set(['DEFAULT', 'SCRAM-SHA-1', 'SCRAM-SHA-256', 'MONGODB-X509', 'PLAIN'])

/** The settings of a config. Throws `mongodb_config` that names the field and the rule; never says what a URL holds. */
export function settingsOf(config: MongodbConfig, name: string): MongodbSettings {
  const refuse = (field: string, rule: string): Error =>
    mongodbError('mongodb_config', `\`${field}\` of the mongodb connection "${name}" ${rule}`)
  if ((config.username === undefined) !== (config.password === undefined))
    throw refuse(config.username === undefined ? 'password' : 'username', 'is given alone. Give both, or neither.')
  if (config.min_pool_size > config.max_pool_size)
    throw refuse('min_pool_size', `is more than \`max_pool_size\` (${config.max_pool_size}).`)
  const target = config.url === undefined ? fromHost(config) : fromUrl(config, config.url, refuse)
  const database = config.database ?? target.database
  if (database === null) throw refuse('database', 'is missing. Name the database that holds the collections.')
  const connectMs = milliseconds(config.connect_timeout)
  const timeoutMs = milliseconds(config.timeout)
  const { tls } = config
  return {
    name,
    database,
    seeds: target.seeds,
    url: target.url,
    where: target.where,
    timeoutMs,
    connectMs,
    canonical: config.extended_json === 'canonical',
    allowJavascript: config.allow_javascript,
    options: {
      appName: 'plugwork',
      maxPoolSize: config.max_pool_size,
      minPoolSize: config.min_pool_size,
      maxIdleTimeMS: milliseconds(config.max_idle_time),
      connectTimeoutMS: connectMs,
      serverSelectionTimeoutMS: connectMs,
      waitQueueTimeoutMS: timeoutMs,
      // A little later than the step's own limit: then the socket is given up too.
      socketTimeoutMS: timeoutMs + 1_000,
      bsonRegExp: true,
      ignoreUndefined: true,
      ...(tls === undefined ? {} : tls === false ? { tls: false } : { tls: true, ...driverTls(tls) }),
      ...(config.replica_set === undefined ? {} : { replicaSet: config.replica_set }),
      ...(config.auth_source === undefined ? {} : { authSource: config.auth_source }),
      ...(config.username === undefined || config.password === undefined
        ? {}
        : { auth: { username: config.username, password: config.password } }),
    },
  }
}

interface Target {
  readonly url: string
  readonly where: string
  readonly seeds: readonly Seed[]
  readonly database: string | null
}

function fromHost({ host = '127.0.0.1', port = 27_017, replica_set: replicaSet }: MongodbConfig): Target {
  const spelt = host.includes(':') ? `[${host}]` : host
  // Without a replica set's name only this server is meant, whatever it says of others.
  const direct = replicaSet === undefined ? '?directConnection=true' : ''
  return {
    url: `mongodb://${spelt}:${port}/${direct}`,
    where: `${spelt}:${port}`,
    seeds: [{ host, port }],
    database: null,
  }
}

function fromUrl(config: MongodbConfig, url: string, refuse: (field: string, rule: string) => Error): Target {
  const beside = (['host', 'port', 'username', 'password', 'auth_source', 'replica_set'] as const).find(
    (field) => config[field] !== undefined,
  )
  if (beside !== undefined) throw refuse(beside, 'is given beside `url`, which says it already. Leave one of them out.')
  // Several hosts make it no URL in the sense of the web.
  const parts = /^(mongodb(?:\+srv)?):\/\/(?:[^/?#@]*@)?([^/?#@]+)(?:\/([^?#]*))?(?:\?([^#]*))?$/.exec(url)
  if (parts === null)
    throw refuse(
      'url',
      'is not a MongoDB URL. Write mongodb://user:password@host:27017/database; escape @ : / % in a password.',
    )
  const [, scheme, hosts = '', path = '', query = ''] = parts
  for (const [option, value] of new URLSearchParams(query)) {
    if (!URL_OPTIONS.has(option.toLowerCase()))
      throw refuse('url', `has the option ${option}, which is not allowed there. Use the settings of the connection.`)
    if (option.toLowerCase() === 'authmechanism' && !MECHANISMS.has(value))
      throw refuse('url', `has the authMechanism ${value}; known are ${[...MECHANISMS].join(', ')}.`)
  }
  const seeds = scheme === 'mongodb+srv' ? [] : hosts.split(',').map((each) => seedOf(each, refuse))
  return { url, where: hosts, seeds, database: path === '' ? null : decodeURIComponent(path) }
}

function seedOf(text: string, refuse: (field: string, rule: string) => Error): Seed {
  const [, host, port = '27017'] = /^(\[[\da-fA-F:.]+\]|[^:[\]%]+)(?::(\d{1,5}))?$/.exec(text) ?? []
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535)
    throw refuse(
      'url',
      'has a host that is none, or a port that is none. Sockets of this machine (%2F…) are not supported.',
    )
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) }
}

function driverTls(tls: Exclude<MongodbConfig['tls'], undefined | false>): MongoClientOptions {
  const { ca, cert, key, servername } = tlsOptions(tls, '')
  return {
    ...(ca === undefined ? {} : { ca: ca as string }),
    ...(cert === undefined ? {} : { cert: cert as string }),
    ...(key === undefined ? {} : { key: key as string }),
    ...(servername === undefined || servername === '' ? {} : { servername }),
  }
}
