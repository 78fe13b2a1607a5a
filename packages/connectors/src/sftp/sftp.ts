/** The sftp connector: files on servers that speak SSH. */
import { matchesGlob } from 'node:path'
import { defineAction, defineConnector, type ActionContext } from '@plugwork/core/node'
import { pageOf } from '../content/entry.ts'
import { openSsh, SSH2, type SshConnection } from '../ssh/connection.ts'
import { getFile, listFolder, makeFolder, putFile, removeFile, renameFile, statFile, type Call } from './operations.ts'
import {
  deleteInput,
  deleteOutput,
  getInput,
  getOutput,
  listInput,
  listOutput,
  mkdirInput,
  mkdirOutput,
  putInput,
  putOutput,
  renameInput,
  renameOutput,
  sftpConfig,
  statInput,
  statOutput,
} from './schemas.ts'

type Context = ActionContext<SshConnection>

const callOf = ({ client, signal }: Context): Call => ({ connection: client, signal })

const list = defineAction({
  description: 'Lists a folder, sorted by name, page by page.',
  input: listInput,
  output: listOutput,
  effect: 'read',
  idempotency: 'natural',
  example: `
- sftp.list:
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
    const entries = await listFolder(callOf(context), path)
    const wanted = pattern === undefined ? entries : entries.filter(({ name }) => matchesGlob(name, pattern))
    return pageOf(wanted, { limit, cursor })
  },
})

const get = defineAction({
  description: 'Reads a file: as content, or into a local file of any size.',
  input: getInput,
  output: getOutput,
  effect: 'read',
  idempotency: 'natural',
  example: `
- sftp.get:
    id: report
    connection: main
    path: reports/\${inputs.day}.csv
    outputs: [content]`,
  run: (context: Context, { path, ...target }) => getFile(callOf(context), path, target),
})

const put = defineAction({
  description: 'Writes a file, replacing one that is there: from content, or from a local file of any size.',
  input: putInput,
  output: putOutput,
  effect: 'write',
  idempotency: 'natural',
  example: `
- sftp.put:
    connection: main
    path: outgoing/orders.csv
    content: \${inputs.csv}`,
  run: (context: Context, { path, ...source }) => putFile(callOf(context), path, source),
})

const del = defineAction({
  description: 'Deletes a file, a link or an empty folder. What is not there is deleted already.',
  input: deleteInput,
  output: deleteOutput,
  effect: 'destructive',
  idempotency: 'natural',
  async run(context: Context, { path }) {
    return { deleted: await removeFile(callOf(context), path) }
  },
})

const rename = defineAction({
  description: 'Moves or renames a file or a folder. A repeated attempt finds nothing to move.',
  input: renameInput,
  output: renameOutput,
  effect: 'write',
  idempotency: 'none',
  async run(context: Context, { from, to, overwrite }) {
    return { path: await renameFile(callOf(context), from, to, overwrite) }
  },
})

const mkdir = defineAction({
  description: 'Makes a folder, and those above it.',
  input: mkdirInput,
  output: mkdirOutput,
  effect: 'write',
  idempotency: 'natural',
  run: (context: Context, { path }) => makeFolder(callOf(context), path),
})

const stat = defineAction({
  description: 'Says type, size and time of a file, folder or link.',
  input: statInput,
  output: statOutput,
  effect: 'read',
  idempotency: 'natural',
  run: (context: Context, { path }) => statFile(callOf(context), path),
})

const NOTES = `
**The host key is pinned.** \`host_key\` is the fingerprint that \`ssh-keyscan HOST | ssh-keygen -lf -\` shows; compare it with what the
server's operator says. Another key is an error that names both. \`accept_any\` must be spelled out, and talks to whoever answers.

**Paths** are as the server understands them, from the login folder; with \`root\` they are below it. \`..\` is refused: values of inputs do
not climb. Links on the server are the server's: only it can keep a user inside a folder.

**Writing.** \`put\` writes \`NAME.plugwork-….tmp\` and renames it over the old file (in one step on OpenSSH; elsewhere the old file is
removed first), so nobody reads a part; \`atomic: false\` writes in place. \`put\`, \`delete\` and \`mkdir\` can be repeated; \`rename\` cannot.

**Limits.** 16 MiB content (8 MiB unless \`max_bytes\` says otherwise); local files of any size below \`local_root\`; 100,000 entries a
folder. Each action opens a channel on the shared connection; a connection that breaks is replaced at the next use. Connections go
through the guarded egress: private addresses must be allowed (\`PLUGWORK_EGRESS_ALLOW\`).`

/** Files over SSH: `sftp.list`, `get`, `put`, `delete`, `rename`, `mkdir`, `stat`. */
export const sftp = defineConnector({
  name: 'sftp',
  title: 'SFTP',
  description: 'Reads and writes files on servers that speak SSH.',
  version: '1.0.0',
  prefixes: ['sftp'],
  packages: [SSH2],
  config: sftpConfig,
  notes: NOTES,
  connect: (config, context) => openSsh(config, context),
  disconnect: (connection) => connection.close(),
  healthy: (connection) => connection.healthy,
  async test(connection, { signal }) {
    const { path } = await statFile({ connection, signal }, '')
    return { message: `${connection.host} let us in; ${path} is there.` }
  },
  actions: { list, get, put, delete: del, rename, mkdir, stat },
  scaffold: ({ name }) => `  ${name}:
    type: sftp
    host: files.example.com
    user: partner
    host_key: SHA256:uNiVztksCsDhcc0u9e8BrrJXVGDhvQsyGtWMvH6uzWk
    private_key: "\${secrets.SFTP_KEY}"
`,
  example: ({ name }) => ({
    fileName: 'sftp_example.flow.yaml',
    source: `flow: SftpExample
description: Delivers a file to a partner's server, and lists what is there.
connections:
  ${name}:
    type: sftp
    host: files.example.com
    port: 22
    user: partner
    host_key: SHA256:uNiVztksCsDhcc0u9e8BrrJXVGDhvQsyGtWMvH6uzWk
    private_key: "\${secrets.SFTP_KEY}"
inputs:
  - { name: folder, type: string, default: outgoing }
  - { name: csv, type: string, default: "sku,quantity\\napple,5\\n" }
steps:
  - sftp.mkdir:
      connection: ${name}
      path: \${inputs.folder}
  - sftp.put:
      connection: ${name}
      path: \${inputs.folder}/orders.csv
      content: \${inputs.csv}
  - sftp.list:
      id: there
      connection: ${name}
      path: \${inputs.folder}
      pattern: "*.csv"
      outputs: [entries]
  - sftp.get:
      id: delivered
      connection: ${name}
      path: \${inputs.folder}/orders.csv
      outputs: [content]
outputs:
  - { name: names, value: "\${there.entries.map(entry => entry.name)}" }
  - { name: content, value: "\${delivered.content}" }
`,
  }),
})
