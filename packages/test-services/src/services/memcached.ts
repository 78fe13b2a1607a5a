import { serviceUrl } from '../broker.ts'
import { converse } from '../converse.ts'
import type { ServiceSpec } from '../locate.ts'
import { addressOf, freshName, type ServiceAddress } from './address.ts'

export interface MemcachedServer extends ServiceAddress {
  /** For the keys of one test file. */
  readonly prefix: string
}

export const memcachedSpec: ServiceSpec = {
  name: 'memcached',
  variable: 'PLUGWORK_TEST_MEMCACHED_URL',
  defaultUrl: 'memcached://127.0.0.1:11211',
  async probe(url) {
    await converse({
      host: url.hostname,
      port: Number(url.port || 11211),
      sendFirst: 'version\r\n',
      until: (received) => received.toString().startsWith('VERSION '),
    })
  },
  binary: { names: ['memcached'], packageName: 'memcached' },
  start: (binary) => ({
    url: (port) => `memcached://127.0.0.1:${port}`,
    options: {
      name: 'memcached',
      users: ['memcache', 'nobody'],
      command: ({ port }) => ({ command: binary, args: ['-l', '127.0.0.1', '-p', `${port}`, '-U', '0', '-m', '64'] }),
    },
  }),
}

export async function memcached(): Promise<MemcachedServer> {
  return { ...addressOf(await serviceUrl(memcachedSpec)), prefix: `${freshName()}:` }
}
