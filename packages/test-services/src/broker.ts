/**
 * vitest runs test files in processes of their own. The broker lives in the main one and is asked by them over HTTP on
 * the loopback, so that a service that has to be started is started once and shared, and ended with the run.
 */
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { locate, type Located, type ServiceSpec } from './locate.ts'

/** Where test files find the broker. */
export const BROKER_VARIABLE = 'PLUGWORK_TEST_SERVICES'

export interface Broker {
  readonly url: string
  /** Ends what was started. */
  close(): Promise<void>
}

export async function startBroker(specs: readonly ServiceSpec[]): Promise<Broker> {
  const found = createFinder()
  const token = randomUUID()
  const server = createServer((request, response) => {
    const [, given, name] = (request.url ?? '').split('/')
    const spec = specs.find((each) => each.name === name)
    if (given !== token || spec === undefined) return void response.writeHead(404).end()
    found.find(spec).then(
      ({ url }) => response.end(url),
      (error: Error) => response.writeHead(500).end(error.message),
    )
  })
  server.unref()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/${token}`,
    async close() {
      server.closeAllConnections()
      server.close()
      await found.close()
    },
  }
}

interface Finder {
  find(spec: ServiceSpec): Promise<Located>
  close(): Promise<void>
}

/** Looks for each service once. */
function createFinder(): Finder {
  const located = new Map<string, Promise<Located>>()
  return {
    find(spec) {
      let promise = located.get(spec.name)
      if (promise === undefined) {
        promise = locate(spec)
        located.set(spec.name, promise)
      }
      return promise
    },
    async close() {
      const all = await Promise.allSettled(located.values())
      await Promise.all(all.map((each) => (each.status === 'fulfilled' ? each.value.stop() : undefined)))
    },
  }
}

const own = createFinder()

/** URL of a service: from the broker inside of a test run, else found by this process. */
export async function serviceUrl(spec: ServiceSpec): Promise<URL> {
  const broker = process.env[BROKER_VARIABLE]
  if (broker === undefined) return new URL((await own.find(spec)).url)
  const response = await fetch(`${broker}/${spec.name}`)
  const text = await response.text()
  if (!response.ok) throw new Error(text)
  return new URL(text)
}
