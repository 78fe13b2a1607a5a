/**
 * Guards a server on loopback against DNS rebinding: a web page whose name was pointed at 127.0.0.1 reaches the port,
 * but its requests carry the page's own name in `Host`.
 */
import { ServerError } from '../errors.ts'

/** Throws `host_not_allowed`. */
export type HostCheck = (host: string | undefined) => void

const LOOPBACK_NAMES = new Set(['localhost', '127.0.0.1', '[::1]'])

/** Whether an address to listen on is reachable from this machine only. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(host)
}

/** Name of a `Host` header without its port, in lower case. */
export function hostName(header: string): string {
  const lower = header.toLowerCase()
  if (lower.startsWith('[')) return lower.slice(0, lower.indexOf(']') + 1)
  const colon = lower.lastIndexOf(':')
  return colon === -1 ? lower : lower.slice(0, colon)
}

/**
 * The check for a server on loopback: `localhost`, its addresses, and the host of the public base address (a tunnel or
 * proxy in front). Elsewhere every name is accepted: tokens guard the server there.
 */
export function createHostCheck(options: { readonly loopback: boolean; readonly baseUrl: string | null }): HostCheck {
  if (!options.loopback) return () => {}
  const { baseUrl } = options
  const allowed = new Set(LOOPBACK_NAMES)
  if (baseUrl !== null) allowed.add(new URL(baseUrl).hostname.toLowerCase())
  return (host) => {
    if (host !== undefined && allowed.has(hostName(host))) return
    throw new ServerError(
      'host_not_allowed',
      `This server answers to ${[...allowed].join(', ')}, not to "${host ?? ''}". ` +
        'Behind a proxy or tunnel, set PLUGWORK_BASE_URL to the address that clients use.',
    )
  }
}
