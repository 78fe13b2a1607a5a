/**
 * The one place where secrets are taken out of what a step leaves behind. A step's results, errors and log lines pass
 * through the redactor of the secrets that this attempt was given, before they enter the journal and the flow: a live
 * run and a replayed one see the same.
 */

/** Shorter secrets are left: they would blank out ordinary text. In UTF-8 bytes. */
export const MIN_SECRET_BYTES = 8

export const MASK = '***'

/** Replaces every known spelling of some secrets by `***`. */
export class Redactor {
  readonly #spellings: readonly string[]

  constructor(secrets: Iterable<string>) {
    const spellings = new Set<string>()
    for (const secret of secrets) {
      if (Buffer.byteLength(secret) >= MIN_SECRET_BYTES)
        for (const spelling of spellingsOf(secret)) spellings.add(spelling)
    }
    // Longest first: a spelling that contains another one must not be left with its rest showing.
    this.#spellings = [...spellings].toSorted((a, b) => b.length - a.length)
  }

  /** True when there is nothing to look for. */
  get empty(): boolean {
    return this.#spellings.length === 0
  }

  readonly text = (text: string): string => {
    let redacted = text
    for (const spelling of this.#spellings) {
      if (redacted.includes(spelling)) redacted = redacted.replaceAll(spelling, MASK)
    }
    return redacted
  }
}

const known = new WeakMap<readonly string[], Redactor>()

/** The redactor of a list of secrets that does not change; kept as long as the list itself is. */
export function redactorOf(secrets: readonly string[]): Redactor {
  let redactor = known.get(secrets)
  if (redactor === undefined) {
    redactor = new Redactor(secrets)
    known.set(secrets, redactor)
  }
  return redactor
}

/** As is, JSON- and URL-escaped, hex, base64 and base64url; the latter two also from within longer encoded text. */
function spellingsOf(secret: string): string[] {
  const bytes = Buffer.from(secret)
  const hex = bytes.toString('hex')
  const escaped = encodeURIComponent(secret.toWellFormed())
  const form = new URLSearchParams([['', secret]]).toString().slice(1)
  const spellings = [secret, JSON.stringify(secret).slice(1, -1), escaped, form, hex, hex.toUpperCase()]
  for (const encoded of base64Spellings(bytes)) {
    spellings.push(encoded, encoded.replaceAll('+', '-').replaceAll('/', '_'))
  }
  return spellings
}

/**
 * Base64 of the bytes alone and at each of the three offsets that they can have inside encoded text (`user:password`),
 * without the characters at the ends that depend on their neighbours.
 */
function base64Spellings(bytes: Buffer): string[] {
  const spellings = [bytes.toString('base64'), bytes.toString('base64').replace(/=+$/, '')]
  for (const offset of [0, 1, 2]) {
    const encoded = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .replace(/=+$/, '')
    const from = offset === 0 ? 0 : offset + 1
    const whole = Math.floor(((offset + bytes.length) * 8) / 6)
    spellings.push(encoded.slice(from, whole))
  }
  return spellings
}
