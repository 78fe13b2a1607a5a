/** The sftp connector: files on servers that speak SSH. */
import { defineAction, defineConnector, type ActionContext } from '@plugwork/core/node'
import { remoteFileActions } from '../content/remote-files.ts'
import { openSsh, SSH2, type SshConnection } from '../ssh/connection.ts'
import * as operations from './operations.ts'
import { sftpConfig, statInput, statOutput } from './schemas.ts'

type Context = ActionContext<SshConnection>

const callOf = ({ client, signal }: Context): operations.Call => ({ connection: client, signal })

const stat = defineAction({
  description: 'Says type, size and time of a file, folder or link.',
  input: statInput,
  output: statOutput,
  effect: 'read',
  idempotency: 'natural',
  run: (context: Context, { path }) => operations.statFile(callOf(context), path),
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
    const { path } = await operations.statFile({ connection, signal }, '')
    return { message: `${connection.host} let us in; ${path} is there.` }
  },
  actions: { ...remoteFileActions('sftp', operations, callOf), stat },
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
