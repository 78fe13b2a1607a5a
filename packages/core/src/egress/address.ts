/**
 * Address classes: which IP addresses are the public internet, and what the others are. IPv4 addresses that travel inside
 * IPv6 ones are judged by what a packet would reach in the end.
 */
import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

export type Address = ipaddr.IPv4 | ipaddr.IPv6

const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3')
/** RFC 6052: DNS64 makes such addresses for every IPv4-only host, so the embedded address decides. */
const NAT64 = ipaddr.IPv6.parseCIDR('64:ff9b::/96')

const NAMES: { readonly [range: string]: string } = {
  unspecified: 'an unspecified address ("this host")',
  loopback: 'a loopback address',
  private: 'a private address',
  linkLocal: 'a link-local address (cloud metadata services live there)',
  carrierGradeNat: 'a carrier-grade NAT address',
  uniqueLocal: 'a private (unique local) address',
  multicast: 'a multicast address',
  broadcast: 'the broadcast address',
  '6to4': 'a 6to4 transition address',
  teredo: 'a Teredo transition address',
  rfc6145: 'an IPv4-translated address',
  rfc6052: 'a local NAT64 address',
}

/** Reads an address in its canonical spelling (as `URL` and resolvers write it); null where the text is a name. */
export function parseAddress(text: string): Address | null {
  const bare = text.startsWith('[') ? text.slice(1, -1) : text
  if (isIP(bare) === 0) return null
  const address = ipaddr.parse(bare)
  return address instanceof ipaddr.IPv6 ? unwrapped(address) : address
}

/** What makes an address not public, in words; null for a public one. */
export function notPublic(address: Address): string | null {
  if (address instanceof ipaddr.IPv6 && address.match(NAT64)) {
    const inner = notPublic(embedded(address))
    return inner === null ? null : `${inner} behind NAT64`
  }
  const range = address.range()
  if (range !== 'unicast') return NAMES[range] ?? 'a reserved address'
  // What ipaddr.js has no list for is called unicast, IPv4-compatible `::7f00:1` included.
  if (address instanceof ipaddr.IPv6 && !address.match(GLOBAL_UNICAST)) return 'a reserved address'
  return null
}

/** `::ffff:a.b.c.d` is a socket to a.b.c.d. */
function unwrapped(address: ipaddr.IPv6): Address {
  const [a, b, c, d, e, f] = address.parts
  return a === 0 && b === 0 && c === 0 && d === 0 && e === 0 && f === 0xffff ? embedded(address) : address
}

function embedded(address: ipaddr.IPv6): ipaddr.IPv4 {
  return new ipaddr.IPv4(address.toByteArray().slice(12))
}
