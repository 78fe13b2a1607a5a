/** What a redis connection is configured with, and what that means: one server, reached by URL or by host. */
import { z } from 'zod'
import {
  durationSetting,
  hostSetting,
  milliseconds,
  portSetting,
  tlsSetting,
  type TlsSetting,
} from '../network-settings.ts'
import { redisError } from './errors.ts'

export const redisConfig = z.strictObject({
  url: z
    .string()
    .min(1)
    .optional()
    .describe('`redis://user:password@host:6379/0`, or `rediss://…` with TLS. In place of `host` and what follows.')
    .meta({ 'x-plugwork': 'secret' }),
  host: hostSetting.describe('Name or address of the server. Default: `127.0.0.1`.'),
  port: portSetting.describe('Default: 6379.'),
  db: z.int().nonnegative().optional().describe('Number of the database. Default: 0.'),
  username: z.string().min(1).optional().describe('User, where the server has some (ACL). Default: `default`.'),
  password: z.string().min(1).optional().describe('Its password.').meta({ 'x-plugwork': 'secret' }),
  tls: tlsSetting.optional().describe('`true`, or `{ ca, cert, key, server_name }`. Certificates are always verified.'),
  key_prefix: z.string().max(200).default('').describe('Put before every key, and taken off keys that are answered.'),
  connect_timeout: durationSetting('1m').default('10s').describe('How long opening a connection may take.'),
  command_timeout: durationSetting('5m')
    .default('10s')
    .describe('How long an answer may take; then the step fails and the connection is opened anew.'),
})

export type RedisConfig = z.output<typeof redisConfig>

export interface RedisSettings {
  readonly name: string
  readonly host: string
  readonly port: number
  readonly db: number
  readonly username: string | null
  readonly password: string | null
  readonly tls: TlsSetting
  readonly keyPrefix: string
  readonly connectMs: number
  readonly commandMs: number
}

/** The settings of a config. Throws `redis_config` that names the field and the rule; never says what a URL holds. */
export function settingsOf(config: RedisConfig, name: string): RedisSettings {
  const refuse = (field: string, rule: string): Error =>
    redisError('redis_config', `\`${field}\` of the redis connection "${name}" ${rule}`)
  const common = {
    name,
    keyPrefix: config.key_prefix,
    connectMs: milliseconds(config.connect_timeout),
    commandMs: milliseconds(config.command_timeout),
  }
  if (config.username !== undefined && config.password === undefined && config.url === undefined)
    throw refuse('username', 'has no `password`. Give both, or neither.')
  if (config.url === undefined) {
    return {
      ...common,
      host: config.host ?? '127.0.0.1',
      port: config.port ?? 6379,
      db: config.db ?? 0,
      username: config.username ?? null,
      password: config.password ?? null,
      tls: config.tls ?? false,
    }
  }
  const beside = (['host', 'port', 'db', 'username', 'password'] as const).find((field) => config[field] !== undefined)
  if (beside !== undefined) throw refuse(beside, 'is given beside `url`, which says it already. Leave one of them out.')
  const url = URL.parse(config.url)
  if (url === null || (url.protocol !== 'redis:' && url.protocol !== 'rediss:') || url.hostname === '')
    throw refuse('url', 'is not a Redis URL. Write redis://user:password@host:6379/0, or rediss:// for TLS.')
  if (url.search !== '' || url.hash !== '')
    throw refuse('url', 'has parameters (`?…` or `#…`), which are not read. Use the settings of the connection.')
  const db = /^\/?(\d*)$/.exec(url.pathname)?.[1]
  if (db === undefined)
    throw refuse('url', 'has a path that is not the number of a database, as in redis://host:6379/0.')
  const secure = url.protocol === 'rediss:'
  if (config.tls !== undefined && (config.tls === false) === secure)
    throw refuse(
      'tls',
      `contradicts the scheme ${url.protocol}// of \`url\`. Write ${secure ? 'redis://' : 'rediss://'}.`,
    )
  return {
    ...common,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? 6379 : Number(url.port),
    db: db === '' ? 0 : Number(db),
    username: url.username === '' ? null : decoded(url.username, refuse),
    password: url.password === '' ? null : decoded(url.password, refuse),
    tls: config.tls ?? secure,
  }
}

function decoded(text: string, refuse: (field: string, rule: string) => Error): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw refuse('url', 'has a user name or password with a % that is not an escape. Write it as %25.')
  }
}
