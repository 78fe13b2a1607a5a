import { createHash, timingSafeEqual } from 'node:crypto'

/** Who starts an authorization. The callback must come from the same one, or an account would be linked to a stranger. */
export interface OAuthSession {
  readonly tenant: string
  readonly user: string
  /** The browser session, where there is one: a callback in another browser of the same user is refused too. */
  readonly id?: string
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

export function sessionHash({ tenant, user, id }: OAuthSession): string {
  return sha256(JSON.stringify(['session', tenant, user, id ?? null]))
}

/** Compares two digests without telling by time how much of them is the same. */
export function sameDigest(a: string, b: string): boolean {
  const left = Buffer.from(a, 'hex')
  const right = Buffer.from(b, 'hex')
  return left.length === right.length && left.length > 0 && timingSafeEqual(left, right)
}
