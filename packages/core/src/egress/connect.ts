/**
 * Sockets for protocols other than HTTP (databases, mail, file transfer), under the same rules: the host is resolved
 * once, every address is checked, and the socket goes to a checked address only. TLS is the caller's, on top of it.
 */
import { connect, isIP, type LookupFunction, type Socket } from 'node:net'
import type { AllowList } from './allow-list.ts'
import type { Dialer } from './dialer.ts'
import type { EgressConnect } from './egress.ts'
import { egressError } from './errors.ts'
import type { CheckedAddress } from './gate.ts'
import { checkHost } from './target.ts'

const CONNECT_TIMEOUT_MS = 10_000

export interface ConnectScope {
  readonly dialer: Dialer
  readonly only: readonly AllowList[]
  readonly maxTimeoutMs: number
  /** Every socket that is open, to be closed with the egress. */
  readonly sockets: Set<Socket>
  /** Throws once the egress is closed. */
  guard(): void
}

export async function openSocket(scope: ConnectScope, request: EgressConnect): Promise<Socket> {
  const { port, signal } = request
  scope.guard()
  signal?.throwIfAborted()
  const host = canonicalHost(request.host, port)
  const target = `${isIP(host) === 6 ? `[${host}]` : host}:${port}`
  checkHost(new URL(`tcp://${target}`), scope.only)
  const timeoutMs = Math.min(request.timeoutMs ?? CONNECT_TIMEOUT_MS, scope.maxTimeoutMs)
  const deadline = performance.now() + timeoutMs
  const timedOut = (): Error =>
    egressError('egress_timeout', `No connection to ${target} was open within ${timeoutMs} ms.`)
  const addresses = await bounded(scope.dialer.check(host, port), { timeoutMs, timedOut, signal })
  // Closed, or aborted, while the name was resolved.
  scope.guard()
  const socket = dial(host, port, addresses)
  scope.sockets.add(socket)
  socket.once('close', () => scope.sockets.delete(socket))
  const connected = new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', (cause: Error & { code?: string }) =>
      reject(
        egressError(
          'egress_connect',
          `No connection to ${target} could be opened (${cause.code ?? cause.message}). Is the service running and reachable from here?`,
          { cause },
        ),
      ),
    )
    socket.once('close', () =>
      reject(egressError('egress_closed', `The connection to ${target} was not opened: the process is stopping.`)),
    )
  })
  try {
    await bounded(connected, { timeoutMs: deadline - performance.now(), timedOut, signal })
    socket.removeAllListeners('error').removeAllListeners('connect')
    return socket
  } catch (error) {
    connected.catch(() => undefined)
    socket.destroy()
    throw error
  }
}

function dial(host: string, port: number, addresses: readonly CheckedAddress[]): Socket {
  const lookup: LookupFunction = (_host, { all }, answer) => {
    if (all) answer(null, addresses.slice())
    else answer(null, addresses[0]!.address, addresses[0]!.family)
  }
  // Node does not look up what is an address already: then the checked spelling of it is dialled.
  const name = isIP(host) === 0 ? host : addresses[0]!.address
  return connect({ host: name, port, lookup, autoSelectFamily: true, noDelay: true, keepAlive: true })
}

interface Bounds {
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
  timedOut(): Error
}

function bounded<T>(work: Promise<T>, { timeoutMs, timedOut, signal }: Bounds): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => done(() => reject(signal?.reason as Error))
    const timer = setTimeout(() => done(() => reject(timedOut())), Math.max(timeoutMs, 0))
    const done = (settle: () => void): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      settle()
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    if (signal?.aborted) onAbort()
    work.then(
      (value) => done(() => resolve(value)),
      (error: Error) => done(() => reject(error)),
    )
  })
}

/** The host as `URL` spells it, so that allow lists compare like with like. Throws `egress_url`. */
function canonicalHost(host: string, port: number): string {
  const url = URL.parse(`http://${isIP(host) === 6 ? `[${host}]` : host}/`)
  const plain = url !== null && url.pathname === '/' && url.search === '' && url.hash === ''
  if (!plain || url.port !== '' || url.username !== '' || url.password !== '' || url.hostname === '') {
    throw egressError(
      'egress_url',
      `"${host}" is not a host. Write a name or an address, without scheme, user or port.`,
    )
  }
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw egressError('egress_url', `${port} is not a port of ${host}: ports go from 1 to 65535.`)
  }
  return url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname
}
