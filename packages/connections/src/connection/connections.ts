/**
 * Stored connections: made, found, changed, checked, used and removed. Each call says on whose behalf it is made (`actor`);
 * whoever may not see a connection is told that there is none.
 */
import { randomUUID } from 'node:crypto'
import { PlugworkError } from '@plugwork/core'
import { Redactor, systemClock, type Clock, type Connector, type Egress } from '@plugwork/core/node'
import type { OAuthTokens, TokenSet } from '../oauth/token-set.ts'
import type { RefreshTiming } from '../refresh/refresher.ts'
import type { ConnectionStore } from '../store/connection-store.ts'
import type { Vault } from '../vault/vault.ts'
import { checkAccess, isAllowed, type Actor, type Authorize, type ConnectionOperation } from './access.ts'
import { viewOf, type Connection, type ConnectionRow, type ConnectionStatus, type StatusReason } from './connection.ts'
import { checkInput, configOf, makesTokens, methodOf, type ConnectionFields } from './connection-input.ts'
import { ConnectionTokens, type FindClient } from './connection-tokens.ts'
import type {
  CreateConnection,
  FindConnection,
  ListConnections,
  OpenConnection,
  ReconnectConnection,
  UpdateConnection,
} from './connection-requests.ts'
import { ConnectionRows, type RowChange } from './connection-rows.ts'
import { connectionError, ERRORS, notFound } from './errors.ts'
import { ConnectionEvents, type ConnectionListener } from './events.ts'
import { secretTexts } from './stored-connections.ts'
import { needsNoPerson, readCredential, sealCredential } from './stored-tokens.ts'
import { verifyConnection } from './verify-connection.ts'

export interface ConnectionsOptions {
  readonly store: ConnectionStore
  readonly vault: Vault
  readonly connectors: readonly Connector[]
  readonly tokens: OAuthTokens
  readonly client: FindClient
  /** For checks. */
  readonly egress: Egress
  /** Against which relative paths in configs are resolved. Default: the working directory. */
  readonly directory?: string
  readonly authorize?: Authorize
  readonly clock?: Clock
  readonly random?: () => number
  readonly timing?: Partial<RefreshTiming>
  readonly log?: (level: 'warn' | 'error', message: string) => void
}

const DEFAULT_NAME = 'default'
const NEVER = new AbortController().signal

export class Connections {
  readonly #options: ConnectionsOptions
  readonly #clock: Clock
  readonly #rows: ConnectionRows
  readonly #connectors: Map<string, Connector>
  readonly #events: ConnectionEvents
  readonly #tokens: ConnectionTokens

  constructor(options: ConnectionsOptions) {
    const log = options.log ?? (() => undefined)
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#rows = new ConnectionRows(options.store)
    this.#connectors = new Map(options.connectors.map((connector) => [connector.name, connector]))
    this.#events = new ConnectionEvents((error) =>
      log('error', `a listener to connections failed: ${messageOf(error)}`),
    )
    this.#tokens = new ConnectionTokens({
      ...options,
      clock: this.#clock,
      rows: this.#rows,
      connector: (name) => this.#connector(name),
      log,
      changed: (row, from, refreshed) => {
        this.#tellStatus(row, from)
        if (refreshed) this.#tell('refreshed', row)
      },
    })
  }

  /** Makes one more connector known; one of the same name is replaced. */
  register(connector: Connector): void {
    this.#connectors.set(connector.name, connector)
  }

  /** Calls back for everything that this process does to connections; answers the function that ends it. */
  subscribe(listener: ConnectionListener): () => void {
    return this.#events.subscribe(listener)
  }

  /** Throws `connection_invalid`, `connection_exists`, `connection_forbidden`. */
  async create(input: CreateConnection): Promise<Connection> {
    const { actor, connector: connectorName, name = DEFAULT_NAME, metadata = {} } = input
    const owner = input.owner === undefined ? actor.user : input.owner
    const place = { tenant: actor.tenant, owner, connector: connectorName, name }
    const subject = { actor, operation: 'create', connection: { ...place, id: null, metadata } } as const
    await checkAccess(subject, this.#options.authorize)
    const { method, settings, credential } = checkInput(this.#connector(connectorName), input)
    const now = this.#clock.now()
    const id = `con_${randomUUID()}`
    const bare: Omit<ConnectionRow, 'version'> = {
      ...place,
      id,
      due: null,
      data: {
        method: method?.name ?? null,
        settings,
        metadata,
        scopes: null,
        status: 'active',
        reason: null,
        credential: await sealCredential(this.#options.vault, { id, tenant: actor.tenant }, credential),
        secrets: Object.keys(credential),
        tokens: null,
        tokenVersion: 0,
        obtainedAt: null,
        expiresAt: null,
        renewable: method !== null && needsNoPerson(method.auth),
        lease: null,
        cooldownUntil: null,
        createdAt: now,
        updatedAt: now,
        refreshedAt: null,
        checkedAt: null,
      },
    }
    const row = await this.#withTokens(bare, input.tokens)
    if (!(await this.#rows.insert(row))) throw exists(row)
    this.#tell('created', { ...row, version: 1 })
    return viewOf({ ...row, version: 1 }, now)
  }

  async get(actor: Actor, id: string): Promise<Connection> {
    return viewOf(await this.#allowed(actor, id, 'read'), this.#clock.now())
  }

  /** The connection of an owner by name; null when there is none that the actor may see. */
  async find(query: FindConnection): Promise<Connection | null> {
    const { actor, owner = actor.user, connector, name = DEFAULT_NAME } = query
    const [found] = await this.list({ actor, owner, connector, name, limit: 1 })
    return found ?? null
  }

  /** In the order of ids; what the actor may not see is left out. A page is full unless it is the last. */
  async list({ actor, owner, connector, name, after, limit = 100 }: ListConnections): Promise<readonly Connection[]> {
    const found: Connection[] = []
    const query = {
      tenant: actor.tenant,
      ...(owner === undefined ? {} : { owner }),
      ...(connector === undefined ? {} : { kind: connector }),
      ...(name === undefined ? {} : { name }),
    }
    let last = after
    while (found.length < limit) {
      const page = await this.#rows.list({ ...query, ...(last === undefined ? {} : { after: last }), limit })
      for (const row of page) {
        const connection = viewOf(row, this.#clock.now())
        if (await isAllowed({ actor, operation: 'read', connection }, this.#options.authorize)) found.push(connection)
      }
      if (page.length < limit) break
      last = page.at(-1)!.id
    }
    return found.slice(0, limit)
  }

  /** Changes what is given; a secret that is left out stays. `metadata` replaces. One that was disconnected is reconnected instead. */
  async update(actor: Actor, id: string, change: UpdateConnection): Promise<Connection> {
    for (;;) {
      const row = await this.#allowed(actor, id, 'update')
      if (change.credential !== undefined && row.data.status === 'revoked') {
        assertUsable(viewOf(row, this.#clock.now()))
      }
      const updated = await this.#update(row, change)
      if (updated !== null) return updated
    }
  }

  /** Connects again in place: id, name and everything that refers to it stay; its state is `active` afterwards. */
  async reconnect(actor: Actor, id: string, input: ReconnectConnection): Promise<Connection> {
    const row = await this.#allowed(actor, id, 'update')
    const fields = {
      method: input.method ?? row.data.method ?? undefined,
      settings: input.settings ?? row.data.settings,
      credential: input.credential ?? (await readCredential(this.#options.vault, row)),
    }
    const now = this.#clock.now()
    const next = await this.#fields(row, fields)
    const tokens = input.tokens
    const method = methodOf(this.#connector(row.connector), next.method)
    const renewable = method !== null && needsNoPerson(method.auth)
    const without = {
      tokens: null,
      expiresAt: null,
      obtainedAt: null,
      renewable,
      tokenVersion: row.data.tokenVersion + 1,
    }
    const made =
      tokens === undefined ? { due: null, data: without } : await this.#tokens.change(row, tokens, false, method)
    return this.#change(id, 'reconnected', (current) => ({
      due: made.due ?? null,
      data: {
        ...next,
        ...made.data,
        // Above whatever a refresh under way has reached, so that it does not overwrite this.
        tokenVersion: current.data.tokenVersion + 1,
        status: 'active',
        reason: null,
        lease: null,
        cooldownUntil: null,
        updatedAt: now,
      },
    }))
  }

  /**
   * Ends the connection and keeps its row: tokens are revoked at the provider where it can do so, and all secrets are
   * deleted here in any case. It can be connected again.
   */
  async disconnect(actor: Actor, id: string): Promise<Connection> {
    const row = await this.#allowed(actor, id, 'remove')
    await this.#tokens.revoke(row)
    return this.#markDisconnected(id)
  }

  /** Revokes as `disconnect` does, and deletes the row. */
  async remove(actor: Actor, id: string): Promise<void> {
    const row = await this.#allowed(actor, id, 'remove')
    await this.#tokens.revoke(row)
    const removed = await this.#rows.remove(id)
    this.#tokens.forget(id)
    if (removed) this.#tell('removed', row)
  }

  /** Asks the service whether the connection works. Throws `connection_check_failed`; the state says so too. */
  async check(actor: Actor, id: string, signal: AbortSignal = NEVER): Promise<{ readonly message: string }> {
    const open = await this.open(actor, id)
    const { egress, directory = process.cwd() } = this.#options
    try {
      const outcome = await verifyConnection(open, { egress, directory, signal })
      await this.#checked(id, null)
      return outcome
    } catch (error) {
      if (signal.aborted) throw error
      // It has a state of its own already.
      if (error instanceof PlugworkError && Object.hasOwn(ERRORS, error.code)) throw error
      // Services and drivers repeat what they were sent.
      const redact = new Redactor(secretTexts(open)).text
      const message = redact(`${open.connection.connector} says: ${messageOf(error)}`)
      await this.#checked(id, { code: 'check_failed', message, at: this.#clock.now() })
      throw connectionError(
        'connection_check_failed',
        `The connection "${open.connection.name}" does not work. ${message}`,
        {
          data: { connection: id },
        },
      )
    }
  }

  /** What a connector is connected with. Throws `connection_forbidden`, `connection_needs_reauth`, `connection_revoked`. */
  async open(actor: Actor, id: string, action?: string): Promise<OpenConnection> {
    const row = await this.#allowed(actor, id, 'use', action)
    const connector = this.#connector(row.connector)
    const method = methodOf(connector, row.data.method)
    const connection = viewOf(row, this.#clock.now())
    assertUsable(connection)
    const credential = await readCredential(this.#options.vault, row)
    if (method === null || !makesTokens(method.auth)) {
      return { connection, connector, config: configOf(connector, row.data.settings, credential) }
    }
    const config = configOf(connector, row.data.settings, {})
    return { connection, connector, config, credentials: this.#tokens.source(id, method.name) }
  }

  /**
   * Refreshes tokens that nobody has used for so long that the provider would drop them. Answers how many. Call it every
   * few minutes in any number of processes; each token is refreshed once.
   */
  async keepAlive(signal: AbortSignal = NEVER): Promise<number> {
    let refreshed = 0
    let after: string | undefined
    for (;;) {
      const page = { dueBefore: this.#clock.now(), limit: 100, ...(after === undefined ? {} : { after }) }
      const rows = await this.#rows.list(page)
      for (const row of rows) {
        signal.throwIfAborted()
        try {
          const before = row.data.tokenVersion
          const { data } = await this.#tokens.refresh(row.id, before, true)
          if (data.tokenVersion > before) refreshed += 1
        } catch (error) {
          // Its state and event say so; the others have their turn.
          if (!(error instanceof PlugworkError)) throw error
        }
      }
      if (rows.length < page.limit) return refreshed
      after = rows.at(-1)!.id
    }
  }

  /** Removes all of a tenant: its connections, then the keys without which copies of them cannot be read. */
  async shred(tenant: string): Promise<{ readonly connections: number; readonly dataKeys: number }> {
    let connections = 0
    for (;;) {
      const rows = await this.#rows.list({ tenant, limit: 100 })
      for (const row of rows) {
        if (!(await this.#rows.remove(row.id))) continue
        this.#tokens.forget(row.id)
        connections += 1
        this.#tell('removed', row)
      }
      if (rows.length === 0) break
    }
    return { connections, dataKeys: await this.#options.vault.shred(tenant) }
  }

  /** Null when the secrets were changed meanwhile: they were read to be kept. */
  async #update(row: ConnectionRow, change: UpdateConnection): Promise<Connection | null> {
    let data: RowChange['data'] = change.metadata === undefined ? {} : { metadata: change.metadata }
    if (change.settings !== undefined || change.credential !== undefined) {
      const { settings = row.data.settings } = change
      const kept = { ...(await readCredential(this.#options.vault, row)), ...change.credential }
      data = { ...data, ...(await this.#fields(row, { settings, credential: kept })) }
    }
    const now = this.#clock.now()
    return this.#change(row.id, 'updated', (current) => {
      if (current.data.credential !== row.data.credential) return null
      return { ...(change.name === undefined ? {} : { name: change.name }), data: { ...data, updatedAt: now } }
    })
  }

  async #withTokens(
    row: Omit<ConnectionRow, 'version'>,
    tokens: TokenSet | undefined,
  ): Promise<Omit<ConnectionRow, 'version'>> {
    if (tokens === undefined) return row
    const change = await this.#tokens.change({ ...row, version: 0 }, tokens, false)
    return { ...row, due: change.due ?? null, data: { ...row.data, ...change.data } }
  }

  async #fields(
    row: ConnectionRow,
    fields: ConnectionFields,
  ): Promise<Pick<ConnectionRow['data'], 'method' | 'settings' | 'credential' | 'secrets'>> {
    const method = fields.method ?? row.data.method ?? undefined
    const {
      method: found,
      settings,
      credential,
    } = checkInput(this.#connector(row.connector), {
      ...fields,
      ...(method === undefined ? {} : { method }),
    })
    return {
      method: found?.name ?? null,
      settings,
      credential: await sealCredential(this.#options.vault, row, credential),
      secrets: Object.keys(credential),
    }
  }

  async #markDisconnected(id: string): Promise<Connection> {
    const now = this.#clock.now()
    const reason: StatusReason = { code: 'disconnected', message: 'it was disconnected here.', at: now }
    return this.#change(id, 'updated', (row) => ({
      due: null,
      data: {
        status: 'revoked',
        reason,
        credential: null,
        secrets: [],
        tokens: null,
        tokenVersion: row.data.tokenVersion + 1,
        expiresAt: null,
        obtainedAt: null,
        renewable: false,
        lease: null,
        updatedAt: now,
      },
    }))
  }

  async #checked(id: string, reason: StatusReason | null): Promise<void> {
    const checkedAt = this.#clock.now()
    const written = await this.#rows.change(id, ({ data }) => {
      if (data.status === 'revoked' || data.status === 'needs_reauth') return null
      return { data: { checkedAt, status: reason === null ? 'active' : 'error', reason } }
    })
    if (written.outcome === 'done') this.#tellStatus(written.row, written.before.data.status)
  }

  /** Null when `change` was. */
  async #change<Change extends RowChange | null>(
    id: string,
    type: 'updated' | 'reconnected',
    change: (row: ConnectionRow) => Change,
  ): Promise<Change extends null ? Connection | null : Connection>
  async #change(
    id: string,
    type: 'updated' | 'reconnected',
    change: (row: ConnectionRow) => RowChange | null,
  ): Promise<Connection | null> {
    const written = await this.#rows.change(id, change)
    if (written.outcome === 'left') return null
    if (written.outcome === 'taken') {
      throw connectionError('connection_exists', 'Another connection has this name; choose another one.')
    }
    if (written.outcome !== 'done') throw notFound(id)
    this.#tokens.changed(id)
    this.#tell(type, written.row)
    this.#tellStatus(written.row, viewOf(written.before, this.#clock.now()).status)
    return viewOf(written.row, this.#clock.now())
  }

  async #read(id: string): Promise<ConnectionRow> {
    const row = await this.#rows.read(id)
    if (row === null) throw notFound(id)
    return row
  }

  async #allowed(actor: Actor, id: string, operation: ConnectionOperation, action?: string): Promise<ConnectionRow> {
    const row = await this.#read(id)
    const connection = viewOf(row, this.#clock.now())
    const request = { actor, operation, connection, ...(action === undefined ? {} : { action }) }
    await checkAccess(request, this.#options.authorize)
    return row
  }

  #connector(name: string): Connector {
    const connector = this.#connectors.get(name)
    if (connector !== undefined) return connector
    throw connectionError(
      'connection_invalid',
      `There is no connector "${name}" here. Install it, or correct the name.`,
      {
        data: { connector: name },
      },
    )
  }

  #tell(type: 'created' | 'updated' | 'reconnected' | 'refreshed' | 'removed', row: ConnectionRow): void {
    const at = this.#clock.now()
    this.#events.emit({ type, connection: viewOf(row, at), at })
  }

  #tellStatus(row: ConnectionRow, from: ConnectionStatus): void {
    const at = this.#clock.now()
    const connection = viewOf(row, at)
    const { status: to, reason } = connection
    if (to !== from) this.#events.emit({ type: 'status', connection, from, to, reason, at })
  }
}

function assertUsable({ status, reason, id, name, connector }: Connection): void {
  if (status !== 'needs_reauth' && status !== 'revoked') return
  const code = status === 'revoked' ? 'connection_revoked' : 'connection_needs_reauth'
  throw connectionError(
    code,
    `The connection "${name}" to ${connector} has to be connected again: ${reason?.message ?? ''}`,
    {
      data: { connection: id, reason: reason?.code ?? null },
    },
  )
}

function exists({ name, connector }: Pick<ConnectionRow, 'name' | 'connector'>): PlugworkError {
  return connectionError(
    'connection_exists',
    `There is a connection "${name}" to ${connector} already. Give another name, or reconnect that one.`,
    { data: { connector, name } },
  )
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
