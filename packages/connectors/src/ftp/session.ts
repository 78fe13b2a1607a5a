/**
 * One logged-in FTP connection. basic-ftp speaks the protocol; every socket, of control and of data, comes from the
 * guarded egress. Data connections go to the host of the control connection, whatever address the server names.
 */
import { connect as startTls, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { isIP, type Socket } from 'node:net'
import type BasicFtp from 'basic-ftp'
import type { Client, FTPResponse } from 'basic-ftp'
import { PlugworkError } from '@plugwork/core'
import type { Egress, PackageNeed } from '@plugwork/core/node'
import { milliseconds } from '../network-settings.ts'
import { unlessAborted } from '../unless-aborted.ts'
import { ERRORS, type FtpErrorCode } from './errors.ts'
import type { FtpConfig } from './schemas.ts'

export const BASIC_FTP: PackageNeed = { name: 'basic-ftp', range: '^6.2.0' }

export function ftpError(code: FtpErrorCode, message: string, cause?: unknown): PlugworkError {
  return new PlugworkError(code, message, {
    retryable: ERRORS[code].retryable,
    ...(cause === undefined ? {} : { cause }),
  })
}

export interface SessionOptions {
  readonly ftp: typeof BasicFtp
  readonly config: FtpConfig
  readonly name: string
  readonly egress: Egress
  readonly signal: AbortSignal
}

export const portOf = ({ port, security }: FtpConfig): number => port ?? (security === 'implicit' ? 990 : 21)

/** Connects and logs in. Throws `ftp_…` and `egress_…`. */
export async function openSession(options: SessionOptions): Promise<Client> {
  const { ftp, config, name, egress, signal } = options
  const timeoutMs = milliseconds(config.timeout)
  const host = config.host
  const dial = (port: number): Promise<Socket> => egress.connect({ host, port, timeoutMs, signal })
  const client = new ftp.Client(timeoutMs)
  const tls = tlsOptions(config)
  try {
    const socket = await dial(portOf(config))
    const control = config.security === 'implicit' ? await secured(socket, tls, signal) : socket
    await unlessAborted(converse(client, control, config, tls), signal)
    client.prepareTransfer = async (context) => {
      const { port, response } = await passive(context)
      const data = await dial(port)
      // The client waits for the handshake itself: some servers begin it only after the command.
      context.dataSocket = config.security === 'none' ? data : withSession(context, data)
      return response
    }
    return client
  } catch (error) {
    client.close()
    signal.throwIfAborted()
    throw asFtpError(error, { name, target: `${host}:${portOf(config)}` })
  }
}

async function converse(client: Client, control: Socket, config: FtpConfig, tls: ConnectionOptions): Promise<void> {
  client.ftp.socket = control
  if (config.security === 'implicit') client.ftp.tlsOptions = tls
  await client.ftp.handle(undefined, (answer, task) => {
    if (answer instanceof Error) task.reject(answer)
    else task.resolve(answer)
  })
  if (config.security === 'explicit') await encrypted(client, config, tls)
  await client.login(config.user, config.password)
  await client.useDefaultSettings()
}

/** AUTH TLS. Servers without TLS refuse it with any code, even as if somebody had to log in first. */
async function encrypted(client: Client, { host }: FtpConfig, tls: ConnectionOptions): Promise<void> {
  try {
    await client.useTLS(tls)
  } catch (error) {
    if (typeof (error as { code?: unknown }).code !== 'number') throw error
    throw ftpError(
      'ftp_tls',
      `The FTP server ${host} offers no TLS (${(error as Error).message}). Use another server, or security: none, which everybody on the way can read.`,
      error,
    )
  }
}

function tlsOptions({ host, ca, server_name }: FtpConfig): ConnectionOptions {
  return {
    minVersion: 'TLSv1.2',
    // The identity that the certificate is checked against, and that sessions belong to.
    host: server_name ?? host,
    ...(ca === undefined ? {} : { ca }),
    ...(isIP(server_name ?? host) === 0 ? { servername: server_name ?? host } : {}),
  }
}

function secured(socket: Socket, tls: ConnectionOptions, signal: AbortSignal): Promise<TLSSocket> {
  const wrapped = startTls({ ...tls, socket })
  return unlessAborted(
    new Promise<TLSSocket>((resolve, reject) => {
      wrapped.once('error', reject).once('secureConnect', () => {
        wrapped.removeListener('error', reject)
        resolve(wrapped)
      })
    }),
    signal,
  ).catch((error: unknown) => {
    wrapped.destroy()
    throw error
  })
}

type Context = Client['ftp']

/** TLS for a data connection in the session of the control connection, which servers ask for. */
function withSession(context: Context, socket: Socket): TLSSocket {
  const control = context.socket as TLSSocket
  const session = context.tlsSessionStore ?? control.getSession()
  const data = startTls({ ...context.tlsOptions, socket, ...(session === undefined ? {} : { session }) })
  data.on('session', (fresh) => {
    context.tlsSessionStore = fresh
  })
  // The client begins an upload once there is a cipher. A resumed session names one before the handshake is over, and an
  // empty upload would close the connection in the middle of it.
  const getCipher = data.getCipher.bind(data)
  let isSecure = false
  data.once('secureConnect', () => {
    isSecure = true
  })
  Object.defineProperty(data, 'getCipher', { value: () => (isSecure ? getCipher() : undefined) })
  return data
}

/** Asks for a passive port: EPSV (RFC 2428), else PASV (RFC 959), of whose answer only the port is taken. */
async function passive(context: Context): Promise<{ readonly port: number; readonly response: FTPResponse }> {
  try {
    const response = await context.request('EPSV')
    const port = /\((.)\1\1(\d{1,5})\1\)/.exec(response.message)?.[2]
    if (port !== undefined) return { port: Number(port), response }
  } catch (error) {
    // A server that does not know it says so; anything else is a failure of the connection.
    if ((error as { code?: unknown }).code !== 500 && (error as { code?: unknown }).code !== 502) throw error
  }
  const response = await context.request('PASV')
  const [, high, low] = /(?:\d{1,3},){4}(\d{1,3}),(\d{1,3})/.exec(response.message) ?? []
  if (high === undefined || low === undefined) throw ftpError('ftp_refused', 'The server names no port for data.')
  return { port: Number(high) * 256 + Number(low), response }
}

/** What went wrong, as an error of this area. `path` names what was asked for. */
export function asFtpError(
  error: unknown,
  where: { readonly name: string; readonly target: string; readonly path?: string },
): unknown {
  if (error instanceof PlugworkError) return error
  const { code, message } = error as { code?: unknown; message: string }
  const server = `The FTP server ${where.target} of connection "${where.name}"`
  if (typeof code === 'number') {
    const said = message.replaceAll(/\s+/g, ' ')
    if (code === 530 || code === 331 || code === 332) {
      return ftpError(
        'ftp_auth',
        `${server} does not accept user and password (${said}). Check both, and security.`,
        error,
      )
    }
    if (code === 550 || code === 551) {
      return ftpError(
        'ftp_not_found',
        `${where.path ?? 'A path'} does not exist on ${where.target}, or is closed to this user (${said}).`,
        error,
      )
    }
    if (code < 500) return ftpError('ftp_busy', `${server} does not take it now (${said}).`, error)
    return ftpError('ftp_refused', `${server} refuses it (${said}).`, error)
  }
  if (/certificate|altnames|self.signed|ssl|tls|wrong version number/i.test(`${String(code)} ${message}`)) {
    return ftpError(
      'ftp_tls',
      `${server} could not be spoken to over TLS: ${message}. Check security and port, and give ca or server_name where it has a certificate of its own.`,
      error,
    )
  }
  if (/timeout/i.test(message)) return ftpError('ftp_timeout', `${server} was silent for too long: ${message}.`, error)
  return new PlugworkError('connection_lost', `${server} is gone: ${message}. The next use opens a new connection.`, {
    retryable: true,
    cause: error,
  })
}
