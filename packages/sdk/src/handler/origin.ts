/**
 * Requests that other sites make in a user's browser (CSRF). Browsers say where a request comes from: `Origin` with whatever
 * may change something, `Sec-Fetch-Site` with all of them. Programs that are no browsers send neither, and have no cookies
 * that somebody else could use.
 */
import { sdkError } from '../errors.ts'
import type { Settings } from '../options.ts'

/** Throws `sdk_origin_denied`. */
export function checkOrigin(request: Request, settings: Settings, site: 'own' | 'read'): void {
  if (site === 'read') return
  const origin = request.headers.get('origin')
  if (origin !== null ? isOwn(origin, settings) : isOwnSite(request)) return
  throw sdkError(
    'sdk_origin_denied',
    `This request comes from a page of ${origin ?? 'another site'}, not of ${settings.origin}. If that page is part of the application, name it in auth.origins.`,
  )
}

/** What lets pages of `auth.origins` read answers (https://fetch.spec.whatwg.org/#http-cors-protocol); null for all others. */
export function corsHeaders(request: Request, settings: Settings): Readonly<Record<string, string>> | null {
  const origin = request.headers.get('origin')
  if (origin === null || !(settings.auth.origins ?? []).includes(origin)) return null
  return {
    'access-control-allow-origin': origin,
    'access-control-allow-credentials': 'true',
    'access-control-allow-methods': 'GET, POST, DELETE',
    'access-control-allow-headers': 'content-type, authorization',
    vary: 'origin',
  }
}

function isOwn(origin: string, { origin: own, auth }: Settings): boolean {
  return origin === own || (auth.origins ?? []).includes(origin)
}

function isOwnSite(request: Request): boolean {
  const site = request.headers.get('sec-fetch-site')
  return site === null || site === 'same-origin' || site === 'none'
}
