/** An OpenSSH server of the tests' own: its own host key, one authorised key, the user that runs the tests. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { requireBinary } from './binaries.ts'
import { startBinary } from './daemon.ts'

export interface SshServer {
  readonly host: string
  readonly port: number
  readonly user: string
  /** OpenSSH format, without passphrase. */
  readonly privateKey: string
  /** The same key, encrypted with `passphrase`. */
  readonly encryptedKey: string
  readonly passphrase: string
  /** `SHA256:…` of the host key. */
  readonly hostKey: string
  /** Empty folder that the user may write to; gone with the server. */
  readonly directory: string
  /** What the server logged. */
  output(): string
  stop(): Promise<void>
}

const PASSPHRASE = 'correct horse'

/** Starts an OpenSSH server on a free port of 127.0.0.1; installs the package where it is missing and that is possible. */
export async function sshd(): Promise<SshServer> {
  const binary = await requireBinary({ names: ['sshd'], packageName: 'openssh-server' })
  // It insists on this folder when it runs as root.
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 })
  let keys: Keys | null = null
  const daemon = await startBinary({
    name: 'sshd',
    command({ directory, port }) {
      keys = makeKeys(directory)
      const file = join(directory, 'sshd_config')
      writeFileSync(file, configOf(directory, port).join('\n'))
      return { command: binary, args: ['-D', '-e', '-f', file] }
    },
  })
  const folder = join(realpathSync(daemon.directory), 'work')
  mkdirSync(folder)
  return {
    ...keys!,
    host: '127.0.0.1',
    port: daemon.port,
    user: userInfo().username,
    passphrase: PASSPHRASE,
    directory: folder,
    output: () => daemon.output(),
    stop: () => daemon.stop(),
  }
}

interface Keys {
  readonly privateKey: string
  readonly encryptedKey: string
  readonly hostKey: string
}

function makeKeys(directory: string): Keys {
  const at = (name: string): string => join(directory, name)
  const keygen = (...args: readonly string[]): string => execFileSync('ssh-keygen', args, { encoding: 'utf8' })
  keygen('-q', '-t', 'ed25519', '-N', '', '-f', at('host'))
  keygen('-q', '-t', 'ed25519', '-N', '', '-f', at('user'))
  writeFileSync(at('authorized_keys'), readFileSync(at('user.pub')))
  const privateKey = readFileSync(at('user'), 'utf8')
  keygen('-q', '-p', '-P', '', '-N', PASSPHRASE, '-f', at('user'))
  return {
    privateKey,
    encryptedKey: readFileSync(at('user'), 'utf8'),
    hostKey: /SHA256:\S+/.exec(keygen('-l', '-E', 'sha256', '-f', at('host.pub')))![0],
  }
}

const configOf = (directory: string, port: number): string[] => [
  `Port ${port}`,
  'ListenAddress 127.0.0.1',
  `HostKey ${join(directory, 'host')}`,
  `AuthorizedKeysFile ${join(directory, 'authorized_keys')}`,
  `PidFile ${join(directory, 'pid')}`,
  // The folder is below /tmp, which everybody may write to.
  'StrictModes no',
  'UsePAM no',
  'PasswordAuthentication no',
  'KbdInteractiveAuthentication no',
  'PermitRootLogin prohibit-password',
  'PrintMotd no',
  'Subsystem sftp internal-sftp',
  'LogLevel VERBOSE',
  '',
]
