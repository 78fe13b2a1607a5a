/** Shapes of SSH connections, which ssh and sftp share, and of the ssh connector's actions. */
import { z } from 'zod'
import { contentInput } from '../content/content.ts'
import {
  localRootSetting,
  NEED_ONE_SOURCE,
  oneSource,
  receivedOutput,
  sourceInput,
  targetInput,
} from '../content/transfer.ts'
import { durationSetting } from '../network-settings.ts'

const FINGERPRINT = /^(SHA256:[A-Za-z0-9+/]{43}=?|accept_any)$/
const HOW_TO_PIN =
  'must be the fingerprint of the host key, such as SHA256:… (ssh-keyscan HOST | ssh-keygen -lf -), or accept_any, which checks nothing'
const fingerprint = z.string({ error: HOW_TO_PIN }).regex(FINGERPRINT, HOW_TO_PIN)

export const sshConfig = z.strictObject({
  host: z.string().min(1).describe('Name or address of the server.'),
  port: z.int().min(1).max(65_535).default(22).describe('Port. Default 22.'),
  user: z.string().min(1).describe('User to log in as.'),
  host_key: z
    .union([fingerprint, z.array(fingerprint).min(1)], { error: HOW_TO_PIN })
    .describe(
      'Fingerprint of the host key (`SHA256:…`), or several while it changes. `accept_any` talks to whoever answers.',
    ),
  password: z.string().min(1).optional().describe('Password, unless there is a key.').meta({ 'x-plugwork': 'secret' }),
  private_key: z
    .string()
    .min(1)
    .optional()
    .describe('Private key in OpenSSH or PEM format.')
    .meta({ 'x-plugwork': 'secret' }),
  passphrase: z.string().min(1).optional().describe('Of the private key.').meta({ 'x-plugwork': 'secret' }),
  connect_timeout: durationSetting('2m').default('15s').describe('Limit for connecting and logging in.'),
  local_root: localRootSetting,
})

export type SshConfig = z.output<typeof sshConfig>

const scalar = z.union([z.string(), z.number(), z.boolean()])
const MAX_OUTPUT_BYTES = 8 * 1024 * 1024

export const execInput = z.strictObject({
  command: z
    .string()
    .min(1)
    .describe("Text for the server's shell, as the author writes it. Put expressions into `args` or `env`, not here."),
  args: z
    .array(scalar)
    .default([])
    .describe('Arguments after the command, each quoted: they stay one word, whatever is in them.'),
  env: z
    .record(z.string().regex(/^[A-Za-z_]\w*$/, 'must be a name such as DAY'), scalar)
    .default({})
    .describe('Variables that the command sees. Set in its shell, so other users of the server may see them.'),
  stdin: contentInput.optional().describe('Given to the command; without it the input is empty.'),
  time_limit: durationSetting('24h')
    .default('10m')
    .describe('A command that runs longer is killed. Default 10 minutes.'),
  max_output_bytes: z
    .int()
    .positive()
    .max(MAX_OUTPUT_BYTES)
    .default(1024 * 1024)
    .describe('Of stdout and stderr each; one that prints more is killed. Default 1 MiB, at most 8 MiB.'),
  fail_on_exit: z.boolean().default(true).describe('Whether another exit code than 0 is an error (`ssh_exit`).'),
})

export const execOutput = z.object({
  stdout: z.string().describe('As UTF-8.'),
  stderr: z.string().describe('As UTF-8.'),
  exit_code: z.int().nullable().describe('Null when a signal ended it.'),
  signal: z.string().nullable().describe('Such as KILL; null when it ended by itself.'),
})

const path = z.string().min(1).describe('Path on the server, absolute or from the login folder; without `..`.')

export const uploadInput = z.strictObject({ path, ...sourceInput }).refine(oneSource, NEED_ONE_SOURCE)
export const uploadOutput = z.object({ path: z.string(), size: z.int() })
export const downloadInput = z.strictObject({ path, ...targetInput })
export const downloadOutput = z.object({ path: z.string(), ...receivedOutput })
