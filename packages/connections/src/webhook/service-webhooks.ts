/**
 * Webhooks of services, from the request to the handlers. The order matters: nothing is accepted without a secret and its
 * signature, nothing is acknowledged before it is stored, and nothing is handled before it is known whose it is.
 *
 *   request -> address -> size -> challenge? -> limit -> signature -> events -> account -> stored -> 200 -> handlers
 */
import { hash } from 'node:crypto'
import type { PlugworkError } from '@plugwork/core'
import {
  systemClock,
  type Clock,
  type Connector,
  type Egress,
  type ServiceEvent,
  type Trigger,
  type WebhookSource,
} from '@plugwork/core/node'
import type { z } from 'zod'
import type { Actor } from '../connection/access.ts'
import { fromRow } from '../connection/connection.ts'
import type { ConnectionStore } from '../store/connection-store.ts'
import type { Vault } from '../vault/vault.ts'
import { AccountIndex, type AccountConnection } from './account-index.ts'
import { createAttemptLimit, type AttemptLimit } from './attempt-limit.ts'
import { createCertificates, type CertificateSource } from './certificates.ts'
import { Deliveries, DELIVERY_TIMING, MISFIT, type DeliveryTiming } from './deliveries.ts'
import { endpointNotFound, WebhookEndpoints, type OpenEndpoint } from './endpoints.ts'
import { webhookError } from './errors.ts'
import { Handlers, type EventHandler, type HandlerOptions } from './handlers.ts'
import { serviceRequest, signedRequest, type WebhookRequest } from './read-request.ts'
import {
  eventFromRow,
  eventId,
  eventToRow,
  type EventState,
  type ReceivedEvent,
  type StoredEvent,
} from './service-event.ts'
import { isWebhookError, jsonReply, problemReply, taken, textReply, type ServiceReply } from './service-reply.ts'
import type { Challenge, SignatureScheme, SignedRequest } from './signature-scheme.ts'
import { SIGNATURE_SCHEMES } from './signature-schemes.ts'
import { sameBytes, verifySignature } from './verify-signature.ts'
import { WebhookCounters, type RejectReason, type WebhookMetrics } from './webhook-metrics.ts'

/** Secrets of an application's own address of a connector: given in code, for the events of all of its users. */
export interface ApplicationWebhook {
  /** All that are accepted now; several while one replaces another. */
  readonly secrets: readonly string[]
  /** Entered at services that ask for it (Meta). */
  readonly verifyToken?: string
}

export interface ServiceWebhooksOptions {
  readonly store: ConnectionStore
  readonly vault: Vault
  readonly connectors: readonly Connector[]
  /** For certificates that services name. */
  readonly egress: Egress
  /** The application's own webhook of a connector; null: it has none, and requests to it are refused. */
  readonly application?: (connector: string) => ApplicationWebhook | null
  /** Default 4 MiB. */
  readonly maxBodyBytes?: number
  readonly clock?: Clock
  readonly random?: () => number
  readonly timing?: Partial<DeliveryTiming>
  readonly log?: (level: 'warn' | 'error', message: string) => void
}

export interface ReceiveWebhook {
  readonly connector: string
  /** Last part of the address; left out for the application's own. */
  readonly endpointId?: string
  readonly request: WebhookRequest
  /** The address that the service was given, without a query; never made of the Host header. */
  readonly publicUrl: string
}

export interface ListEvents {
  readonly actor: Actor
  readonly state?: EventState
  readonly connector?: string
  /** Id of the last one of the page before. */
  readonly after?: string
  readonly limit?: number
}

type TriggersOf<C> = C extends { readonly triggers?: infer T } ? NonNullable<T> : never
/** Payload of a trigger of a connector. */
export type TriggerPayload<C, Name> = Name extends keyof TriggersOf<C>
  ? TriggersOf<C>[Name] extends Trigger<infer Payload>
    ? z.output<Payload>
    : never
  : never

const DEFAULT_MAX_BODY = 4 * 1024 * 1024
const DEFAULT_LIMIT = 50

interface Source {
  readonly name: string
  readonly webhooks: WebhookSource
}

/** Whose events come in at an address. */
interface Receiver {
  readonly endpoint: OpenEndpoint | null
  readonly secrets: readonly string[]
  readonly verifyToken: string | null
}

export class ServiceWebhooks {
  /** Addresses with secrets of their own. */
  readonly endpoints: WebhookEndpoints
  readonly #options: ServiceWebhooksOptions
  readonly #clock: Clock
  readonly #connectors: ReadonlyMap<string, Connector>
  readonly #handlers = new Handlers()
  readonly #counters = new WebhookCounters()
  readonly #deliveries: Deliveries
  readonly #accounts: AccountIndex
  readonly #attempts: AttemptLimit
  readonly #certificates: CertificateSource

  constructor(options: ServiceWebhooksOptions) {
    const { store, vault, egress, clock = systemClock, random = Math.random, log = () => undefined } = options
    this.#options = options
    this.#clock = clock
    this.#connectors = new Map(options.connectors.map((connector) => [connector.name, connector]))
    this.#deliveries = new Deliveries({
      store,
      clock,
      random,
      log,
      handlers: this.#handlers,
      counters: this.#counters,
      timing: { ...DELIVERY_TIMING, ...options.timing },
    })
    this.#accounts = new AccountIndex(store, clock)
    this.#attempts = createAttemptLimit(() => clock.now())
    this.#certificates = createCertificates({ egress, clock })
    this.endpoints = new WebhookEndpoints({ store, vault, clock, check: (connector) => void this.#source(connector) })
  }

  /**
   * Calls back for each event, at least once, also after a restart: register handlers in the same order and before the first
   * turn of the event loop ends, or give them ids. With the connector itself the payload has the trigger's type; with
   * its name it is JSON. `*` stands for any event or connector, `issues.*` for events that begin so.
   */
  on<C extends Connector, Name extends keyof TriggersOf<C> & string>(
    connector: C,
    event: Name,
    handler: EventHandler<TriggerPayload<C, Name>>,
    options?: HandlerOptions & { readonly unchecked?: false },
  ): () => void
  on(connector: string, event: string, handler: EventHandler<never>, options?: HandlerOptions): () => void
  on(connector: string | Connector, event: string, handler: EventHandler<never>, options?: HandlerOptions): () => void {
    const name = typeof connector === 'string' ? connector : connector.name
    if (name !== '*') this.#source(name)
    const remove = this.#handlers.add(name, event, handler, options)
    this.#deliveries.begin()
    return remove
  }

  /** Answers a request of a service. Rejects only when the store fails: the service then delivers again. */
  async receive({ connector: name, endpointId, request, publicUrl }: ReceiveWebhook): Promise<ServiceReply> {
    const address = request.remoteAddress ?? ''
    let connector: Source
    try {
      connector = this.#source(name)
    } catch (error) {
      if (isWebhookError(error)) return problemReply(error)
      throw error
    }
    this.#counters.add(name, 'received')
    const wait = this.#attempts.wait(address, `${name}/${endpointId ?? ''}`)
    if (wait > 0) {
      this.#counters.reject(name, 'too_many_attempts')
      const message = 'Too many requests that were not signed rightly came from here; try again later.'
      return problemReply(webhookError('webhook_too_many_attempts', message), wait / 1_000)
    }
    try {
      const reply = await this.#answer(connector, endpointId, request, publicUrl)
      return reply
    } catch (error) {
      if (!isWebhookError(error)) throw error
      const reason = REASONS[error.code]
      if (reason === undefined) throw error
      this.#counters.reject(name, reason)
      if (GUESSES.has(reason)) this.#attempts.failed(address)
      return problemReply(error)
    }
  }

  /** Stored events, of the actor's tenant, in no particular order. */
  async list({ actor, state, connector, after, limit = DEFAULT_LIMIT }: ListEvents): Promise<readonly StoredEvent[]> {
    const rows = await this.#options.store.list('events', {
      tenant: actor.tenant,
      ...(actor.user === null ? null : { owner: actor.user }),
      ...(state === undefined ? null : { kind: state }),
      ...(connector === undefined ? null : { name: connector }),
      ...(after === undefined ? null : { after }),
      limit,
    })
    return rows.map(eventFromRow)
  }

  /** Hands an event that ended to the handlers that want it now, all of them anew. */
  async redeliver(actor: Actor, id: string): Promise<void> {
    const row = await this.#options.store.get('events', id)
    const own = row !== null && row.tenant === actor.tenant && (actor.user === null || row.owner === actor.user)
    if (!own) throw webhookError('webhook_event_not_found', `There is no event ${id} here.`)
    const { event, version, delivery } = eventFromRow(row)
    if (delivery.state === 'pending') return
    const { wanted, misfit } = this.#wanted(event)
    const waiting = wanted.map((handler) => handler.id)
    if (waiting.length === 0) return
    const next = { state: 'pending' as const, waiting, attempts: 0, error: misfit }
    await this.#options.store.replace('events', eventToRow({ event, delivery: next, due: this.#clock.now() }), version)
    await this.#deliveries.look()
  }

  metrics(): WebhookMetrics {
    return this.#counters.read()
  }

  /** Takes up at once what is due in the store; it happens by itself every second. */
  async look(): Promise<void> {
    await this.#deliveries.look()
  }

  /** All handlers that run have ended when this resolves. */
  async idle(): Promise<void> {
    await this.#deliveries.idle()
  }

  /** Waits for handlers that run; after `graceMs` (10 s) their signal tells them to stop. Their events are tried again. */
  async close(graceMs = 10_000): Promise<void> {
    await this.#deliveries.close(graceMs)
  }

  async #answer(
    connector: Source,
    endpointId: string | undefined,
    request: WebhookRequest,
    publicUrl: string,
  ): Promise<ServiceReply> {
    const { name, webhooks } = connector
    const scheme = schemeOf(webhooks)
    const endpoint = endpointId === undefined ? null : await this.endpoints.open(name, endpointId)
    if (endpointId !== undefined && endpoint === null) throw endpointNotFound(endpointId)
    const limit = this.#options.maxBodyBytes ?? DEFAULT_MAX_BODY
    if (request.body.length > limit) {
      throw webhookError('webhook_body_too_large', `The body has ${request.body.length} bytes; ${limit} are allowed.`)
    }
    const receiver = await this.#receiver(name, endpoint)
    const signed = signedRequest(request, publicUrl)
    const challenge = scheme.challenge?.(signed)
    if (challenge !== undefined) return this.#challenged(name, challenge, receiver)
    if (receiver.secrets.length === 0) {
      throw webhookError(
        'webhook_not_configured',
        `No secret is set for the webhooks of ${name}, so nothing of it is accepted. Set the one that was entered at the service.`,
      )
    }
    const verdict = await this.#verified(connector, scheme, signed, receiver.secrets)
    this.#attempts.succeeded(request.remoteAddress ?? '', `${name}/${endpointId ?? ''}`)
    if (verdict.handshake !== undefined) {
      this.#counters.add(name, 'challenges')
      return jsonReply(verdict.handshake)
    }
    const events = webhooks.events(serviceRequest(request, signed, scheme))
    // A signed request is the same to the byte when its time is: where the service names no delivery, that does.
    const replay = verdict.signedAt === undefined ? null : `${verdict.signedAt} ${hash('sha256', signed.body)}`
    await this.#take(connector, endpoint, events, verdict.delivery ?? replay, 2 * scheme.toleranceMs)
    return taken()
  }

  async #receiver(connector: string, endpoint: OpenEndpoint | null): Promise<Receiver> {
    if (endpoint === null) {
      const { secrets = [], verifyToken = null } = this.#options.application?.(connector) ?? {}
      return { endpoint, secrets: secrets.filter((secret) => secret !== ''), verifyToken }
    }
    const { accepted, verifyToken } = await endpoint.read()
    return { endpoint, secrets: accepted, verifyToken }
  }

  async #challenged(
    connector: string,
    challenge: Challenge,
    { endpoint, verifyToken }: Receiver,
  ): Promise<ServiceReply> {
    switch (challenge.kind) {
      case 'echo':
        break
      case 'verify':
        if (verifyToken === null || !sameBytes(Buffer.from(challenge.token), Buffer.from(verifyToken))) {
          throw webhookError(
            'webhook_signature_wrong',
            `The verify token is not the one of this address of ${connector}.`,
          )
        }
        break
      case 'secret':
        if (endpoint === null) {
          throw webhookError(
            'webhook_not_configured',
            `${connector} names a secret of its own; give it an address made with \`endpoints.create\`, and confirm the secret.`,
          )
        }
        await this.endpoints.offer(endpoint.id, challenge.secret)
    }
    this.#counters.add(connector, 'challenges')
    return challenge.kind === 'secret' ? taken() : textReply(challenge.text)
  }

  async #verified(connector: Source, scheme: SignatureScheme, request: SignedRequest, secrets: readonly string[]) {
    const { name } = connector
    const url = scheme.certificateUrl?.(request)
    const malformed = () =>
      webhookError('webhook_signature_malformed', `The request is not signed in the way of ${name}.`)
    if (url === null) throw malformed()
    const certificate = url === undefined ? undefined : await this.#certificates(url)
    const verdict = verifySignature({
      scheme,
      request,
      secrets,
      now: this.#clock.now(),
      ...(certificate === undefined ? null : { certificate }),
    })
    switch (verdict.kind) {
      case 'valid':
        return verdict
      case 'malformed':
        throw malformed()
      case 'mismatch':
        throw webhookError('webhook_signature_wrong', `The signature is not the one of ${name} for this body.`)
      case 'stale':
        throw webhookError(
          'webhook_signature_stale',
          `The request was signed more than ${verdict.toleranceMs / 1_000} s ago or ahead: sent again, or a clock is wrong.`,
        )
    }
  }

  /** Stores all events of a request, then begins with their handlers. */
  async #take(
    connector: Source,
    endpoint: OpenEndpoint | null,
    events: readonly ServiceEvent[],
    delivery: string | null,
    keepMs: number,
  ): Promise<void> {
    const begin: (() => void)[] = []
    try {
      for (const [index, { name, deliveryId, account = null, payload }] of events.entries()) {
        const deliveryKey = deliveryId ?? delivery
        for (const { tenant, connections } of await this.#owners(connector, endpoint, account)) {
          const only = connections.length === 1 ? connections[0]! : null
          const place = { connector: connector.name, endpointId: endpoint?.id ?? null, tenant, name }
          const event: ReceivedEvent = {
            ...place,
            id: eventId({ ...place, deliveryKey, index }),
            deliveryId: deliveryId ?? delivery,
            user: only === null ? (endpoint?.owner ?? null) : only.owner,
            connectionId: only?.id ?? null,
            connections: connections.map(({ id, owner, name: connection }) => ({ id, owner, name: connection })),
            account,
            payload,
            receivedAt: this.#clock.now(),
          }
          const { wanted, misfit } = this.#wanted(event)
          const stored = await this.#deliveries.store(event, wanted, keepMs, misfit)
          this.#counters.add(connector.name, stored.outcome === 'stored' ? 'accepted' : 'duplicates')
          if (stored.outcome === 'duplicate') continue
          begin.push(stored.run)
          if (misfit !== null) this.#counters.add(connector.name, 'misfits')
        }
      }
    } finally {
      // What was stored is handled, also when a later one could not be.
      for (const run of begin) run()
    }
  }

  /** Whose an event is: one entry for each tenant. Nobody's where no connection fits and the address is the application's. */
  async #owners(
    connector: Source,
    endpoint: OpenEndpoint | null,
    account: string | null,
  ): Promise<readonly { readonly tenant: string | null; readonly connections: readonly AccountConnection[] }[]> {
    if (endpoint !== null) {
      const { tenant, owner, connectionId } = endpoint
      if (connectionId !== null) return [{ tenant, connections: await this.#connection(connectionId) }]
      const found = account === null ? [] : await this.#accounts.find(connector, account, tenant)
      return [{ tenant, connections: owner === null ? found : found.filter((one) => one.owner === owner) }]
    }
    const found = account === null ? [] : await this.#accounts.find(connector, account, null)
    if (found.length === 0) return [{ tenant: null, connections: [] }]
    return [...Map.groupBy(found, (one) => one.tenant)].map(([tenant, connections]) => ({ tenant, connections }))
  }

  async #connection(id: string): Promise<readonly AccountConnection[]> {
    const row = await this.#options.store.get('connections', id)
    if (row === null) return []
    const { tenant, owner, name, data } = fromRow(row)
    return data.status === 'revoked' ? [] : [{ id, tenant, owner, name }]
  }

  /** Who gets an event. A payload that does not fit goes only to handlers that check for themselves. */
  #wanted({ connector, name, payload }: ReceivedEvent) {
    const wanted = this.#handlers.matching(connector, name)
    const triggers = this.#connectors.get(connector)?.triggers ?? {}
    const trigger = Object.hasOwn(triggers, name) ? triggers[name] : undefined
    if (trigger === undefined || trigger.payload.safeParse(payload).success) return { wanted, misfit: null }
    this.#options.log?.('warn', `an event ${name} of ${connector} does not fit the schema of its trigger`)
    return { wanted: wanted.filter((handler) => handler.unchecked), misfit: MISFIT }
  }

  #source(name: string): Source {
    const connector = this.#connectors.get(name)
    // Asked for once: a connector may be loaded by it.
    const webhooks = connector?.webhooks
    if (webhooks !== undefined) return { name, webhooks }
    const what = connector === undefined ? `There is no connector "${name}" here` : `${name} takes no webhooks`
    throw webhookError('webhook_not_supported', `${what}.`)
  }
}

/** Refusals that are counted, by their code. */
const REASONS: Readonly<Record<string, RejectReason>> = {
  webhook_signature_malformed: 'malformed',
  webhook_signature_wrong: 'wrong_signature',
  webhook_signature_stale: 'stale',
  webhook_not_configured: 'not_configured',
  webhook_endpoint_not_found: 'no_endpoint',
  webhook_body_too_large: 'too_large',
  webhook_certificate_unavailable: 'unavailable',
} satisfies Partial<Record<PlugworkError['code'], RejectReason>>

/** Refusals of requests that somebody may be trying out. */
const GUESSES: ReadonlySet<RejectReason> = new Set(['malformed', 'wrong_signature', 'no_endpoint'])

function schemeOf({ scheme }: WebhookSource): SignatureScheme {
  const known: Readonly<Record<string, SignatureScheme>> = SIGNATURE_SCHEMES
  if (Object.hasOwn(known, scheme)) return known[scheme]!
  throw new TypeError(`There is no signature scheme "${scheme}"; there are ${Object.keys(known).join(', ')}.`)
}
