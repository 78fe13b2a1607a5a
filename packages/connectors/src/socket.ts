/**
 * Where the connectors of servers that speak no HTTP open their sockets: through the guard that checks and pins
 * addresses, with TLS on top where the connection wants it.
 */
import { isIP, type Socket } from 'node:net'
import { connect as secure, type ConnectionOptions } from 'node:tls'
import type { Egress } from '@plugwork/core/node'
import type { TlsSetting } from './network-settings.ts'

export interface OpenSocket {
  readonly host: string
  readonly port: number
  readonly tls: TlsSetting
  /** Of the whole: name, connection, TLS handshake. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/** A connected socket. Throws the guard's `egress_…`, or what was wrong with the server's TLS. */
export async function openSocket(egress: Egress, { host, port, tls, timeoutMs, signal }: OpenSocket): Promise<Socket> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
  const socket = await egress.connect({ host, port, timeoutMs, signal })
  if (tls === false) return socket
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => {
      socket.destroy()
      reject(error as Error)
    }
    const onAbort = (): void => fail(limit.reason)
    const secured = secure({ ...tlsOptions(tls, host), socket })
    secured.once('error', fail)
    secured.once('close', () => fail(new Error('the server closed the connection during the TLS handshake')))
    secured.once('secureConnect', () => {
      limit.removeEventListener('abort', onAbort)
      secured.removeAllListeners('error').removeAllListeners('close')
      resolve(secured)
    })
    if (limit.aborted) onAbort()
    else limit.addEventListener('abort', onAbort, { once: true })
  })
}

/** What Node's TLS needs for a setting. The certificate is always verified, against the name or the address. */
export function tlsOptions(tls: TlsSetting, host: string): ConnectionOptions {
  const given = typeof tls === 'boolean' ? {} : tls
  const name = given.server_name ?? host
  return {
    host,
    ...(isIP(name) === 0 ? { servername: name } : {}),
    ...(given.ca === undefined ? {} : { ca: given.ca }),
    ...(given.cert === undefined ? {} : { cert: given.cert }),
    ...(given.key === undefined ? {} : { key: given.key }),
  }
}
