/** Shapes of the file connector. */
import { z } from 'zod'
import { contentInput, contentOutput, encodingInput, maxBytesInput } from '../content/content.ts'
import { cursorInput, entryOutput, limitInput } from '../content/entry.ts'

export const fileConfig = z.strictObject({
  root: z
    .string()
    .default('./files')
    .describe('Folder that the connection cannot leave, inside the project folder but not that folder itself.'),
  read_only: z.boolean().default(false).describe('Refuses every action that writes.'),
})

const path = z.string().min(1).describe('Path below the root, with `/`.')
const source = z.string().min(1).describe('Path below the root.')
const destination = z.string().min(1).describe('New path below the root; missing folders are made.')

export const readInput = z.strictObject({
  path,
  encoding: encodingInput,
  offset: z.int().nonnegative().default(0).describe('First byte.'),
  length: z.int().positive().optional().describe('Reads at most so many bytes, instead of all.'),
  max_bytes: maxBytesInput,
})

export const readOutput = z.object({
  path: z.string(),
  content: contentOutput,
  size: z.int().describe('Bytes of the whole file.'),
  modified_at: z.string(),
})

export const writeInput = z.strictObject({ path, content: contentInput })
export const writeOutput = z.object({ path: z.string(), size: z.int().describe('Bytes of the file now.') })

export const listInput = z.strictObject({
  path: z.string().default('').describe('Folder below the root. Default: the root.'),
  pattern: z.string().optional().describe('Glob against the path below `path`: `*.csv`, `**/*.{json,yaml}`.'),
  recursive: z.boolean().default(false).describe('Looks into folders as well; links are not followed.'),
  limit: limitInput,
  cursor: cursorInput,
})

export const deleteInput = z.strictObject({
  path,
  recursive: z.boolean().default(false).describe('Deletes a folder with all that is in it (at most 100,000 entries).'),
})
export const deleteOutput = z.object({ deleted: z.boolean().describe('False: there was nothing.') })

export const moveInput = z.strictObject({
  from: source,
  to: destination,
  overwrite: z.boolean().default(false).describe('Replaces a file at `to`.'),
})
export const moveOutput = z.object({ path: z.string() })

export const copyInput = z.strictObject({ from: source, to: destination })
export const copyOutput = z.object({ path: z.string(), size: z.int() })

export const statInput = z.strictObject({ path })
export const existsOutput = z.object({ exists: z.boolean(), type: entryOutput.shape.type.nullable() })

export const mkdirInput = z.strictObject({ path })
export const mkdirOutput = z.object({ path: z.string(), created: z.boolean() })
