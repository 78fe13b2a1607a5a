/** A vsftpd of the tests' own: anonymous users may write into a temporary folder; explicit TLS where a certificate is given. */
import { chmodSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { requireBinary } from './binaries.ts'
import { findUser, startBinary } from './daemon.ts'

export interface FtpServer {
  readonly host: string
  readonly port: number
  /** Logs in with any password. */
  readonly user: string
  /** What the server shows as `/pub`; writable by its users. Gone with the server. */
  readonly directory: string
  /** What the server logged. */
  output(): string
  stop(): Promise<void>
}

export interface FtpServerOptions {
  /** PEM; with it every login and every transfer must be encrypted. */
  readonly tls?: { readonly certificate: string; readonly key: string }
  /** Seconds after which a silent connection is closed. Default 300. */
  readonly idleSeconds?: number
}

/** Starts vsftpd on a free port of 127.0.0.1; needs root, as vsftpd changes its user. */
export async function vsftpd(options: FtpServerOptions = {}): Promise<FtpServer> {
  const binary = await requireBinary({ names: ['vsftpd'], packageName: 'vsftpd' })
  if (process.getuid?.() !== 0) {
    throw new Error('vsftpd changes its user and must be started by root: run these tests as root, or in a container.')
  }
  const nobody = findUser(['ftp', 'nobody'])
  if (nobody === null) throw new Error('The machine has neither the user ftp nor nobody, one of which vsftpd runs as.')
  // vsftpd insists on an empty folder for its unprivileged parts.
  mkdirSync('/run/vsftpd/empty', { recursive: true })
  const daemon = await startBinary({
    name: 'vsftpd',
    command({ directory, port }) {
      const root = join(directory, 'root')
      const pub = join(root, 'pub')
      mkdirSync(pub, { recursive: true })
      // It refuses a root that its user may write to.
      chmodSync(directory, 0o755)
      chmodSync(root, 0o555)
      chmodSync(pub, 0o777)
      const file = join(directory, 'vsftpd.conf')
      writeFileSync(file, configOf(directory, port, { ...options, user: nobody.name }).join('\n'))
      return { command: binary, args: [file] }
    },
  })
  return {
    host: '127.0.0.1',
    port: daemon.port,
    user: 'anonymous',
    directory: join(realpathSync(daemon.directory), 'root/pub'),
    output: () => daemon.output(),
    stop: () => daemon.stop(),
  }
}

function configOf(directory: string, port: number, options: FtpServerOptions & { readonly user: string }): string[] {
  const { tls, idleSeconds = 300, user } = options
  if (tls !== undefined) {
    writeFileSync(join(directory, 'certificate.pem'), tls.certificate)
    writeFileSync(join(directory, 'key.pem'), tls.key, { mode: 0o600 })
  }
  return [
    'listen=YES',
    'listen_ipv6=NO',
    'listen_address=127.0.0.1',
    `listen_port=${port}`,
    'background=NO',
    'anonymous_enable=YES',
    'local_enable=NO',
    'no_anon_password=NO',
    `ftp_username=${user}`,
    `nopriv_user=${user}`,
    `anon_root=${join(directory, 'root')}`,
    'write_enable=YES',
    'anon_upload_enable=YES',
    'anon_mkdir_write_enable=YES',
    'anon_other_write_enable=YES',
    'anon_umask=022',
    'file_open_mode=0666',
    'anon_world_readable_only=NO',
    'pasv_enable=YES',
    'pasv_address=127.0.0.1',
    'secure_chroot_dir=/run/vsftpd/empty',
    'seccomp_sandbox=NO',
    'use_localtime=NO',
    'xferlog_enable=NO',
    `idle_session_timeout=${idleSeconds}`,
    ...(tls === undefined
      ? ['ssl_enable=NO']
      : [
          'ssl_enable=YES',
          `rsa_cert_file=${join(directory, 'certificate.pem')}`,
          `rsa_private_key_file=${join(directory, 'key.pem')}`,
          'allow_anon_ssl=YES',
          'force_anon_logins_ssl=YES',
          'force_anon_data_ssl=YES',
          'ssl_sslv2=NO',
          'ssl_sslv3=NO',
          'ssl_tlsv1=YES',
          'require_ssl_reuse=YES',
          'ssl_ciphers=HIGH',
        ]),
    '',
  ]
}
