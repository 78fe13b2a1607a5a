import { createPrivateKey, type KeyObject } from 'node:crypto'
import type { JwtSigning } from '@plugwork/core/node'
import { jwtError } from './errors.ts'

export interface SignJwtInput {
  /** What is signed, with which key. */
  readonly signing: JwtSigning
  /** Names the service in errors. */
  readonly title: string
  /** Config fields of the connection, the key among them. */
  readonly fields: Readonly<Record<string, string>>
  /** Epoch ms. */
  readonly now: number
}

export interface SignedJwt {
  readonly jwt: string
  /** Epoch ms. */
  readonly expiresAt: number
}

const DEFAULT_LIFETIME_S = 600
/** RFC 7518, 3.2: a key of HS256 is as long as its hash. Shorter secrets are what some services give; this is the least. */
const SHORTEST_SECRET = 16

/** Signs a JWT. Throws `jwt_field_missing` and `jwt_key_invalid`, which name the field and never show it. */
export async function signJwt({ signing, title, fields, now }: SignJwtInput): Promise<SignedJwt> {
  const field = (name: string): string => {
    const value = Object.hasOwn(fields, name) ? fields[name]! : ''
    if (value === '')
      throw jwtError('jwt_field_missing', `"${name}" of the connection to ${title} is missing; the JWT needs it.`)
    return value
  }
  const { algorithm, keyField, keyIdField, lifetime = DEFAULT_LIFETIME_S, backdate = 0 } = signing
  const key = keyOf(algorithm, field(keyField), keyField, title)
  const issuedAt = Math.floor(now / 1000) - backdate
  const expiresAt = Math.floor(now / 1000) + lifetime
  const claims: Record<string, string> = {}
  for (const [name, template] of Object.entries(signing.claims)) {
    const value = template.replaceAll(/\{([A-Za-z_]\w*)\}/g, (_, part: string) =>
      // An optional claim is one whose field is there and empty (the subject of a service account, scopes).
      Object.hasOwn(fields, part) ? fields[part]! : field(part),
    )
    if (value !== '') claims[name] = value
  }
  const header = { alg: algorithm, typ: 'JWT', ...(keyIdField === undefined ? {} : { kid: field(keyIdField) }) }
  try {
    // Loaded by those who sign: few connections do.
    const { SignJWT } = await import('jose')
    const jwt = await new SignJWT(claims)
      .setProtectedHeader(header)
      .setIssuedAt(issuedAt)
      .setExpirationTime(expiresAt)
      .sign(key)
    return { jwt, expiresAt: expiresAt * 1000 }
  } catch {
    // The cause is left out: it may show the key.
    throw jwtError('jwt_key_invalid', `"${keyField}" of the connection to ${title} cannot sign with ${algorithm}.`)
  }
}

function keyOf(
  algorithm: JwtSigning['algorithm'],
  text: string,
  keyField: string,
  title: string,
): KeyObject | Uint8Array {
  if (algorithm === 'HS256') {
    if (text.length < SHORTEST_SECRET) {
      throw jwtError(
        'jwt_key_invalid',
        `"${keyField}" of the connection to ${title} is shorter than ${SHORTEST_SECRET} characters, which is no secret to sign with.`,
      )
    }
    return new TextEncoder().encode(text)
  }
  const type = algorithm === 'ES256' ? 'ec' : 'rsa'
  const hint = `Paste the whole file, from -----BEGIN to END-----.`
  let key: KeyObject
  try {
    // Keys that went through JSON or an environment variable have `\n` for their line ends.
    key = createPrivateKey(text.replaceAll('\\n', '\n').trim())
  } catch {
    throw jwtError(
      'jwt_key_invalid',
      `"${keyField}" of the connection to ${title} is not a private key in PEM form. ${hint}`,
    )
  }
  const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {}
  const fits = key.asymmetricKeyType === type && (type === 'ec' ? namedCurve === 'prime256v1' : modulusLength >= 2048)
  if (!fits) {
    const wanted = type === 'ec' ? 'an EC key on P-256' : 'an RSA key of 2048 bits or more'
    throw jwtError('jwt_key_invalid', `"${keyField}" of the connection to ${title} must be ${wanted} for ${algorithm}.`)
  }
  return key
}
