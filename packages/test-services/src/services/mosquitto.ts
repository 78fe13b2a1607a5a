import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { serviceUrl } from '../broker.ts'
import { converse } from '../converse.ts'
import type { ServiceSpec } from '../locate.ts'
import { addressOf, freshName, type ServiceAddress } from './address.ts'

export interface MqttServer extends ServiceAddress {
  /** For the topics of one test file: `prefix/something`. */
  readonly prefix: string
}

/** CONNECT of MQTT 3.1.1 with a clean session and no client id (section 3.1 of the standard). */
const CONNECT = Buffer.from([0x10, 12, 0, 4, ...Buffer.from('MQTT'), 4, 2, 0, 30, 0, 0])

export const mosquittoSpec: ServiceSpec = {
  name: 'mosquitto',
  variable: 'PLUGWORK_TEST_MOSQUITTO_URL',
  defaultUrl: 'mqtt://127.0.0.1:1883',
  async probe(url) {
    await converse({
      host: url.hostname,
      port: Number(url.port || 1883),
      sendFirst: CONNECT,
      until(received) {
        if (received.length < 4) return false
        if (received[0] !== 0x20) throw new Error('it does not speak MQTT')
        if (received[3] !== 0) throw new Error(`it refused the connection (code ${received[3]})`)
        return true
      },
    })
  },
  binary: { names: ['mosquitto'], packageName: 'mosquitto' },
  start: (binary) => ({
    url: (port) => `mqtt://127.0.0.1:${port}`,
    options: {
      name: 'mosquitto',
      users: ['mosquitto', 'nobody'],
      command({ directory, port }) {
        const file = join(directory, 'mosquitto.conf')
        writeFileSync(file, `listener ${port} 127.0.0.1\nallow_anonymous true\npersistence false\n`)
        return { command: binary, args: ['-c', file] }
      },
    },
  }),
}

export async function mosquitto(): Promise<MqttServer> {
  return { ...addressOf(await serviceUrl(mosquittoSpec)), prefix: freshName() }
}
