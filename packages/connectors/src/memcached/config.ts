/** What a memcached connection is configured with. */
import { z } from 'zod'
import {
  durationSetting,
  hostSetting,
  milliseconds,
  portSetting,
  tlsSetting,
  type TlsSetting,
} from '../network-settings.ts'
import { memcachedError } from './errors.ts'

export const memcachedConfig = z.strictObject({
  host: hostSetting.describe('Name or address of the server. Default: `127.0.0.1`.'),
  port: portSetting.describe('Default: 11211.'),
  username: z
    .string()
    .regex(/^\S+$/)
    .optional()
    .describe('User, for a server that was started with an authentication file (`-Y`).'),
  password: z.string().regex(/^\S+$/).optional().describe('Its password.').meta({ 'x-plugwork': 'secret' }),
  tls: tlsSetting.optional().describe('`true`, or `{ ca, cert, key, server_name }`. Certificates are always verified.'),
  key_prefix: z.string().max(200).default('').describe('Put before every key; it counts for the 250 bytes of a key.'),
  max_value_size: z
    .int()
    .positive()
    .max(32 * 1024 * 1024)
    .default(1024 * 1024)
    .describe('Bytes of a value at most; as the server was started (`-I`). Default: 1 MiB.'),
  connect_timeout: durationSetting('1m').default('5s').describe('How long opening a connection may take.'),
  command_timeout: durationSetting('5m')
    .default('5s')
    .describe('How long an answer may take; then the step fails and the connection is opened anew.'),
})

export type MemcachedConfig = z.output<typeof memcachedConfig>

export interface MemcachedSettings {
  readonly name: string
  readonly host: string
  readonly port: number
  readonly login: { readonly username: string; readonly password: string } | null
  readonly tls: TlsSetting
  readonly keyPrefix: string
  readonly maxValue: number
  readonly connectMs: number
  readonly commandMs: number
}

/** The settings of a config. Throws `memcached_config` that names the field and the rule. */
export function settingsOf(config: MemcachedConfig, name: string): MemcachedSettings {
  const { username, password } = config
  const refuse = (field: string, rule: string): Error =>
    memcachedError('memcached_config', `\`${field}\` of the memcached connection "${name}" ${rule}`)
  if ((username === undefined) !== (password === undefined))
    throw refuse(username === undefined ? 'password' : 'username', 'is given alone. Give both, or neither.')
  // oxlint-disable-next-line no-control-regex -- control characters are what a key must not have
  if (/[\u0000-\u0020\u007F]/.test(config.key_prefix))
    throw refuse('key_prefix', 'has a space or a control character, which no key of memcached may have.')
  return {
    name,
    host: config.host ?? '127.0.0.1',
    port: config.port ?? 11_211,
    login: username === undefined || password === undefined ? null : { username, password },
    tls: config.tls ?? false,
    keyPrefix: config.key_prefix,
    maxValue: config.max_value_size,
    connectMs: milliseconds(config.connect_timeout),
    commandMs: milliseconds(config.command_timeout),
  }
}
