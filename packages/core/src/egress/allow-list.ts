/**
 * Allow lists: `host`, `*.host`, an address or a CIDR, each with an optional `:port`. `*.host` means every name below
 * `host`, not `host` itself.
 */
import ipaddr from 'ipaddr.js'
import { parseAddress, type Address } from './address.ts'
import { egressError } from './errors.ts'

export interface AllowList {
  /** The entries as written. */
  readonly entries: readonly string[]
  /** Whether an entry names this host; `host` is as `URL.hostname` spells it. */
  hasHost(host: string, port: number): boolean
  /** Whether an address or CIDR entry covers this address. */
  hasAddress(address: Address, port: number): boolean
}

type Entry =
  | { readonly kind: 'host'; readonly host: string; readonly port: number | null }
  | { readonly kind: 'below'; readonly suffix: string; readonly port: number | null }
  | { readonly kind: 'range'; readonly base: Address; readonly bits: number; readonly port: number | null }

/** Compiles entries; throws `egress_policy` that names the entry and `setting`, where it was written. */
export function compileAllowList(entries: readonly string[], setting: string): AllowList {
  const compiled = entries.map((entry) => parseEntry(entry.trim(), setting))
  const onPort = (entry: Entry, port: number): boolean => entry.port === null || entry.port === port
  return {
    entries,
    hasHost(host, port) {
      const name = withoutDot(host)
      return compiled.some(
        (entry) =>
          onPort(entry, port) &&
          ((entry.kind === 'host' && entry.host === name) || (entry.kind === 'below' && name.endsWith(entry.suffix))),
      )
    },
    hasAddress(address, port) {
      return compiled.some((entry) => entry.kind === 'range' && onPort(entry, port) && covers(entry, address))
    },
  }
}

function covers(entry: { readonly base: Address; readonly bits: number }, address: Address): boolean {
  return entry.base.kind() === address.kind() && address.match([entry.base, entry.bits] as [ipaddr.IPv4, number])
}

function parseEntry(text: string, setting: string): Entry {
  const refuse = (why: string): Error =>
    egressError(
      'egress_policy',
      `${setting}: "${text}" ${why}. Write a host (api.internal), host:port, *.host, an address or a CIDR (10.0.0.0/8).`,
    )
  if (text === '') throw refuse('is empty')
  if (text.includes('/')) {
    if (!ipaddr.isValidCIDR(text)) throw refuse(text.includes('://') ? 'is a URL' : 'is not a CIDR')
    const [base, bits] = ipaddr.parseCIDR(text)
    return { kind: 'range', base, bits, port: null }
  }
  const below = text.startsWith('*.')
  const { host, port } = splitPort(below ? text.slice(2) : text, refuse)
  if (host.includes('*')) throw refuse('has a * that is not its first label')
  const address = parseAddress(host)
  if (address !== null) {
    if (below) throw refuse('puts *. before an address')
    return { kind: 'range', base: address, bits: address.kind() === 'ipv4' ? 32 : 128, port }
  }
  return below ? { kind: 'below', suffix: `.${host}`, port } : { kind: 'host', host, port }
}

/** Host in the spelling of `URL.hostname` (lower case, punycode, canonical addresses) and the port that was written. */
function splitPort(
  text: string,
  refuse: (why: string) => Error,
): { readonly host: string; readonly port: number | null } {
  const bare = (text.match(/:/g)?.length ?? 0) > 1 && !text.startsWith('[') ? `[${text}]` : text
  const written = /:(\d+)$/.exec(bare.replace(/^\[.*\]/, ''))?.[1]
  const url = URL.canParse(`http://${bare}/`) ? new URL(`http://${bare}/`) : null
  if (url === null || url.username !== '' || url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    throw refuse('is not a host')
  }
  return { host: withoutDot(url.hostname), port: written === undefined ? null : Number(written) }
}

function withoutDot(host: string): string {
  return host.endsWith('.') ? host.slice(0, -1) : host
}
