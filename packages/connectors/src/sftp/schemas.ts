/** Shapes of the sftp connector, beside those that file servers share. */
import { z } from 'zod'
import { entryOutput } from '../content/entry.ts'
import { pathOnServer } from '../content/remote-files.ts'
import { remoteRootSetting } from '../content/remote-path.ts'
import { sshConfig } from '../ssh/schemas.ts'

export const sftpConfig = sshConfig.extend({ root: remoteRootSetting })

export const statInput = z.strictObject({ path: pathOnServer })
export const statOutput = entryOutput
