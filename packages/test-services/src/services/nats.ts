import { serviceUrl } from '../broker.ts'
import { converse } from '../converse.ts'
import type { ServiceSpec } from '../locate.ts'
import { addressOf, freshName, type ServiceAddress } from './address.ts'

export interface NatsServer extends ServiceAddress {
  /** For the subjects of one test file: `prefix.something`. */
  readonly prefix: string
}

export const natsSpec: ServiceSpec = {
  name: 'nats',
  variable: 'PLUGWORK_TEST_NATS_URL',
  defaultUrl: 'nats://127.0.0.1:4222',
  async probe(url) {
    let greeted = false
    await converse({
      host: url.hostname,
      port: Number(url.port || 4222),
      sendFirst: '',
      until(received) {
        const text = received.toString()
        if (text.includes('-ERR')) throw new Error(`it answered ${text.slice(text.indexOf('-ERR')).trim()}`)
        if (greeted) return text.includes('PONG\r\n')
        if (!text.startsWith('INFO ') || !text.includes('\r\n')) return false
        greeted = true
        const login =
          url.username === '' ? {} : { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) }
        return Buffer.from(`CONNECT ${JSON.stringify({ verbose: false, pedantic: false, ...login })}\r\nPING\r\n`)
      },
    })
  },
  binary: { names: ['nats-server'], packageName: 'nats-server' },
  start: (binary) => ({
    url: (port) => `nats://127.0.0.1:${port}`,
    options: {
      name: 'nats',
      command: ({ directory, port }) => ({
        command: binary,
        args: ['-a', '127.0.0.1', '-p', `${port}`, '--jetstream', '--store_dir', directory],
      }),
    },
  }),
}

export async function nats(): Promise<NatsServer> {
  return { ...addressOf(await serviceUrl(natsSpec)), prefix: freshName() }
}
