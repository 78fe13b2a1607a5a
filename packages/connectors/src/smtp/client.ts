/** An open smtp connection: nodemailer's pool on sockets of the guarded egress, and what its errors mean here. */
import { isIP, type Socket } from 'node:net'
import { hostname } from 'node:os'
import type { createTransport as CreateTransport } from 'nodemailer'
import { PlugworkError } from '@plugwork/core'
import type { ConnectContext, PackageNeed } from '@plugwork/core/node'
import { LocalFolder } from '../content/transfer.ts'
import { milliseconds } from '../network-settings.ts'
import { loadPackage } from '../optional-package.ts'
import { ERRORS, type SmtpErrorCode } from './errors.ts'
import type { SmtpConfig } from './schemas.ts'

export const NODEMAILER: PackageNeed = { name: 'nodemailer', range: '^10.6.0' }
const IMPLICIT_PORT = 465
const MESSAGES_PER_CONNECTION = 100

/** What `getSocket` gives its socket to. */
type Give = (error: Error | null, socket?: { readonly connection: Socket }) => void

type Transport = ReturnType<typeof openPool>

export interface SmtpConnection {
  readonly transport: Transport
  readonly name: string
  readonly target: string
  readonly from: string | undefined
  /** Domain of Message-IDs. */
  readonly domain: string
  readonly local: LocalFolder
}

export function smtpError(
  code: SmtpErrorCode,
  message: string,
  options: ConstructorParameters<typeof PlugworkError>[2] = {},
) {
  return new PlugworkError(code, message, { retryable: ERRORS[code].retryable, ...options })
}

/** Makes the pool; nothing is sent. Throws `smtp_config` and `smtp_package`. */
export async function openSmtp(config: SmtpConfig, context: ConnectContext): Promise<SmtpConnection> {
  const { name, egress, directory } = context
  const { host, port } = config
  const security = config.security ?? defaultSecurity(config)
  checkSettings(config, security, name)
  const { createTransport } = await loadPackage('smtp', NODEMAILER, directory, () => import('nodemailer'))
  const transport = openPool(createTransport, config, security, (timeoutMs) =>
    egress.connect({ host, port, timeoutMs }),
  )
  // Errors of idle connections; sending reports its own.
  transport.on('error', () => undefined)
  const local = new LocalFolder({ directory, root: config.local_root, connection: name })
  return { transport, name, target: `${host}:${port}`, from: config.from, domain: domainOf(config), local }
}

function openPool(
  createTransport: typeof CreateTransport,
  config: SmtpConfig,
  security: NonNullable<SmtpConfig['security']>,
  dial: (timeoutMs: number) => Promise<Socket>,
) {
  const timeoutMs = milliseconds(config.timeout)
  const { user, password } = config
  return createTransport({
    pool: true,
    host: config.host,
    port: config.port,
    secure: security === 'implicit',
    requireTLS: security === 'starttls',
    ignoreTLS: security === 'none',
    maxConnections: config.max_connections,
    maxMessages: MESSAGES_PER_CONNECTION,
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    // A message never makes us read files or fetch URLs by itself.
    disableFileAccess: true,
    disableUrlAccess: true,
    tls: {
      minVersion: 'TLSv1.2',
      ...(config.ca === undefined ? {} : { ca: config.ca }),
      ...(config.server_name === undefined ? {} : { servername: config.server_name }),
    },
    ...(config.hello_name === undefined ? {} : { name: config.hello_name }),
    ...(user === undefined || password === undefined ? {} : { auth: { user, pass: password } }),
    getSocket(_options: unknown, give: Give) {
      dial(timeoutMs).then(
        (connection) => give(null, { connection }),
        (error: Error) => give(error),
      )
    },
  })
}

const isThisMachine = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))

function defaultSecurity({ host, port }: SmtpConfig): NonNullable<SmtpConfig['security']> {
  if (port === IMPLICIT_PORT) return 'implicit'
  return isThisMachine(host) ? 'none' : 'starttls'
}

function checkSettings({ host, user, password }: SmtpConfig, security: string, name: string): void {
  if ((user === undefined) !== (password === undefined)) {
    const [given, missing] = user === undefined ? ['password', 'user'] : ['user', 'password']
    throw smtpError(
      'smtp_config',
      `The connection "${name}" has ${given} but no ${missing}. Add it, or leave both out.`,
    )
  }
  if (security === 'none' && password !== undefined && !isThisMachine(host)) {
    throw smtpError(
      'smtp_config',
      `The connection "${name}" would send its password to ${host} in plain text. Use security: starttls or implicit.`,
    )
  }
}

function domainOf({ from, hello_name }: SmtpConfig): string {
  const domain = /@([^\s>@]+)>?$/.exec(from ?? '')?.[1] ?? hello_name ?? hostname()
  return domain.replaceAll(/[^\w.-]/g, '') || 'plugwork.invalid'
}

interface MailError {
  readonly code?: unknown
  readonly message: string
  readonly responseCode?: unknown
  readonly response?: unknown
  readonly command?: unknown
}

/** What nodemailer says, as an error of this area. */
export function asSmtpError({ name, target }: SmtpConnection, error: unknown): unknown {
  if (error instanceof PlugworkError) return error
  const { code, message, responseCode, response } = error as MailError
  const where = `The mail server ${target} of connection "${name}"`
  const data = {
    response_code: typeof responseCode === 'number' ? responseCode : null,
    response: typeof response === 'string' ? response : null,
  }
  const options = { cause: error, data }
  if (code === 'EAUTH' || code === 'ENOAUTH') {
    return smtpError('smtp_auth', `${where} does not accept user and password: ${message}. Check both.`, options)
  }
  if (code === 'ETLS' || /certificate|self.signed|altnames|wrong version number|ssl/i.test(message)) {
    return smtpError(
      'smtp_tls',
      `${where} could not be spoken to over TLS: ${message}. Check security and port, and give ca or server_name where it has a certificate of its own.`,
      options,
    )
  }
  if (typeof responseCode === 'number') {
    const temporary = responseCode < 500
    const said = `${where} ${temporary ? 'does not take the message now' : 'refuses the message'}: ${message}.`
    return smtpError(temporary ? 'smtp_busy' : 'smtp_refused', said, options)
  }
  if (code === 'EENVELOPE' || code === 'EMESSAGE') return smtpError('smtp_message', `${where}: ${message}.`, options)
  return smtpError('smtp_broken', `${where} was lost: ${message}. The message may have been accepted.`, options)
}
