/** Shapes of the ftp connector. */
import { z } from 'zod'
import { cursorInput, limitInput, pageOutput } from '../content/entry.ts'
import { remoteRootSetting } from '../content/remote-path.ts'
import {
  localRootSetting,
  NEED_ONE_SOURCE,
  oneSource,
  receivedOutput,
  sourceInput,
  targetInput,
} from '../content/transfer.ts'
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

const path = z.string().min(1).describe('Path on the server, from the login folder or from `root`; without `..`.')

export const listInput = z.strictObject({
  path: z.string().default('').describe('Folder. Default: the login folder, or `root`.'),
  pattern: z.string().optional().describe('Glob against the names: `*.csv`.'),
  limit: limitInput,
  cursor: cursorInput,
})
export const listOutput = pageOutput

export const getInput = z.strictObject({ path, ...targetInput })
export const getOutput = z.object({ path: z.string(), ...receivedOutput })

export const putInput = z
  .strictObject({
    path,
    ...sourceInput,
    atomic: z
      .boolean()
      .default(true)
      .describe('Writes under another name and renames, so that nobody reads a part. Some servers forbid it.'),
  })
  .refine(oneSource, NEED_ONE_SOURCE)
export const putOutput = z.object({ path: z.string(), size: z.int() })

export const deleteInput = z.strictObject({ path })
export const deleteOutput = z.object({ deleted: z.boolean().describe('False: there was nothing.') })

export const renameInput = z.strictObject({
  from: path,
  to: path,
  overwrite: z.boolean().default(false).describe('Replaces a file at `to`, where the server lets one.'),
})
export const renameOutput = z.object({ path: z.string() })

export const mkdirInput = z.strictObject({ path })
export const mkdirOutput = z.object({ path: z.string(), created: z.boolean() })
