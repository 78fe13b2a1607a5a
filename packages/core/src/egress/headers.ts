/** Request headers: what may be sent, and what survives a redirect to another origin. */
import { egressError, printableUrl } from './errors.ts'

/** Headers as undici takes them: name, value, name, value, … */
export type HeaderList = readonly string[]

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
/** RFC 9110 field values; anything else could end the header and begin another (CR, LF) or is not representable. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/** Decided by the dialer: they frame the message, or name another host than the one that was checked. */
const OWN: ReadonlySet<string> = new Set([
  'connection',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** What says nothing about who asks. Everything else may be a credential (`X-Api-Key`) and stays with its origin. */
const HARMLESS: ReadonlySet<string> = new Set([
  'accept',
  'accept-encoding',
  'accept-language',
  'cache-control',
  'content-encoding',
  'content-language',
  'content-type',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-unmodified-since',
  'range',
  'user-agent',
])

const DEFAULTS: readonly (readonly [string, string])[] = [
  ['accept', '*/*'],
  ['accept-encoding', 'gzip, deflate, br'],
  ['user-agent', 'plugwork'],
]

/** Checks the caller's headers and adds the defaults. Throws `egress_header` that names the header, never its value. */
export function requestHeaders(given: Iterable<readonly [string, string]>, url: URL): string[] {
  const list: string[] = []
  let defaults = 0
  for (const [name, value] of given) {
    const key = name.toLowerCase()
    if (!TOKEN.test(name)) {
      throw refuse(url, `a header name is not a token: ${JSON.stringify(name.slice(0, 60))}`)
    }
    if (typeof value !== 'string' || !VALUE.test(value)) {
      throw refuse(url, `the value of ${name} has a line break or a character outside of Latin-1; encode it first`)
    }
    if (OWN.has(key)) {
      if (key === 'host' && value.toLowerCase() === url.host) continue
      throw refuse(url, `${name} is set by the dialer itself; remove it`)
    }
    // undici writes the body's own length.
    if (key === 'content-length') continue
    DEFAULTS.forEach(([standard], index) => {
      if (standard === key) defaults |= 1 << index
    })
    list.push(key, value)
  }
  DEFAULTS.forEach(([name, value], index) => {
    if ((defaults & (1 << index)) === 0) list.push(name, value)
  })
  return list
}

/** Whether a header says nothing about who asks. */
export function isHarmless(name: string): boolean {
  return HARMLESS.has(name)
}

/** What of the headers goes along to another origin. */
export function withoutCredentials(list: HeaderList): string[] {
  return keep(list, (name) => HARMLESS.has(name))
}

/** The headers of a request whose body was dropped by a redirect. */
export function withoutBody(list: HeaderList): string[] {
  return keep(list, (name) => !name.startsWith('content-'))
}

function keep(list: HeaderList, wanted: (name: string) => boolean): string[] {
  const kept: string[] = []
  for (let index = 0; index < list.length; index += 2) {
    if (wanted(list[index]!)) kept.push(list[index]!, list[index + 1]!)
  }
  return kept
}

function refuse(url: URL, why: string): Error {
  return egressError('egress_header', `The request to ${printableUrl(url)} was not sent: ${why}.`)
}
