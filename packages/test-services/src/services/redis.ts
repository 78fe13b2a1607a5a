import { serviceUrl } from '../broker.ts'
import { converse } from '../converse.ts'
import type { ServiceSpec } from '../locate.ts'
import { addressOf, freshName, type ServiceAddress } from './address.ts'

export interface RedisServer extends ServiceAddress {
  /** For the keys of one test file: ends with a colon, nobody else has it. The server is shared, so never `FLUSHALL`. */
  readonly prefix: string
}

export const redisSpec: ServiceSpec = {
  name: 'redis',
  variable: 'PLUGWORK_TEST_REDIS_URL',
  defaultUrl: 'redis://127.0.0.1:6379',
  async probe(url) {
    const password = decodeURIComponent(url.password)
    const user = decodeURIComponent(url.username)
    const login = password === '' ? [] : [command('AUTH', ...(user === '' ? [password] : [user, password]))]
    await converse({
      host: url.hostname,
      port: Number(url.port || 6379),
      sendFirst: [...login, command('PING')].join(''),
      until(received) {
        const text = received.toString()
        if (/^-/m.test(text)) throw new Error(`it answered ${text.trim()}`)
        return text.includes('+PONG\r\n')
      },
    })
  },
  binary: { names: ['redis-server', 'valkey-server'], packageName: 'redis-server' },
  start: (binary) => ({
    url: (port) => `redis://127.0.0.1:${port}`,
    options: {
      name: 'redis',
      command: ({ directory, port }) => ({
        command: binary,
        args: ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', directory, '--save', '', '--appendonly', 'no'],
      }),
    },
  }),
}

function command(...words: string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`
}

export async function redis(): Promise<RedisServer> {
  return { ...addressOf(await serviceUrl(redisSpec)), prefix: `${freshName()}:` }
}
