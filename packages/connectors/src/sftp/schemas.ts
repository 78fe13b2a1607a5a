/** Shapes of the sftp connector. */
import { z } from 'zod'
import { cursorInput, entryOutput, limitInput, pageOutput } from '../content/entry.ts'
import { remoteRootSetting } from '../content/remote-path.ts'
import { NEED_ONE_SOURCE, oneSource, receivedOutput, sourceInput, targetInput } from '../content/transfer.ts'
import { sshConfig } from '../ssh/schemas.ts'

export const sftpConfig = sshConfig.extend({ root: remoteRootSetting })

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
  overwrite: z.boolean().default(false).describe('Replaces a file at `to`.'),
})
export const renameOutput = z.object({ path: z.string() })

export const mkdirInput = z.strictObject({ path })
export const mkdirOutput = z.object({ path: z.string(), created: z.boolean() })

export const statInput = z.strictObject({ path })
export const statOutput = entryOutput
