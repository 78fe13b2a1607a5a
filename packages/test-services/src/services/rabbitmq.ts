import { chownSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { serviceUrl } from '../broker.ts'
import { converse } from '../converse.ts'
import { freePort } from '../free-port.ts'
import type { ServiceSpec } from '../locate.ts'
import { addressOf, freshName, type ServiceAddress } from './address.ts'

export interface RabbitServer extends ServiceAddress {
  readonly user: string
  readonly password: string
  /** For the queues and exchanges of one test file. */
  readonly prefix: string
}

export const rabbitmqSpec: ServiceSpec = {
  name: 'rabbitmq',
  variable: 'PLUGWORK_TEST_RABBITMQ_URL',
  defaultUrl: 'amqp://guest:guest@127.0.0.1:5672',
  async probe(url) {
    let answered = false
    await converse({
      host: url.hostname,
      port: Number(url.port || 5672),
      // The header of AMQP 0-9-1 (section 4.2.2).
      sendFirst: Buffer.from([...Buffer.from('AMQP'), 0, 0, 9, 1]),
      until(received) {
        const methods = methodsOf(received)
        if (methods.includes('10.30')) return true
        if (methods.includes('10.50')) throw new Error('it refused the user or password')
        if (answered || !methods.includes('10.10')) return false
        answered = true
        return startOk(decodeURIComponent(url.username), decodeURIComponent(url.password))
      },
    })
  },
  binary: { names: ['rabbitmq-server'], packageName: 'rabbitmq-server', folders: ['/usr/lib/rabbitmq/bin'] },
  start: (binary) => ({
    url: (port) => `amqp://guest:guest@127.0.0.1:${port}`,
    options: {
      name: 'rabbitmq',
      users: ['rabbitmq'],
      timeoutMs: 120_000,
      async command({ directory, port }, user) {
        const config = join(directory, 'rabbitmq.conf')
        writeFileSync(config, `listeners.tcp.1 = 127.0.0.1:${port}\n`)
        if (user !== null) chownSync(config, user.uid, user.gid)
        return {
          command: binary,
          args: [],
          env: {
            HOME: directory,
            RABBITMQ_NODENAME: `plugwork${port}@localhost`,
            RABBITMQ_DIST_PORT: `${await freePort()}`,
            RABBITMQ_CONFIG_FILE: config,
            RABBITMQ_ADVANCED_CONFIG_FILE: join(directory, 'none.config'),
            // The machine's own settings must not come in.
            RABBITMQ_CONF_ENV_FILE: join(directory, 'none'),
            RABBITMQ_MNESIA_BASE: join(directory, 'mnesia'),
            RABBITMQ_LOG_BASE: join(directory, 'log'),
            RABBITMQ_ENABLED_PLUGINS_FILE: join(directory, 'plugins'),
            // One node alone: nothing to find, so no port mapper that would outlive it.
            RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS:
              '-start_epmd false -erl_epmd_port 0 -kernel inet_dist_use_interface {127,0,0,1}',
          },
        }
      },
    },
  }),
}

/** `class.method` of the method frames received so far. */
function methodsOf(received: Buffer): string[] {
  const found: string[] = []
  let at = 0
  while (at + 7 <= received.length) {
    const end = at + 7 + received.readUInt32BE(at + 3)
    if (end >= received.length) break
    if (received[at] === 1) found.push(`${received.readUInt16BE(at + 7)}.${received.readUInt16BE(at + 9)}`)
    at = end + 1
  }
  return found
}

/** connection.start-ok with PLAIN: empty client properties, mechanism, response, locale. */
function startOk(user: string, password: string): Buffer {
  const short = (text: string): Buffer => Buffer.concat([Buffer.from([text.length]), Buffer.from(text)])
  const response = Buffer.from(`\0${user}\0${password}`)
  const size = Buffer.alloc(4)
  size.writeUInt32BE(response.length)
  const body = Buffer.concat([Buffer.from([0, 10, 0, 11, 0, 0, 0, 0]), short('PLAIN'), size, response, short('en_US')])
  const head = Buffer.from([1, 0, 0, 0, 0, 0, 0])
  head.writeUInt32BE(body.length, 3)
  return Buffer.concat([head, body, Buffer.from([0xce])])
}

export async function rabbitmq(): Promise<RabbitServer> {
  const url = await serviceUrl(rabbitmqSpec)
  return {
    ...addressOf(url),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    prefix: freshName(),
  }
}
