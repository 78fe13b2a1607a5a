/** The actions that connectors for file servers share: what an FTP server and one that speaks SSH can both do. */
import { matchesGlob } from 'node:path'
import { defineAction, type ActionContext } from '@plugwork/core/node'
import { z } from 'zod'
import { cursorInput, limitInput, pageOf, pageOutput, type Entry } from './entry.ts'
import {
  NEED_ONE_SOURCE,
  oneSource,
  receivedOutput,
  sourceInput,
  targetInput,
  type Received,
  type Source,
  type Target,
} from './transfer.ts'

/** What a connector does on its server; `call` is what it needs beside the paths. */
export interface RemoteFiles<Call> {
  listFolder(call: Call, path: string): Promise<Entry[]>
  getFile(call: Call, path: string, target: Target): Promise<Received & { readonly path: string }>
  putFile(
    call: Call,
    path: string,
    source: Source & { readonly atomic: boolean },
  ): Promise<{ path: string; size: number }>
  /** False: there was nothing. */
  removeFile(call: Call, path: string): Promise<boolean>
  /** Answers the path it has now. */
  renameFile(call: Call, from: string, to: string, overwrite: boolean): Promise<string>
  makeFolder(call: Call, path: string): Promise<{ path: string; created: boolean }>
}

export const pathOnServer = z
  .string()
  .min(1)
  .describe('Path on the server, from the login folder or from `root`; without `..`.')

const listInput = z.strictObject({
  path: z.string().default('').describe('Folder. Default: the login folder, or `root`.'),
  pattern: z.string().optional().describe('Glob against the names: `*.csv`.'),
  limit: limitInput,
  cursor: cursorInput,
})

const putInput = z
  .strictObject({
    path: pathOnServer,
    ...sourceInput,
    atomic: z
      .boolean()
      .default(true)
      .describe('Writes under another name and renames, so that nobody reads a part. Some servers forbid it.'),
  })
  .refine(oneSource, NEED_ONE_SOURCE)

const renameInput = z.strictObject({
  from: pathOnServer,
  to: pathOnServer,
  overwrite: z.boolean().default(false).describe('Replaces a file at `to`, where the server lets one.'),
})

/** The six actions of the connector called `name`. */
export function remoteFileActions<Client, Call>(
  name: string,
  files: RemoteFiles<Call>,
  callOf: (context: ActionContext<Client>) => Call,
) {
  type Context = ActionContext<Client>
  return {
    list: defineAction({
      description: 'Lists a folder, sorted by name, page by page.',
      input: listInput,
      output: pageOutput,
      effect: 'read',
      idempotency: 'natural',
      example: `
- ${name}.list:
    id: arrived
    connection: main
    path: incoming
    pattern: "*.csv"
    outputs: [entries]`,
      pages: {
        items: 'entries',
        next: (input, output) => (output.next_cursor === null ? null : { ...input, cursor: output.next_cursor }),
      },
      async run(context: Context, { path, pattern, limit, cursor }) {
        const entries = await files.listFolder(callOf(context), path)
        const wanted = pattern === undefined ? entries : entries.filter((entry) => matchesGlob(entry.name, pattern))
        return pageOf(wanted, { limit, cursor })
      },
    }),
    get: defineAction({
      description: 'Reads a file: as content, or into a local file of any size.',
      input: z.strictObject({ path: pathOnServer, ...targetInput }),
      output: z.object({ path: z.string(), ...receivedOutput }),
      effect: 'read',
      idempotency: 'natural',
      example: `
- ${name}.get:
    id: report
    connection: main
    path: reports/\${inputs.day}.csv
    outputs: [content]`,
      run: (context: Context, { path, ...target }) => files.getFile(callOf(context), path, target),
    }),
    put: defineAction({
      description: 'Writes a file, replacing one that is there: from content, or from a local file of any size.',
      input: putInput,
      output: z.object({ path: z.string(), size: z.int() }),
      effect: 'write',
      idempotency: 'natural',
      example: `
- ${name}.put:
    connection: main
    path: outgoing/orders.csv
    content: \${inputs.csv}`,
      run: (context: Context, { path, ...source }) => files.putFile(callOf(context), path, source),
    }),
    delete: defineAction({
      description: 'Deletes a file, a link or an empty folder. What is not there is deleted already.',
      input: z.strictObject({ path: pathOnServer }),
      output: z.object({ deleted: z.boolean().describe('False: there was nothing.') }),
      effect: 'destructive',
      idempotency: 'natural',
      async run(context: Context, { path }) {
        return { deleted: await files.removeFile(callOf(context), path) }
      },
    }),
    rename: defineAction({
      description: 'Moves or renames a file or a folder. A repeated attempt finds nothing to move.',
      input: renameInput,
      output: z.object({ path: z.string() }),
      effect: 'write',
      idempotency: 'none',
      async run(context: Context, { from, to, overwrite }) {
        return { path: await files.renameFile(callOf(context), from, to, overwrite) }
      },
    }),
    mkdir: defineAction({
      description: 'Makes a folder, and those above it.',
      input: z.strictObject({ path: pathOnServer }),
      output: z.object({ path: z.string(), created: z.boolean() }),
      effect: 'write',
      idempotency: 'natural',
      run: (context: Context, { path }) => files.makeFolder(callOf(context), path),
    }),
  }
}
