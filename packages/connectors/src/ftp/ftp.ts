/** The ftp connector: files on FTP servers, encrypted unless a connection says otherwise. */
import { defineConnector, type ActionContext } from '@plugwork/core/node'
import { remoteFileActions } from '../content/remote-files.ts'
import * as operations from './operations.ts'
import { FtpPool } from './pool.ts'
import { ftpConfig } from './schemas.ts'
import { BASIC_FTP } from './session.ts'

type Context = ActionContext<FtpPool>

const callOf = ({ client, signal }: Context): operations.Call => ({ pool: client, signal })

const NOTES = `
**Encryption.** TLS is the default: \`explicit\` asks for it before the login and uses it for files too, and fails where the server does
not offer it; certificates are checked (\`ca\` and \`server_name\` are for servers with certificates of their own). \`none\` must be spelled
out. SFTP is another protocol, with a connector of its own.

**Network.** Transfers are passive (EPSV, else PASV). Data connections go to the host of the connection, never to another address that
the server names, and like the first one through the guarded egress: private addresses must be allowed (\`PLUGWORK_EGRESS_ALLOW\`,
without a port, as the server chooses the ports).

**Paths** are as the server understands them, from the login folder; with \`root\` they are below it. \`..\` is refused: values of inputs do
not climb. FTP has one code for what is not there and what is closed to the user: both are \`ftp_not_found\`.

**Writing.** \`put\` writes \`NAME.plugwork-….tmp\` and renames it, so nobody reads a part; \`atomic: false\` writes in place. \`put\`,
\`delete\` and \`mkdir\` can be repeated; \`rename\` cannot.

**Limits.** 16 MiB content (8 MiB unless \`max_bytes\` says otherwise); local files of any size below \`local_root\`; 100,000 entries a
folder. A connection does one thing at a time; up to \`max_connections\` are open, one that broke is replaced, further steps wait.`

/** Files on FTP servers: `ftp.list`, `get`, `put`, `delete`, `rename`, `mkdir`. */
export const ftp = defineConnector({
  name: 'ftp',
  title: 'FTP',
  description: 'Reads and writes files on FTP servers.',
  version: '1.0.0',
  prefixes: ['ftp'],
  packages: [BASIC_FTP],
  config: ftpConfig,
  notes: NOTES,
  connect: (config, context) => FtpPool.open(config, context),
  disconnect: (pool) => pool.close(),
  async test(pool, { signal }) {
    const folder = await pool.use('.', signal, (client) => client.pwd())
    return { message: `${pool.target} let us in, to ${folder}.` }
  },
  actions: { ...remoteFileActions('ftp', operations, callOf) },
  scaffold: ({ name }) => `  ${name}:
    type: ftp
    host: ftp.example.com
    user: partner
    password: "\${secrets.FTP_PASSWORD}"
`,
  example: ({ name }) => ({
    fileName: 'ftp_example.flow.yaml',
    source: `flow: FtpExample
description: Delivers a file to an FTP server, and lists what is there.
connections:
  ${name}:
    type: ftp
    host: ftp.example.com
    port: 21
    user: partner
    password: "\${secrets.FTP_PASSWORD}"
    security: explicit
inputs:
  - { name: folder, type: string, default: incoming }
  - { name: csv, type: string, default: "sku,quantity\\napple,5\\n" }
steps:
  - ftp.mkdir:
      connection: ${name}
      path: \${inputs.folder}
  - ftp.put:
      connection: ${name}
      path: \${inputs.folder}/orders.csv
      content: \${inputs.csv}
  - ftp.list:
      id: there
      connection: ${name}
      path: \${inputs.folder}
      pattern: "*.csv"
      outputs: [entries]
  - ftp.get:
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
