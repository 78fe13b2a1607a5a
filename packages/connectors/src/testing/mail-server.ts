/** A mail server for tests that keeps what it was sent. */
import type { AddressInfo } from 'node:net'
import PostalMime, { type Email } from 'postal-mime'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'

export interface ReceivedMail {
  readonly from: string
  readonly recipients: readonly string[]
  readonly raw: string
  readonly email: Email
  readonly secure: boolean
  readonly user: string | undefined
}

export interface MailServer {
  readonly port: number
  readonly received: ReceivedMail[]
  /** Connections so far. */
  readonly connections: () => number
  close(): Promise<void>
}

const USER = 'app@example.com'
const PASSWORD = 'open sesame'

/** Takes mail from `app@example.com` with `open sesame`; refuses recipients that begin with `refused` (550) or `later` (450). */
export async function startMail(options: SMTPServerOptions = {}, port = 0): Promise<MailServer> {
  const received: ReceivedMail[] = []
  let connections = 0
  const server = new SMTPServer({
    authOptional: true,
    allowInsecureAuth: true,
    disableReverseLookup: true,
    logger: false,
    closeTimeout: 200,
    onConnect(_session, done) {
      connections += 1
      done()
    },
    onAuth({ username, password }, _session, done) {
      if (username === USER && password === PASSWORD) done(null, { user: USER })
      else done(Object.assign(new Error('Invalid user or password'), { responseCode: 535 }))
    },
    onRcptTo({ address }, _session, done) {
      if (address.startsWith('refused')) done(Object.assign(new Error('No such user here'), { responseCode: 550 }))
      else if (address.startsWith('later')) done(Object.assign(new Error('Greylisted'), { responseCode: 450 }))
      else done()
    },
    onData(stream, session, done) {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        const raw = Buffer.concat(chunks)
        void PostalMime.parse(raw).then((email) => {
          const { mailFrom, rcptTo } = session.envelope
          received.push({
            from: mailFrom === false ? '' : mailFrom.address,
            recipients: rcptTo.map(({ address }) => address),
            raw: raw.toString('latin1'),
            email,
            secure: session.secure,
            user: session.user === undefined ? undefined : String(session.user),
          })
          done(null, 'kept')
        })
      })
    },
    ...options,
  })
  server.on('error', () => undefined)
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return {
    port: (server.server.address() as AddressInfo).port,
    received,
    connections: () => connections,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}
