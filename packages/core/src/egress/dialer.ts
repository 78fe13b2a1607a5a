/**
 * The dialer: pooled connections that are opened through the gate only. undici keeps `Host` and TLS server name of the
 * URL; the socket goes to a checked address.
 */
import { createRequire } from 'node:module'
import type { LookupFunction } from 'node:net'
import type { Agent, buildConnector, Dispatcher, Pool } from 'undici'
import type { AllowList } from './allow-list.ts'
import { createGate, type Gate, type Resolve } from './gate.ts'

const CONNECT_TIMEOUT_MS = 10_000
const MAX_CONNECTIONS_PER_ORIGIN = 256
const MAX_HEADER_BYTES = 64 * 1024

export interface Dialer {
  /** For sockets that others open. */
  readonly check: Gate['check']
  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void
  close(): Promise<void>
}

interface Undici {
  readonly Agent: typeof Agent
  readonly Pool: typeof Pool
  readonly buildConnector: typeof buildConnector
}

/** A dialer for these allow lists. Loads undici with the first request; opens nothing before. */
export function createDialer(allow: readonly AllowList[], resolve: Resolve): Dialer {
  const gate = createGate(allow, resolve)
  let agent: Agent | null = null
  return {
    check: gate.check,
    dispatch(options, handler) {
      agent ??= createAgent(loadUndici(), gate.check)
      agent.dispatch(options, handler)
    },
    async close() {
      // Not `close()`: that would wait for responses nobody bounds any more.
      await agent?.destroy()
    },
  }
}

/**
 * The three modules that are used of undici, not its entry, which would add its fetch, web sockets, caches and mocks:
 * a third of the load time and 8 MB of memory. The version is pinned.
 */
function loadUndici(): Undici {
  const load = createRequire(import.meta.url)
  return {
    Agent: load('undici/lib/dispatcher/agent.js') as typeof Agent,
    Pool: load('undici/lib/dispatcher/pool.js') as typeof Pool,
    buildConnector: load('undici/lib/core/connect.js') as typeof buildConnector,
  }
}

function createAgent(undici: Undici, check: Gate['check']): Agent {
  return new undici.Agent({
    factory: (origin, options) =>
      new undici.Pool(origin, { ...(options as Pool.Options), connect: connector(undici, check) }),
    connections: MAX_CONNECTIONS_PER_ORIGIN,
    maxHeaderSize: MAX_HEADER_BYTES,
    allowH2: false,
    // The exchange has one deadline for everything.
    headersTimeout: 0,
    bodyTimeout: 0,
  })
}

function connector(undici: Undici, check: Gate['check']): buildConnector.connector {
  return (options, callback) => {
    const port = Number(options.port) || (options.protocol === 'https:' ? 443 : 80)
    check(options.hostname, port).then(
      (addresses) => {
        const lookup: LookupFunction = (_host, { all }, answer) => {
          if (all) answer(null, addresses.slice())
          else answer(null, addresses[0]!.address, addresses[0]!.family)
        }
        const open = undici.buildConnector({
          lookup,
          autoSelectFamily: true,
          allowH2: false,
          timeout: CONNECT_TIMEOUT_MS,
        })
        open(options, callback)
      },
      (error: Error) => callback(error, null),
    )
  }
}
