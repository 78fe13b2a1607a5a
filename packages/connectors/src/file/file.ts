/** The file connector: files of this machine, below one folder that paths cannot leave. */
import { defineAction, defineConnector, type ActionContext } from '@plugwork/core/node'
import { bytesOf, contentOf } from '../content/content.ts'
import { pageOf, pageOutput, entryOutput, type Entry } from '../content/entry.ts'
import { fileError, shown } from './failures.ts'
import {
  appendBytes,
  describePlace,
  listPaths,
  makeFolder,
  move as moveTo,
  readBytes,
  remove,
  streamFile,
  writeWhole,
} from './operations.ts'
import { RootedFolder } from './rooted-folder.ts'
import {
  copyInput,
  copyOutput,
  deleteInput,
  deleteOutput,
  existsOutput,
  fileConfig,
  listInput,
  mkdirInput,
  mkdirOutput,
  moveInput,
  moveOutput,
  readInput,
  readOutput,
  statInput,
  writeInput,
  writeOutput,
} from './schemas.ts'

/** An open file connection. */
export interface FileClient {
  readonly root: RootedFolder
  readonly readOnly: boolean
}

type Context = ActionContext<FileClient>

function writable({ client, connection, signal }: Context): RootedFolder {
  signal.throwIfAborted()
  if (!client.readOnly) return client.root
  throw fileError('file_read_only', `The connection "${connection}" has read_only: true, and this action writes.`)
}

function readable({ client, signal }: Context): RootedFolder {
  signal.throwIfAborted()
  return client.root
}

const read = defineAction({
  description: 'Reads a file, or a part of it.',
  input: readInput,
  output: readOutput,
  effect: 'read',
  idempotency: 'natural',
  example: `
- file.read:
    id: report
    connection: main
    path: reports/\${inputs.day}.csv
    outputs: [content]`,
  async run(context: Context, { path, encoding, offset, length, max_bytes }) {
    const options = { offset, length, maxBytes: max_bytes, signal: context.signal }
    const result = await readBytes(readable(context), path, options)
    return {
      path: result.path,
      content: contentOf(result.bytes, encoding, `The file ${shown(path)}`),
      size: result.stats.size,
      modified_at: result.stats.mtime.toISOString(),
    }
  },
})

const write = defineAction({
  description: 'Writes a file, replacing one that is there. Others see the old content or the new one, never a part.',
  input: writeInput,
  output: writeOutput,
  effect: 'write',
  idempotency: 'natural',
  example: `
- file.write:
    connection: main
    path: reports/\${inputs.day}.json
    content: \${JSON.stringify(inputs.report)}`,
  run: (context: Context, { path, content }) =>
    writeWhole(writable(context), path, [bytesOf(content)], { mode: 'replace', signal: context.signal }),
})

const create = defineAction({
  description:
    'Writes a new file; `file_exists` when something has that name. A repeated attempt fails on its own file.',
  input: writeInput,
  output: writeOutput,
  effect: 'write',
  idempotency: 'none',
  run: (context: Context, { path, content }) =>
    writeWhole(writable(context), path, [bytesOf(content)], { mode: 'create', signal: context.signal }),
})

const append = defineAction({
  description: 'Adds to the end of a file, which is made where it is missing. A repeated attempt adds again.',
  input: writeInput,
  output: writeOutput,
  effect: 'write',
  idempotency: 'none',
  run: (context: Context, { path, content }) => appendBytes(writable(context), path, bytesOf(content)),
})

const list = defineAction({
  description: 'Lists what is in a folder, sorted by path, page by page.',
  input: listInput,
  output: pageOutput,
  effect: 'read',
  idempotency: 'natural',
  example: `
- file.list:
    id: reports
    connection: main
    path: reports
    pattern: "*.csv"
    outputs: [entries, next_cursor]`,
  pages: {
    items: 'entries',
    next: (input, output) => (output.next_cursor === null ? null : { ...input, cursor: output.next_cursor }),
  },
  async run(context: Context, { path, pattern, recursive, limit, cursor }) {
    const root = readable(context)
    const page = pageOf(await listPaths(root, path, { pattern, recursive, signal: context.signal }), { cursor, limit })
    const entries: Entry[] = []
    for (const found of page.entries) {
      context.signal.throwIfAborted()
      const entry = await root.at(found.path, describePlace, { follow: false })
      // Null: removed since the folder was read.
      if (entry !== null) entries.push(entry)
    }
    return { entries, next_cursor: page.next_cursor }
  },
})

const del = defineAction({
  description: 'Deletes a file, a link or a folder. What is not there is deleted already.',
  input: deleteInput,
  output: deleteOutput,
  effect: 'destructive',
  idempotency: 'natural',
  async run(context: Context, { path, recursive }) {
    return { deleted: await remove(writable(context), path, { recursive, signal: context.signal }) }
  },
})

const move = defineAction({
  description: 'Moves or renames a file or a folder. A repeated attempt finds nothing to move.',
  input: moveInput,
  output: moveOutput,
  effect: 'write',
  idempotency: 'none',
  async run(context: Context, { from, to, overwrite }) {
    return { path: await moveTo(writable(context), from, to, overwrite) }
  },
})

const copy = defineAction({
  description: 'Copies a file, replacing one that is there.',
  input: copyInput,
  output: copyOutput,
  effect: 'write',
  idempotency: 'natural',
  run(context: Context, { from, to }) {
    const root = writable(context)
    return streamFile(root, from, (stream) => writeWhole(root, to, stream, { mode: 'replace', signal: context.signal }))
  },
})

const stat = defineAction({
  description: 'Says type, size and time of a file, folder or link; `file_not_found` when there is none.',
  input: statInput,
  output: entryOutput,
  effect: 'read',
  idempotency: 'natural',
  async run(context: Context, { path }) {
    const entry = await readable(context).at(path, describePlace, { follow: false })
    if (entry === null) throw fileError('file_not_found', `${shown(path)} does not exist.`, { data: { path } })
    return entry
  },
})

const exists = defineAction({
  description: 'Says whether a file, folder or link exists, and which of them it is.',
  input: statInput,
  output: existsOutput,
  effect: 'read',
  idempotency: 'natural',
  async run(context: Context, { path }) {
    const entry = await readable(context)
      .at(path, describePlace, { follow: false })
      .catch((error: unknown) => {
        if ((error as { code?: unknown }).code === 'file_not_found') return null
        throw error
      })
    return { exists: entry !== null, type: entry?.type ?? null }
  },
})

const mkdir = defineAction({
  description: 'Makes a folder, and those above it.',
  input: mkdirInput,
  output: mkdirOutput,
  effect: 'write',
  idempotency: 'natural',
  run: (context: Context, { path }) => makeFolder(writable(context), path),
})

const NOTES = `
**The root.** Paths are below \`root\`, a folder inside the project folder: not that folder itself (it holds flows, tasks and
secrets), nor \`.plugwork\`, \`.git\` or \`node_modules\`. \`..\`, absolute paths and links that lead outside are refused; links inside
are followed, except by \`delete\`, \`move\`, \`stat\` and \`exists\`, which mean the link itself. On Linux each folder of a path is
opened in turn without following links, so nobody who swaps one for a link gets further; on other systems the path is checked, then
used. Devices, pipes and sockets are refused. Hard links cannot be told from files: keep the root to the flows.

**Writing.** \`write\`, \`create\` and \`copy\` write a temporary file beside the target, force it to disk and rename it; a process that
dies in between leaves a hidden \`.plugwork-….tmp\`. \`append\` is forced to disk but is not atomic.

**Repeating.** \`write\`, \`copy\`, \`delete\` and \`mkdir\` can be repeated; \`create\`, \`append\` and \`move\` cannot, and say so: after a
crash the step's \`on_interrupt\` decides.

**Limits.** 16 MiB a content (8 MiB unless \`max_bytes\` says otherwise; \`offset\` and \`length\` read larger files in parts), 10,000
entries a page, 100,000 entries that one list or delete looks through.`

/** Files below a folder: `file.read`, `write`, `create`, `append`, `list`, `delete`, `move`, `copy`, `stat`, `exists`, `mkdir`. */
export const file = defineConnector({
  name: 'file',
  title: 'Files',
  description: 'Reads and writes files of this machine, below one folder.',
  version: '1.0.0',
  prefixes: ['file'],
  config: fileConfig,
  notes: NOTES,
  async connect(config, { directory, name }): Promise<FileClient> {
    const options = { directory, root: config.root, setting: 'root', connection: name, create: !config.read_only }
    return { root: await RootedFolder.open(options), readOnly: config.read_only }
  },
  async test({ root, readOnly }) {
    await root.folder('', () => Promise.resolve())
    return { message: `The root ${root.path} can be read${readOnly ? ', and is not written to' : ''}.` }
  },
  actions: { read, write, create, append, list, delete: del, move, copy, stat, exists, mkdir },
  scaffold: ({ name }) => `  ${name}:
    type: file
    root: ./files
`,
  example: ({ name }) => ({
    fileName: 'file_example.flow.yaml',
    source: `flow: FileExample
description: Writes a greeting below ./files, reads it back and lists the folder. Runs as it is.
connections:
  ${name}: { type: file, root: ./files }
inputs:
  - { name: who, type: string, default: world }
steps:
  - file.write:
      connection: ${name}
      path: greetings/hello.txt
      content: Hello, \${inputs.who}!
  - file.read:
      id: greeting
      connection: ${name}
      path: greetings/hello.txt
      outputs: [content, size]
  - file.list:
      id: folder
      connection: ${name}
      path: greetings
      pattern: "*.txt"
      outputs: [entries]
outputs:
  - { name: greeting, value: "\${greeting.content}" }
  - { name: files, value: "\${folder.entries.map(entry => entry.path)}" }
`,
  }),
})
