import type { Socket } from 'node:net'
import { compileAllowList, type AllowList } from './allow-list.ts'
import { openSocket } from './connect.ts'
import { createDialer, type Dialer } from './dialer.ts'
import type { Egress, EgressPolicy, EgressRequest, EgressResponse } from './egress.ts'
import { egressError } from './errors.ts'
import { Exchange, type Way } from './exchange.ts'
import { createFetch } from './fetch.ts'
import { systemResolve, type Resolve } from './gate.ts'
import { collectingSink } from './sinks.ts'

/** Limits that hold where a policy names none: 30 s, 32 MiB, 10 redirects, and only public addresses. */
export const DEFAULT_POLICY: Required<Omit<EgressPolicy, 'onlyHosts'>> = {
  allow: [],
  timeoutMs: 30_000,
  maxTimeoutMs: 15 * 60_000,
  maxResponseBytes: 32 * 1024 * 1024,
  maxRedirects: 10,
}

export interface EgressOptions {
  /** Replaces the operating system's resolver (tests). */
  readonly resolve?: Resolve
}

/** What all narrowings of one `createEgress` share: pools, one per set of allow lists. */
interface Shared {
  readonly resolve: Resolve
  readonly dialers: Map<string, Dialer>
  /** What `connect` opened. */
  readonly sockets: Set<Socket>
  closed: boolean
}

/**
 * The one way out, under a policy. Throws `egress_policy` for an allow list that cannot be read; every request may fail
 * with the codes of `egress/errors.ts`.
 */
export function createEgress(policy: Partial<EgressPolicy> = {}, options: EgressOptions = {}): Egress {
  const shared: Shared = {
    resolve: options.resolve ?? systemResolve,
    dialers: new Map(),
    sockets: new Set(),
    closed: false,
  }
  const egress = guarded({ ...DEFAULT_POLICY, ...policy }, { shared, allow: [], only: [] })
  return {
    ...egress,
    async close() {
      shared.closed = true
      for (const socket of shared.sockets) socket.destroy()
      await Promise.all([...shared.dialers.values()].map((dialer) => dialer.close()))
    },
  }
}

interface Outer {
  readonly shared: Shared
  readonly allow: readonly AllowList[]
  readonly only: readonly AllowList[]
}

function guarded(policy: EgressPolicy, outer: Outer): Egress {
  const { shared } = outer
  const allow = [...outer.allow, compileAllowList(policy.allow, 'PLUGWORK_EGRESS_ALLOW')]
  const only =
    policy.onlyHosts === undefined ? outer.only : [...outer.only, compileAllowList(policy.onlyHosts, 'allow_hosts')]
  return within(policy, { shared, allow, only })
}

function within(policy: EgressPolicy, scope: Outer): Egress {
  const { shared, allow, only } = scope
  const way: Way = { dialer: dialerFor(shared, allow), only }
  const { maxResponseBytes, maxRedirects, maxTimeoutMs = DEFAULT_POLICY.maxTimeoutMs } = policy
  const timeoutMs = Math.min(policy.timeoutMs, maxTimeoutMs)
  const guard = (): void => {
    if (shared.closed) throw egressError('egress_closed', 'No request is sent any more: the process is stopping.')
  }
  const limits = (): { timeoutMs: number; maxResponseBytes: number; maxRedirects: number } => {
    guard()
    return { timeoutMs, maxResponseBytes, maxRedirects }
  }
  return {
    request(request: EgressRequest) {
      return new Promise<EgressResponse>((resolve, reject) => {
        guard()
        const exchange = new Exchange(
          way,
          {
            method: request.method,
            url: request.url,
            headers: request.headers === undefined ? [] : Object.entries(request.headers),
            body: request.body ?? null,
            redirect: request.redirect ?? 'follow',
            timeoutMs: Math.min(request.timeoutMs ?? timeoutMs, maxTimeoutMs),
            maxResponseBytes: Math.min(request.maxResponseBytes ?? maxResponseBytes, maxResponseBytes),
            maxRedirects,
            signal: request.signal ?? null,
          },
          collectingSink(resolve, reject),
        )
        exchange.start()
      })
    },
    fetch: createFetch(way, limits),
    connect: (request) => openSocket({ ...way, maxTimeoutMs, sockets: shared.sockets, guard }, request),
    restrict(narrower) {
      const next: EgressPolicy = {
        allow: narrower.allow ?? policy.allow,
        onlyHosts: narrower.onlyHosts,
        timeoutMs: narrower.timeoutMs ?? timeoutMs,
        maxTimeoutMs: Math.min(narrower.maxTimeoutMs ?? maxTimeoutMs, maxTimeoutMs),
        maxResponseBytes: Math.min(narrower.maxResponseBytes ?? maxResponseBytes, maxResponseBytes),
        maxRedirects: Math.min(narrower.maxRedirects ?? maxRedirects, maxRedirects),
      }
      // Without lists of its own it shares the pool; with them, a connection opened under a wider list is not reused.
      return guarded(next, { ...scope, allow: narrower.allow === undefined ? allow.slice(0, -1) : allow })
    },
    // Pools are shared with the egress this one came from, which closes them.
    close: () => Promise.resolve(),
  }
}

function dialerFor(shared: Shared, allow: readonly AllowList[]): Dialer {
  const key = JSON.stringify(allow.map((list) => list.entries.toSorted()))
  let dialer = shared.dialers.get(key)
  if (dialer === undefined) {
    dialer = createDialer(allow, shared.resolve)
    shared.dialers.set(key, dialer)
  }
  return dialer
}
