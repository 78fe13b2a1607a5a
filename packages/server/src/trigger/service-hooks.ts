/**
 * Webhooks of services: `/hooks/<connector>/<id>`. The connections package judges and stores them; from there they go to the
 * event bus, under the name `<connector>.<event>`, where flows' event triggers and waiting runs find them. An event that
 * was not published when the process ended is published by the next one; its id is the key on the bus.
 */
import type { ReceivedEvent, ServiceWebhooks, WebhookMetrics } from '@plugwork/connections'
import type { JsonObject } from '@plugwork/core'
import type { Runtime } from '@plugwork/core/node'
import { ServerError } from '../errors.ts'
import type { Mount } from '../http/dispatch.ts'
import type { Incoming } from '../http/incoming.ts'
import type { Reply } from '../http/reply.ts'
import type { Log } from '../log.ts'
import type { Sample } from '../metrics/exposition.ts'

export const HOOKS_PREFIX = '/hooks/'

/** Where the server finds the webhooks of services. */
export interface ServiceWebhooksSource {
  /** Opened when they are first needed; the server closes what it has opened. */
  open(): Promise<ServiceWebhooks>
  /** There is a store already, where events may wait: it is opened at the start. */
  readonly inUse: boolean
}

export interface ServiceHooksOptions {
  readonly source: ServiceWebhooksSource | null
  readonly runtime: Pick<Runtime, 'publish'>
  /** Events of nobody's are this tenant's. */
  readonly tenant: string
  readonly maxBodyBytes: number
  /** Public address of the server. */
  readonly baseUrl: () => string
  /** Says that there is news on the bus. */
  readonly published: () => void
  readonly log: Log
}

export interface ServiceHooks extends Mount {
  /** Begins with events that an earlier process left. */
  start(): Promise<void>
  /** Throws `not_found` on a server that has none. */
  webhooks(): Promise<ServiceWebhooks>
  samples(): readonly Sample[]
  close(graceMs: number): Promise<void>
}

export function createServiceHooks(options: ServiceHooksOptions): ServiceHooks {
  const { source, runtime, tenant, maxBodyBytes, baseUrl, published, log } = options
  let opened: Promise<ServiceWebhooks> | null = null
  let metrics = (): WebhookMetrics => ({})

  const publish = async (event: ReceivedEvent): Promise<void> => {
    await runtime.publish(event.tenant ?? tenant, { name: busName(event), data: busData(event), key: event.id })
    published()
  }

  const webhooks = async (): Promise<ServiceWebhooks> => {
    if (source === null)
      throw new ServerError('not_found', 'This server has no stored connections, and so no webhooks.')
    opened ??= source.open().then((service) => {
      service.on('*', '*', publish, { id: 'bus' })
      metrics = () => service.metrics()
      return service
    })
    try {
      return await opened
    } catch (error) {
      opened = null
      throw error
    }
  }

  const handle = async (incoming: Incoming): Promise<Reply> => {
    const [connector = '', endpointId, ...rest] = incoming.path.slice(HOOKS_PREFIX.length).split('/')
    if (connector === '' || rest.length > 0) throw new ServerError('not_found', `There is nothing at ${incoming.path}.`)
    const service = await webhooks()
    const reply = await service.receive({
      connector,
      ...(endpointId === undefined ? null : { endpointId }),
      request: {
        method: incoming.method,
        url: incoming.search === '' ? incoming.path : `${incoming.path}?${incoming.search}`,
        headers: incoming.headers(),
        body: incoming.method === 'GET' ? new Uint8Array() : await incoming.body(maxBodyBytes),
        remoteAddress: incoming.remoteAddress,
      },
      publicUrl: baseUrl().replace(/\/+$/, '') + incoming.path,
    })
    const { 'content-type': type, ...headers } = reply.headers
    return {
      status: reply.status,
      headers,
      body: type === undefined ? { kind: 'none' } : { kind: 'text', type, text: reply.body },
    }
  }

  return {
    prefix: HOOKS_PREFIX,
    permission: 'decided by the signature of the service',
    handle,
    webhooks,
    async start() {
      if (source?.inUse !== true) return
      // A key ring that cannot read the store concerns connections, not the flows that are served.
      await webhooks().catch((error: unknown) =>
        log.error({ err: error }, 'the webhooks of services could not be opened'),
      )
    },
    samples: () => samplesOf(metrics()),
    async close(graceMs) {
      const service = await opened?.catch(() => null)
      await service?.close(graceMs)
    },
  }
}

/** What is no word of a name on the bus becomes `_`. */
function busName({ connector, name }: ReceivedEvent): string {
  return [connector, ...name.split('.')].map((word) => word.replaceAll(/[^A-Za-z0-9_-]/g, '_') || '_').join('.')
}

function busData(event: ReceivedEvent): JsonObject {
  const [only] = event.connections
  return {
    connection: event.connectionId === null ? null : (only?.name ?? null),
    connection_id: event.connectionId,
    delivery_id: event.deliveryId,
    account: event.account,
    received_at: new Date(event.receivedAt).toISOString(),
    payload: event.payload,
  }
}

function samplesOf(metrics: WebhookMetrics): readonly Sample[] {
  const counter = (name: string, help: string, labels: Record<string, string>, value: number): Sample => ({
    name: `plugwork_service_webhook_${name}_total`,
    help,
    type: 'counter',
    labels,
    value,
  })
  const all = Object.entries(metrics)
  return [
    ...all.map(([connector, { received }]) => counter('requests', 'Requests of services.', { connector }, received)),
    ...all.flatMap(([connector, { accepted, duplicates, misfits, failed, challenges }]) =>
      Object.entries({ accepted, duplicate: duplicates, misfit: misfits, failed, challenge: challenges }).map(
        ([outcome, value]) => counter('events', 'Events of services, by outcome.', { connector, outcome }, value),
      ),
    ),
    ...all.flatMap(([connector, { rejected }]) =>
      Object.entries(rejected).map(([reason, value]) =>
        counter('rejected', 'Requests of services that were refused.', { connector, reason }, value),
      ),
    ),
  ]
}
