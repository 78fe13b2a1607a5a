/**
 * The guard in front of the driver, which opens its sockets itself and takes no socket from outside. It lets its names be
 * looked up by a function, so a name only ever becomes an address that the egress has opened a socket to a moment ago. An
 * address that is written as such is not looked up: those of the config are checked before the driver starts; one that a
 * server announces later is checked as soon as the driver mentions it, and closes the client if it is denied.
 */
import { isIP, type LookupFunction } from 'node:net'
import type { Egress } from '@plugwork/core/node'
import type { Seed } from './config.ts'

/** How long a checked address serves further sockets, as in the gate of the egress. */
const KEEP_MS = 2_000

interface Checked {
  readonly until: number
  readonly address: Promise<string>
}

export class MongoNetwork {
  readonly #egress: Egress
  readonly #timeoutMs: number
  readonly #ports = new Map<string, Set<number>>()
  readonly #checked = new Map<string, Checked>()
  /** What the guard has denied; the driver hides it in an error of its own. */
  denied: unknown = null

  constructor(egress: Egress, timeoutMs: number) {
    this.#egress = egress
    this.#timeoutMs = timeoutMs
  }

  /** Checks a server before or while it is used. Throws what the egress throws. */
  async check({ host, port }: Seed, signal?: AbortSignal): Promise<string> {
    const name = host.toLowerCase()
    const ports = this.#ports.get(name) ?? new Set()
    this.#ports.set(name, ports.add(port))
    const key = `${name}:${port}`
    const known = this.#checked.get(key)
    if (known !== undefined && known.until > performance.now()) return known.address
    const address = this.#dial({ host, port }, signal)
    this.#checked.set(key, { until: performance.now() + KEEP_MS, address })
    address.catch((error: { code?: unknown }) => {
      this.#checked.delete(key)
      if (error.code === 'egress_denied' || error.code === 'egress_url') this.denied ??= error
    })
    return address
  }

  /** For the driver: `lookup` of its sockets. */
  readonly lookup: LookupFunction = (host, options, answer) => {
    const ports = [...(this.#ports.get(host.toLowerCase()) ?? [27_017])]
    // A name with several ports is several servers at one address; each must be allowed.
    Promise.any(ports.map((port) => this.check({ host, port }))).then(
      (address) => {
        if (this.denied !== null) return answer(this.denied as NodeJS.ErrnoException, '')
        const family = isIP(address)
        if (options.all === true) answer(null, [{ address, family }])
        else answer(null, address, family)
      },
      (error: AggregateError) => answer((error.errors[0] ?? error) as NodeJS.ErrnoException, ''),
    )
  }

  /** The address that the guard connects to; the socket itself is of no use to the driver. */
  async #dial({ host, port }: Seed, signal: AbortSignal | undefined): Promise<string> {
    const socket = await this.#egress.connect({
      host,
      port,
      timeoutMs: this.#timeoutMs,
      ...(signal === undefined ? {} : { signal }),
    })
    const address = socket.remoteAddress
    socket.on('error', () => undefined)
    socket.destroy()
    return address ?? host
  }
}

/** `host:port` as the driver writes it. */
export function seedOfAddress(address: string): Seed {
  const at = address.lastIndexOf(':')
  return { host: address.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(address.slice(at + 1)) }
}
