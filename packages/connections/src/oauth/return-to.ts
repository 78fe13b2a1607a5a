import { oauthError } from './errors.ts'
import { isProtected } from './settings.ts'

export interface ReturnToRules {
  /** Address of the application, which paths are relative to. */
  readonly base: string
  /** Paths (`/connections`) and URLs (`https://app.example.com/settings`) below which somebody may be sent back. */
  readonly allow: readonly string[]
}

/**
 * The page that somebody is sent back to after an authorization: a path of the application, or a URL below one that is allowed.
 * Answers it as an absolute URL. Everything else would let a link to this server lead anywhere (open redirect).
 */
export function checkReturnTo(returnTo: string, rules: ReturnToRules): string {
  const url = hasDoubtfulStart(returnTo) ? null : URL.parse(returnTo, rules.base)
  const allowed =
    url !== null &&
    url.username === '' &&
    url.password === '' &&
    isProtected(url) &&
    rules.allow.some((entry) => isBelow(url, new URL(entry, rules.base)))
  if (!allowed) {
    throw oauthError(
      'oauth_return_to_denied',
      `return_to must be below ${rules.allow.length === 0 ? 'an allowed address, and none is configured' : rules.allow.join(' or ')}.`,
    )
  }
  return url.href
}

/** What browsers read otherwise than servers: `//host`, `/\host`, and control characters that they drop. */
function hasDoubtfulStart(text: string): boolean {
  return /^[\\/]{2}/.test(text) || /[\p{Cc}\\]/u.test(text) || text !== text.trim()
}

function isBelow(url: URL, allowed: URL): boolean {
  if (url.origin !== allowed.origin) return false
  const folder = allowed.pathname.replace(/\/$/, '')
  return url.pathname === folder || url.pathname.startsWith(`${folder}/`)
}
