/**
 * Addresses for the webhooks of a service, each with its own secrets: of a connection, of a user, of a tenant. The id in the
 * address is random and no secret; what lets a request in is its signature. Secrets are encrypted in the row.
 */
import { randomBytes } from 'node:crypto'
import type { JsonObject } from '@plugwork/core'
import type { Clock } from '@plugwork/core/node'
import type { Actor } from '../connection/access.ts'
import { fromRow } from '../connection/connection.ts'
import type { ConnectionStore, NewRow, StoredRow } from '../store/connection-store.ts'
import type { Vault } from '../vault/vault.ts'
import { webhookError } from './errors.ts'

/** What may be shown of an address. */
export interface WebhookEndpoint {
  /** Last part of the address. */
  readonly id: string
  readonly tenant: string
  readonly owner: string | null
  readonly connector: string
  /** Events are this connection's; null: they are matched by the account that they name. */
  readonly connectionId: string | null
  /** How many secrets are accepted now. */
  readonly secrets: number
  /** The service has named a secret, which waits for `confirm`. */
  readonly unconfirmed: boolean
  readonly createdAt: number
}

export interface CreateEndpoint {
  readonly actor: Actor
  readonly connector: string
  readonly connectionId?: string
  /** Left out where the service names it (Notion). */
  readonly secret?: string
}

/** What a request is judged by. */
export interface EndpointSecrets {
  readonly accepted: readonly string[]
  /** Entered at services that ask for it (Meta). */
  readonly verifyToken: string
  readonly offered: string | null
}

export interface OpenEndpoint extends WebhookEndpoint {
  readonly read: () => Promise<EndpointSecrets>
}

export interface EndpointsOptions {
  readonly store: ConnectionStore
  readonly vault: Vault
  readonly clock: Clock
  /** Throws for a connector that takes no webhooks. */
  readonly check: (connector: string) => void
}

interface EndpointData {
  readonly connectionId: string | null
  readonly secrets: number
  readonly unconfirmed: boolean
  readonly createdAt: number
  readonly sealed: string
}

/** A secret and those before it. */
const MAX_SECRETS = 3
const PAGE = 200

export class WebhookEndpoints {
  readonly #options: EndpointsOptions

  constructor(options: EndpointsOptions) {
    this.#options = options
  }

  /** Answers the address's id, and the token that services like Meta want to be told. */
  async create(input: CreateEndpoint): Promise<{ readonly endpoint: WebhookEndpoint; readonly verifyToken: string }> {
    const { actor, connector, connectionId = null, secret } = input
    const { store, clock, check } = this.#options
    check(connector)
    if (secret !== undefined) checkSecret(secret)
    if (connectionId !== null) await this.#checkConnection(actor, connector, connectionId)
    const id = `whk_${randomBytes(16).toString('base64url')}`
    const verifyToken = randomBytes(24).toString('base64url')
    const secrets: EndpointSecrets = { accepted: secret === undefined ? [] : [secret], verifyToken, offered: null }
    const row: NewRow = {
      id,
      tenant: actor.tenant,
      owner: actor.user,
      kind: connector,
      name: connectionId,
      slot: null,
      due: null,
      data: await this.#seal({ id, tenant: actor.tenant }, secrets, { connectionId, createdAt: clock.now() }),
    }
    await store.insert('webhook_endpoints', row)
    return { endpoint: viewOf({ ...row, version: 1 }), verifyToken }
  }

  async list(actor: Actor, connector?: string): Promise<readonly WebhookEndpoint[]> {
    const found: WebhookEndpoint[] = []
    const query = {
      tenant: actor.tenant,
      ...(actor.user === null ? null : { owner: actor.user }),
      ...(connector === undefined ? null : { kind: connector }),
      limit: PAGE,
    }
    let after: string | undefined
    for (;;) {
      const list = after === undefined ? query : { ...query, after }
      const rows = await this.#options.store.list('webhook_endpoints', list)
      found.push(...rows.map(viewOf))
      if (rows.length < PAGE) return found
      after = rows.at(-1)!.id
    }
  }

  /** Replaces the secret; the one before stays accepted until `retire`. */
  async rotate(actor: Actor, id: string, secret: string): Promise<WebhookEndpoint> {
    checkSecret(secret)
    return this.#change(actor, id, (secrets) => ({
      ...secrets,
      accepted: [secret, ...secrets.accepted.filter((one) => one !== secret)].slice(0, MAX_SECRETS),
    }))
  }

  /** Accepts only the newest secret from now on. */
  async retire(actor: Actor, id: string): Promise<WebhookEndpoint> {
    return this.#change(actor, id, (secrets) => ({ ...secrets, accepted: secrets.accepted.slice(0, 1) }))
  }

  /**
   * Accepts the secret that the service has named, and answers it: it is entered at the service, which refuses another one.
   * Until then nothing that is signed with it is accepted.
   */
  async confirm(actor: Actor, id: string): Promise<string> {
    let offered: string | null = null
    await this.#change(actor, id, (secrets) => {
      offered = secrets.offered
      if (offered === null) {
        throw webhookError(
          'webhook_endpoint_invalid',
          `The service has not yet told ${id} its secret. Let it send it again.`,
        )
      }
      return { ...secrets, accepted: [offered, ...secrets.accepted].slice(0, MAX_SECRETS), offered: null }
    })
    return offered!
  }

  async remove(actor: Actor, id: string): Promise<void> {
    const { version } = await this.#own(actor, id)
    await this.#options.store.remove('webhook_endpoints', id, version)
  }

  /** For a request: null where there is no such address of the connector. */
  async open(connector: string, id: string): Promise<OpenEndpoint | null> {
    const row = await this.#options.store.get('webhook_endpoints', id)
    if (row === null || row.kind !== connector) return null
    return { ...viewOf(row), read: () => this.#read(row) }
  }

  /** Keeps a secret that the service names, while there is none that is accepted. */
  async offer(id: string, secret: string): Promise<void> {
    for (;;) {
      const row = await this.#options.store.get('webhook_endpoints', id)
      if (row === null) return
      const secrets = await this.#read(row)
      if (secrets.accepted.length > 0) return
      if (await this.#write(row, { ...secrets, offered: secret })) return
    }
  }

  async #change(
    actor: Actor,
    id: string,
    change: (secrets: EndpointSecrets) => EndpointSecrets,
  ): Promise<WebhookEndpoint> {
    for (;;) {
      const row = await this.#own(actor, id)
      const written = await this.#write(row, change(await this.#read(row)))
      if (written !== null) return written
    }
  }

  async #write(row: StoredRow, secrets: EndpointSecrets): Promise<WebhookEndpoint | null> {
    const { version, ...bare } = row
    const next = { ...bare, data: await this.#seal(row, secrets, dataOf(row)) }
    const outcome = await this.#options.store.replace('webhook_endpoints', next, version)
    return outcome === 'done' ? viewOf({ ...next, version: version + 1 }) : null
  }

  async #own(actor: Actor, id: string): Promise<StoredRow> {
    const row = await this.#options.store.get('webhook_endpoints', id)
    const own = row !== null && row.tenant === actor.tenant && (actor.user === null || row.owner === actor.user)
    if (!own) throw endpointNotFound(id)
    return row
  }

  async #checkConnection(actor: Actor, connector: string, id: string): Promise<void> {
    const row = await this.#options.store.get('connections', id)
    const found = row === null ? null : fromRow(row)
    const own = found?.tenant === actor.tenant && (actor.user === null || found.owner === actor.user)
    if (found !== null && own && found.connector === connector) return
    throw webhookError('webhook_endpoint_invalid', `connectionId: there is no connection ${id} to ${connector} here.`)
  }

  async #read(row: StoredRow): Promise<EndpointSecrets> {
    const text = await this.#options.vault.decrypt(placeOf(row), dataOf(row).sealed)
    // `#seal` wrote it.
    return JSON.parse(text.reveal()) as EndpointSecrets
  }

  async #seal(
    row: Pick<StoredRow, 'id' | 'tenant'>,
    secrets: EndpointSecrets,
    { connectionId, createdAt }: Pick<EndpointData, 'connectionId' | 'createdAt'>,
  ): Promise<JsonObject> {
    const sealed = await this.#options.vault.encrypt(placeOf(row), JSON.stringify(secrets))
    return {
      connectionId,
      secrets: secrets.accepted.length,
      unconfirmed: secrets.offered !== null,
      createdAt,
      sealed,
    } satisfies EndpointData
  }
}

export function endpointNotFound(id: string): Error {
  return webhookError('webhook_endpoint_not_found', `There is no address ${id} for webhooks here.`)
}

function checkSecret(secret: string): void {
  if (secret.trim() !== '') return
  throw webhookError('webhook_endpoint_invalid', 'secret: is empty. Give the text that was entered at the service.')
}

const placeOf = ({ id, tenant }: Pick<StoredRow, 'id' | 'tenant'>) => ({ tenant, connectionId: id, field: 'webhook' })

/** `#seal` is the only writer of `data`. */
const dataOf = (row: StoredRow): EndpointData => row.data as unknown as EndpointData

function viewOf(row: StoredRow): WebhookEndpoint {
  const { connectionId, secrets, unconfirmed, createdAt } = dataOf(row)
  const { id, tenant, owner, kind } = row
  return { id, tenant, owner, connector: kind!, connectionId, secrets, unconfirmed, createdAt }
}
