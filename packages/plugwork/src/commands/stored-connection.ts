/** What the commands on stored connections share: opening them, finding one by what was typed, showing one. */
import { createEgress, type Connector } from '@plugwork/core/node'
import type { Connection } from '@plugwork/connections'
import { closest } from '@plugwork/core'
import { findConnectionStore } from '../connection-store.ts'
import { connectorsOf } from '../connectors.ts'
import type { Context } from '../context.ts'
import { UsageError } from '../exit.ts'
import type { ProjectFolder } from '../project-folder.ts'
import { table, timestamp } from '../render/text.ts'
import { openKeptConnections, TENANT_ACTOR, type KeptConnections } from '../stored-connections.ts'
import { folderOf, type StoreFlags } from './runs.ts'

export type ConnectionFlags = StoreFlags

export interface OpenedConnections extends KeptConnections, AsyncDisposable {
  readonly folder: ProjectFolder
  readonly connectors: readonly Connector[]
}

/** Does something with all connectors that the project can use, those of its packages included. */
export async function withConnectors<T>(
  context: Context,
  flags: ConnectionFlags,
  work: (connectors: readonly Connector[]) => Promise<T>,
): Promise<T> {
  using known = await connectorsOf(folderOf(context, flags).directory)
  return await work(known.connectors.map(({ connector }) => connector))
}

/** Opens the stored connections of the project; they may be open in a server at the same time. */
export async function openStored(
  context: Context,
  flags: ConnectionFlags,
  connectors: readonly Connector[],
): Promise<OpenedConnections> {
  const folder = folderOf(context, flags)
  const egress = createEgress({ allow: folder.settings.egressAllow })
  try {
    const kept = await openKeptConnections({
      directory: folder.directory,
      settings: folder.settings,
      environment: context.environment,
      connectors,
      egress,
      log: (level, message) => context.note(`${context.noteStyle.warn(level)} ${message}`),
    })
    return {
      ...kept,
      folder,
      connectors,
      async [Symbol.asyncDispose]() {
        await kept.close()
        await egress.close()
      },
    }
  } catch (error) {
    await egress.close()
    throw error
  }
}

export function connectorCalled(connectors: readonly Connector[], wanted: string): Connector {
  const found = connectors.find(({ name }) => name === wanted)
  if (found !== undefined) return found
  const names = connectors.map(({ name }) => name)
  const near = closest(wanted, names)
  throw new UsageError(
    `There is no connector ${wanted}.${near === undefined ? '' : ` Did you mean ${near}?`}`,
    `Connectors: ${names.join(', ')}.`,
  )
}

/** Everything that is stored; nothing is made where nothing is. */
export async function listStored(
  context: Context,
  flags: ConnectionFlags,
  connectors: readonly Connector[],
): Promise<readonly Connection[]> {
  const store = await findConnectionStore(folderOf(context, flags).settings)
  if (store === null) return []
  await store.close()
  await using opened = await openStored(context, flags, connectors)
  return allOf(opened)
}

async function allOf({ connections }: KeptConnections): Promise<readonly Connection[]> {
  const all: Connection[] = []
  for (let after: string | undefined; ;) {
    const page = await connections.list({ actor: TENANT_ACTOR, limit: 100, ...(after === undefined ? {} : { after }) })
    all.push(...page)
    if (page.length < 100) break
    after = page.at(-1)!.id
  }
  return all.toSorted((a, b) => `${a.connector}/${a.name}`.localeCompare(`${b.connector}/${b.name}`))
}

/** A connection by id, name, or `connector/name` where several have the name. */
export async function findStored(opened: KeptConnections, wanted: string): Promise<Connection> {
  const all = await allOf(opened)
  const own = all.filter(({ owner }) => owner === null)
  const found = all.filter(({ id }) => id === wanted)
  const named = found.length > 0 ? found : own.filter((one) => [one.name, fullName(one)].includes(wanted))
  const [only, second] = named
  if (only === undefined) {
    const names = own.map(fullName)
    const near = closest(wanted, [...names, ...own.map(({ name }) => name)])
    throw new UsageError(
      `There is no stored connection ${wanted}.${near === undefined ? '' : ` Did you mean ${near}?`}`,
      names.length === 0 ? 'Add one: plugwork connection add CONNECTOR' : `Stored: ${names.join(', ')}.`,
    )
  }
  if (second !== undefined) {
    throw new UsageError(
      `Several stored connections are called ${wanted}.`,
      `Name one: ${named.map(fullName).join(', ')}.`,
    )
  }
  return only
}

export function fullName({ connector, name }: Pick<Connection, 'connector' | 'name'>): string {
  return `${connector}/${name}`
}

/** A connection as `--json` shows it. No secret is in it. */
export function shownConnection(connection: Connection) {
  const { id, owner, connector, name, method, settings, secrets, metadata, scopes, status, reason } = connection
  const time = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString())
  return {
    id,
    owner,
    connector,
    name,
    method,
    status,
    reason: reason === null ? null : { ...reason, at: time(reason.at) },
    settings,
    secrets,
    metadata,
    scopes,
    expires_at: time(connection.expiresAt),
    created_at: time(connection.createdAt),
    updated_at: time(connection.updatedAt),
    refreshed_at: time(connection.refreshedAt),
    checked_at: time(connection.checkedAt),
  }
}

export function printStored(context: Context, stored: readonly Connection[]): void {
  const { bold, dim, good, bad, warn } = context.style
  const states = { active: good, refreshing: good, needs_reauth: bad, revoked: bad, error: warn }
  context.print(
    table(
      stored.map((one) => [
        bold(one.name),
        one.connector,
        one.method ?? dim('–'),
        states[one.status](one.status),
        dim(
          [
            one.owner === null ? null : `of user ${one.owner}`,
            one.reason?.message,
            one.expiresAt === null ? null : `token until ${timestamp(one.expiresAt)}`,
          ]
            .filter((part) => typeof part === 'string')
            .join(', '),
        ),
      ]),
      context.wrapAt,
    ),
  )
}
