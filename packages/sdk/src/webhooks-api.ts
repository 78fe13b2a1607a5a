/**
 * `plug.webhooks`: events that services send. A request is verified with the secret that was entered at the service, stored, and
 * only then acknowledged; handlers get it at least once, after a restart too.
 */
import type {
  EventHandler,
  HandlerOptions,
  ReceivedEvent,
  ServiceWebhooks,
  WebhookEndpoint,
  WebhookMetrics,
} from '@plugwork/connections'
import { actorOf } from './actor.ts'
import type { Connectable } from './connectable.ts'
import type { Settings } from './options.ts'
import { readBytes } from './read-bytes.ts'
import type { ConnectorsByName, OnBehalf } from './plugwork-types.ts'
import type { Providers } from './providers.ts'

type EventsOf<Given extends readonly Connectable[], Name> = Name extends keyof ConnectorsByName<Given>
  ? ConnectorsByName<Given>[Name] extends { readonly triggers?: infer Events }
    ? NonNullable<Events>
    : never
  : never

type PayloadOf<Event> = Event extends { readonly payload: { readonly _zod: { readonly output: infer Payload } } }
  ? Payload
  : never

export interface WebhooksApi<Given extends readonly Connectable[]> {
  /**
   * Calls back for each event of a service. Register handlers at the start, in the same order, or give them an `id`: what one
   * has still to do is stored under it. Answers the function that removes it.
   */
  on<Name extends keyof ConnectorsByName<Given> & string, Event extends keyof EventsOf<Given, Name> & string>(
    connector: Name,
    event: Event,
    handler: EventHandler<PayloadOf<EventsOf<Given, Name>[Event]>>,
    options?: HandlerOptions & { readonly unchecked?: false },
  ): () => void
  /** `issues.*` for events that begin so, `*` for all; their payload is what the service sent. */
  on<Name extends (keyof ConnectorsByName<Given> & string) | '*'>(
    connector: Name,
    event: '*' | `${string}.*`,
    handler: EventHandler<unknown>,
    options?: HandlerOptions,
  ): () => void
  /** Answers a request that a service sent to an address of `url`; `plug.handler` does this for those below `/hooks`. */
  handle(request: Request): Promise<Response>
  /** The address to enter at a service, for events of all users: the secret is the connector's `webhookSecret`. */
  url(connector: string): string
  /** An address with a secret of its own, for the events of one user or connection. */
  createEndpoint(
    input: OnBehalf & { readonly connector: string; readonly connection?: string; readonly secret?: string },
  ): Promise<{ readonly endpoint: WebhookEndpoint; readonly url: string; readonly verifyToken: string }>
  listEndpoints(input: OnBehalf & { readonly connector?: string }): Promise<readonly WebhookEndpoint[]>
  removeEndpoint(input: OnBehalf & { readonly id: string }): Promise<void>
  /** Hands an event that ended to its handlers once more. */
  redeliver(input: OnBehalf & { readonly id: string }): Promise<void>
  /** Requests taken and refused, by connector. */
  metrics(): Promise<WebhookMetrics>
}

export type { ReceivedEvent }

export interface WebhooksOptions {
  readonly settings: Settings
  readonly providers: Providers
  /** The service, opened. */
  open(): Promise<ServiceWebhooks>
  /** The service if it is open. */
  opened(): ServiceWebhooks | null
}

interface Waiting {
  readonly connector: string
  readonly event: string
  readonly handler: EventHandler<never>
  readonly options: HandlerOptions | undefined
  stop: (() => void) | null
}

/** Larger than any service sends; GitHub sends up to 25 MB. */
const MAX_BODY_BYTES = 25 * 1024 * 1024

export class Webhooks {
  readonly #options: WebhooksOptions
  readonly #registered = new Set<Waiting>()

  constructor(options: WebhooksOptions) {
    this.#options = options
  }

  on(connector: string, event: string, handler: EventHandler<never>, options?: HandlerOptions): () => void {
    if (connector !== '*') this.#options.providers.find(connector)
    const one: Waiting = { connector, event, handler, options, stop: null }
    this.#registered.add(one)
    const service = this.#options.opened()
    if (service !== null) this.#attach(service, one)
    return () => {
      this.#registered.delete(one)
      one.stop?.()
    }
  }

  get wanted(): boolean {
    return this.#registered.size > 0
  }

  /** Gives the service the handlers that were registered before it was open, in their order. */
  attachAll(service: ServiceWebhooks): void {
    for (const one of this.#registered) if (one.stop === null) this.#attach(service, one)
  }

  async handle(request: Request): Promise<Response> {
    const { settings, open } = this.#options
    const { pathname, search } = new URL(request.url)
    const [, connector = '', endpointId] = /\/hooks\/([^/]+)(?:\/([^/]+))?$/.exec(pathname) ?? []
    const service = await open()
    const path = endpointId === undefined ? connector : `${connector}/${endpointId}`
    const { status, headers, body } = await service.receive({
      connector,
      ...(endpointId === undefined ? {} : { endpointId }),
      request: {
        method: request.method,
        url: `${pathname}${search}`,
        headers: Object.fromEntries(request.headers),
        body: await readBytes(request, MAX_BODY_BYTES),
      },
      // As the service was told it: some sign it, and nobody else's Host header is believed.
      publicUrl: `${settings.root}/hooks/${path}`,
    })
    return new Response(body === '' ? null : body, { status, headers })
  }

  url(connector: string): string {
    return `${this.#options.settings.root}/hooks/${this.#options.providers.find(connector).connector.name}`
  }

  async createEndpoint({
    connector,
    connection,
    secret,
    ...on
  }: OnBehalf & { readonly connector: string; readonly connection?: string; readonly secret?: string }): Promise<{
    readonly endpoint: WebhookEndpoint
    readonly url: string
    readonly verifyToken: string
  }> {
    const { endpoints } = await this.#options.open()
    const made = await endpoints.create({
      actor: actorOf(on, 'code'),
      connector,
      ...(connection === undefined ? {} : { connectionId: connection }),
      ...(secret === undefined ? {} : { secret }),
    })
    return { ...made, url: `${this.url(connector)}/${made.endpoint.id}` }
  }

  async listEndpoints({
    connector,
    ...on
  }: OnBehalf & { readonly connector?: string }): Promise<readonly WebhookEndpoint[]> {
    return (await this.#options.open()).endpoints.list(actorOf(on, 'code'), connector)
  }

  async removeEndpoint({ id, ...on }: OnBehalf & { readonly id: string }): Promise<void> {
    await (await this.#options.open()).endpoints.remove(actorOf(on, 'code'), id)
  }

  async redeliver({ id, ...on }: OnBehalf & { readonly id: string }): Promise<void> {
    await (await this.#options.open()).redeliver(actorOf(on, 'code'), id)
  }

  async metrics(): Promise<WebhookMetrics> {
    return (await this.#options.open()).metrics()
  }

  #attach(service: ServiceWebhooks, one: Waiting): void {
    one.stop = service.on(one.connector, one.event, one.handler, one.options)
  }
}
