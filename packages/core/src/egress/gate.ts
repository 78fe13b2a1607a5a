/**
 * The gate: resolves a host once and hands out checked addresses. A connection is opened to these addresses and to no
 * other, so a name that changes its mind between check and connection (DNS rebinding) gains nothing.
 */
import { lookup } from 'node:dns/promises'
import { notPublic, parseAddress } from './address.ts'
import type { AllowList } from './allow-list.ts'
import { egressError } from './errors.ts'

/** Every address of a name, as the operating system resolves it. */
export type Resolve = (host: string) => Promise<readonly string[]>

export interface CheckedAddress {
  readonly address: string
  readonly family: 4 | 6
}

export interface Gate {
  /** Checked addresses of a host, in the resolver's order. Throws `egress_denied` or `egress_dns`. */
  check(host: string, port: number): Promise<readonly CheckedAddress[]>
}

/** How long a checked answer serves further connections to the same host and port. */
const KEEP_MS = 2_000
const MAX_KEPT = 1_000

export const systemResolve: Resolve = async (host) =>
  (await lookup(host, { all: true, order: 'verbatim' })).map(({ address }) => address)

/** A gate for these allow lists; an address that is not public passes only if every list has it. */
export function createGate(allow: readonly AllowList[], resolve: Resolve): Gate {
  const kept = new Map<string, { readonly until: number; readonly answer: Promise<readonly CheckedAddress[]> }>()

  const resolveAndCheck = async (host: string, port: number): Promise<readonly CheckedAddress[]> => {
    const records = parseAddress(host) === null ? await resolveName(host, resolve) : [host]
    return judge(host, port, records, allow)
  }

  return {
    check(host, port) {
      const key = `${host}:${port}`
      const now = performance.now()
      const found = kept.get(key)
      if (found !== undefined && found.until > now) return found.answer
      if (kept.size >= MAX_KEPT) kept.clear()
      const answer = resolveAndCheck(host, port)
      kept.set(key, { until: now + KEEP_MS, answer })
      // A failure is not kept: the next connection asks again.
      answer.catch(() => kept.delete(key))
      return answer
    },
  }
}

async function resolveName(host: string, resolve: Resolve): Promise<readonly string[]> {
  let records: readonly string[]
  try {
    records = await resolve(host)
  } catch (cause) {
    const code = (cause as { code?: unknown }).code
    throw egressError(
      'egress_dns',
      `The host name ${host} could not be resolved (${typeof code === 'string' ? code : 'resolver failed'}). Check its spelling and this machine's DNS.`,
      { cause },
    )
  }
  if (records.length === 0) throw egressError('egress_dns', `The host name ${host} has no address.`)
  return records
}

function judge(
  host: string,
  port: number,
  records: readonly string[],
  allow: readonly AllowList[],
): readonly CheckedAddress[] {
  const passed: CheckedAddress[] = []
  const listed: CheckedAddress[] = []
  let denied: { readonly record: string; readonly why: string } | null = null
  for (const record of records) {
    const address = parseAddress(record)
    if (address === null)
      throw egressError('egress_dns', `The resolver answered ${host} with something not an address.`)
    const checked = { address: address.toString(), family: address.kind() === 'ipv4' ? 4 : 6 } as const
    const why = notPublic(address)
    if (why === null) {
      passed.push(checked)
    } else if (allow.every((list) => list.hasAddress(address, port) || list.hasHost(host, port))) {
      passed.push(checked)
      listed.push(checked)
    } else {
      denied ??= { record, why }
    }
  }
  if (denied === null) return passed
  // A name with public and private addresses is denied as a whole, unless the operator's list says which is meant
  // (127.0.0.1 of localhost, where ::1 is not listed).
  if (listed.length > 0) return listed
  throw egressError('egress_denied', deniedMessage(host, port, denied.record, denied.why), {
    data: { host, port, address: denied.record },
  })
}

function deniedMessage(host: string, port: number, record: string, why: string): string {
  const literal = parseAddress(host) !== null
  const subject = literal ? `${host} is ${why}` : `${host} resolves to ${record}, ${why}`
  const target = `${host.includes(':') ? `[${host}]` : host}:${port}`
  return `The request to ${target} was denied: ${subject}. If this is intended, allow it with PLUGWORK_EGRESS_ALLOW=${target}.`
}
