/** What the tests of ssh and sftp share: a config for the started OpenSSH server. */
import type { SshServer } from '@plugwork/test-services/sshd'

export const sshSettings = ({ host, port, user, privateKey, hostKey }: SshServer) => ({
  host,
  port,
  user,
  private_key: privateKey,
  host_key: hostKey,
})

/** An example flow with its placeholder server replaced by the started one. */
export function onServer(source: string, { host, port, user, hostKey }: SshServer): string {
  return source
    .replace(/host: \w+\.example\.com/, `host: ${host}`)
    .replace('port: 22', `port: ${port}`)
    .replace(/user: \w+/, `user: ${user}`)
    .replace(/host_key: \S+/, `host_key: ${hostKey}`)
}
