/** The ssh connector: commands on other machines, and files to and from them. */
import { defineAction, defineConnector, type ActionContext } from '@plugwork/core/node'
import { getFile, putFile } from '../sftp/operations.ts'
import { execute } from './command.ts'
import { openSsh, SSH2, type SshConnection } from './connection.ts'
import {
  downloadInput,
  downloadOutput,
  execInput,
  execOutput,
  sshConfig,
  uploadInput,
  uploadOutput,
} from './schemas.ts'

type Context = ActionContext<SshConnection>

const exec = defineAction({
  description: 'Runs a command and waits for its end.',
  input: execInput,
  output: execOutput,
  effect: 'destructive',
  idempotency: 'none',
  example: `
- ssh.exec:
    id: backup
    connection: main
    command: /usr/local/bin/backup --verbose
    args: ["\${inputs.database}", --to, "\${inputs.target}"]
    time_limit: 1h
    outputs: [stdout, exit_code]`,
  run: ({ client, signal }: Context, input) => execute(client, input, signal),
})

const upload = defineAction({
  description:
    'Writes a file on the server, replacing one that is there: from content, or from a local file of any size.',
  input: uploadInput,
  output: uploadOutput,
  effect: 'write',
  idempotency: 'natural',
  example: `
- ssh.upload:
    connection: main
    path: /srv/site/index.html
    file: site/index.html`,
  run: ({ client, signal }: Context, { path, ...source }) =>
    putFile({ connection: client, signal }, path, { ...source, atomic: true }),
})

const download = defineAction({
  description: 'Reads a file of the server: as content, or into a local file of any size.',
  input: downloadInput,
  output: downloadOutput,
  effect: 'read',
  idempotency: 'natural',
  example: `
- ssh.download:
    id: log
    connection: main
    path: /var/log/app.log
    to_file: logs/app.log
    outputs: [size]`,
  run: ({ client, signal }: Context, { path, ...target }) => getFile({ connection: client, signal }, path, target),
})

const NOTES = `
**The host key is pinned.** \`host_key\` is the fingerprint that \`ssh-keyscan HOST | ssh-keygen -lf -\` shows; compare it with what the
server's operator says. Another key is an error that names both. \`accept_any\` must be spelled out, and talks to whoever answers.

**Commands.** \`command\` is text for the server's shell and belongs to the flow's author. Never put \`\${…}\` into it: what stands in a
value would be run. Values belong into \`args\` (each is quoted and stays one word) or \`env\`. The server needs a POSIX \`sh\`.
What a shell runs can be seen by other users of that machine: give secrets as \`stdin\`.

**Ends.** A command that is cancelled, whose step times out, that runs past \`time_limit\` or prints past \`max_output_bytes\` is killed on
the server with all of its process group (the shell says its process id in a first line on stderr, which is left out of the
answer), then its channel is closed. Nothing says whether a
command that was interrupted did its work, so \`exec\` is never repeated by itself. A connection that breaks is replaced at the next use.

**Limits.** 8 MiB of stdout and stderr each (1 MiB unless \`max_output_bytes\` says otherwise), 16 MiB content; local files of any size
below \`local_root\`. Connections go through the guarded egress: private addresses must be allowed (\`PLUGWORK_EGRESS_ALLOW\`).`

/** Commands on other machines: `ssh.exec`, `ssh.upload`, `ssh.download`. */
export const ssh = defineConnector({
  name: 'ssh',
  title: 'SSH',
  description: 'Runs commands on other machines and moves files to and from them.',
  version: '1.0.0',
  prefixes: ['ssh'],
  packages: [SSH2],
  config: sshConfig,
  notes: NOTES,
  connect: (config, context) => openSsh(config, context),
  disconnect: (connection) => connection.close(),
  healthy: (connection) => connection.healthy,
  async test(connection, { signal }) {
    await connection
      .sftp(signal, () => Promise.resolve())
      .catch(async (error: unknown) => {
        // A server without SFTP can still run commands.
        if ((error as { code?: unknown }).code !== 'ssh_failed') throw error
        const input = execInput.parse({ command: 'true', time_limit: '10s', fail_on_exit: false })
        await execute(connection, input, signal)
      })
    return { message: `${connection.host} let us in.` }
  },
  actions: { exec, upload, download },
  scaffold: ({ name }) => `  ${name}:
    type: ssh
    host: server.example.com
    user: deploy
    host_key: SHA256:uNiVztksCsDhcc0u9e8BrrJXVGDhvQsyGtWMvH6uzWk
    private_key: "\${secrets.SSH_KEY}"
`,
  example: ({ name }) => ({
    fileName: 'ssh_example.flow.yaml',
    source: `flow: SshExample
description: Uploads a text, counts its words on the server, and reads it back.
connections:
  ${name}:
    type: ssh
    host: server.example.com
    port: 22
    user: deploy
    host_key: SHA256:uNiVztksCsDhcc0u9e8BrrJXVGDhvQsyGtWMvH6uzWk
    private_key: "\${secrets.SSH_KEY}"
inputs:
  - { name: folder, type: string, default: /tmp }
  - { name: text, type: string, default: three little words }
steps:
  - ssh.upload:
      id: uploaded
      connection: ${name}
      path: \${inputs.folder}/plugwork-example.txt
      content: \${inputs.text}
      outputs: [path]
  - ssh.exec:
      id: count
      connection: ${name}
      command: wc -w
      args: ["\${uploaded.path}"]
      time_limit: 30s
      outputs: [stdout]
  - ssh.download:
      id: downloaded
      connection: ${name}
      path: \${uploaded.path}
      outputs: [content]
outputs:
  - { name: words, value: "\${Number(count.stdout.trim().split(' ')[0])}" }
  - { name: text, value: "\${downloaded.content}" }
`,
  }),
})
