/** Shapes of the ftp connector. */
import { z } from 'zod'
import { remoteRootSetting } from '../content/remote-path.ts'
import { localRootSetting } from '../content/transfer.ts'
import { durationSetting } from '../network-settings.ts'

export const ftpConfig = z.strictObject({
  host: z.string().min(1).describe('Name or address of the server.'),
  port: z.int().min(1).max(65_535).optional().describe('Port. Default 21, or 990 with `security: implicit`.'),
  user: z.string().min(1).default('anonymous').describe('User to log in as.'),
  password: z.string().default('guest').describe('Password.').meta({ 'x-plugwork': 'secret' }),
  security: z
    .enum(['explicit', 'implicit', 'none'])
    .default('explicit')
    .describe(
      '`explicit`: TLS before the login (AUTH TLS), for files too. `implicit`: TLS from the start. `none`: everybody on the way can read it.',
    ),
  ca: z.string().min(1).optional().describe('Certificate authority that signed the server, in PEM.'),
  server_name: z.string().min(1).optional().describe('Name in the certificate, where it is not the host.'),
  root: remoteRootSetting,
  max_connections: z
    .int()
    .min(1)
    .max(10)
    .default(2)
    .describe('Connections at the most; each does one thing at a time.'),
  timeout: durationSetting('15m').default('30s').describe('Limit for connecting, and for the silence of the server.'),
  local_root: localRootSetting,
})

export type FtpConfig = z.output<typeof ftpConfig>
