import { AdapterError } from './errors.ts'

/** What an adapter mounts: the result of `createPlugwork`, or anything that answers requests as it does. */
export interface Mountable {
  readonly handler: (request: Request) => Promise<Response>
  /** The path below which its routes lie, such as `/api/plugwork`. Everything else is the application's. Default `/`. */
  readonly basePath?: string
  /** Public address of the application. Wins over what a request says about its own host and protocol. */
  readonly baseUrl?: string
}

export interface AdapterOptions {
  /** How long the body of a request may be, in bytes. Default 32 MiB; GitHub sends up to 25 MB. */
  readonly maxBodyBytes?: number
}

export const MAX_BODY_BYTES = 32 * 1024 * 1024

/** Whether a path lies at or below the base path. */
export function isMounted(plug: Mountable, pathname: string): boolean {
  const base = basePathOf(plug)
  return base === '' || pathname === base || pathname.startsWith(`${base}/`)
}

/** The base path without its last slash: empty for `/`. */
export function basePathOf(plug: Mountable): string {
  return (plug.basePath ?? '/').replace(/\/+$/, '')
}

/**
 * The address under which the handler sees a request: its own path and query, at the public origin where one is configured.
 * `target` is what stands in the request line, `origin` what the request or the framework says about host and protocol.
 */
export function addressOf(plug: Mountable, target: string, origin: string): URL {
  // Glued, not resolved: `new URL('//evil.example', origin)` would be another host.
  const [path, base] = target.startsWith('/') ? [target, origin] : pathAndOrigin(target)
  const text = `${plug.baseUrl === undefined ? base : new URL(plug.baseUrl).origin}${path}`
  const url = URL.parse(text)
  if (url === null || url.username !== '' || url.password !== '') {
    throw new AdapterError(
      'adapter_request_malformed',
      `The request's address ${JSON.stringify(text.slice(0, 200))} is not a URL: send a valid Host header and path.`,
    )
  }
  return url
}

/** The absolute form of a request line, which proxies send. */
function pathAndOrigin(target: string): [string, string] {
  const url = URL.parse(target)
  if (url === null || !url.protocol.startsWith('http')) {
    throw new AdapterError(
      'adapter_request_malformed',
      `The request's target ${JSON.stringify(target.slice(0, 200))} is neither a path nor an http address.`,
    )
  }
  return [`${url.pathname}${url.search}`, url.origin]
}

/** Methods that fetch forbids. */
const FORBIDDEN = new Set(['CONNECT', 'TRACE', 'TRACK'])

/** Refuses what cannot be a `Request`. */
export function refuseMethod(method: string): void {
  if (!FORBIDDEN.has(method)) return
  throw new AdapterError('adapter_request_malformed', `Requests with the method ${method} are not answered here.`)
}
