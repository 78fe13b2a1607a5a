/** `plugwork connection add`: stores a connection, once its service has said that it works. */
import type { AuthMethod, Connector } from '@plugwork/core/node'
import type { Connection, TokenSet } from '@plugwork/connections'
import type { Context } from '../context.ts'
import { EXIT, UsageError } from '../exit.ts'
import { TENANT_ACTOR } from '../stored-connections.ts'
import { readFields, type FieldFlags, type GivenFields } from './connection-fields.ts'
import { signIn, type SignInFlags } from './sign-in.ts'
import {
  connectorCalled,
  fullName,
  openStored,
  shownConnection,
  withConnectors,
  type ConnectionFlags,
  type OpenedConnections,
} from './stored-connection.ts'

export interface AddFlags extends ConnectionFlags, FieldFlags, SignInFlags {
  readonly name: string
  readonly method?: string
  /** False with `--no-test`. */
  readonly test: boolean
  readonly replace?: boolean
}

export async function add(context: Context, name: string, flags: AddFlags): Promise<number> {
  return withConnectors(context, flags, (connectors) => addTo(context, connectors, name, flags))
}

/** The same with the connectors given. */
export async function addTo(
  context: Context,
  connectors: readonly Connector[],
  name: string,
  flags: AddFlags,
): Promise<number> {
  const connector = connectorCalled(connectors, name)
  const { method, auth } = methodNamed(connector, flags.method)
  const fields = await readFields(context, connector, auth, flags)
  await using opened = await openStored(context, flags, connectors)
  const { connections } = opened
  const before = await connections.find({ actor: TENANT_ACTOR, connector: connector.name, name: flags.name })
  if (before !== null && flags.replace !== true) {
    throw new UsageError(
      `There is a connection ${fullName(before)} already.`,
      'Give another --name, or --replace its settings and credential; flows that use it go on.',
    )
  }
  const tokens =
    auth?.kind === 'oauth2' && needsPerson(auth)
      ? await signIn(context, opened, { connector, method: method!, auth, fields, flags })
      : undefined
  const stored = await keep(opened, { connector, method, fields, tokens, before, name: flags.name })
  return await verify(context, opened, { stored, isNew: before === null, flags })
}

interface Keep {
  readonly connector: Connector
  readonly method: string | null
  readonly fields: GivenFields
  readonly tokens: TokenSet | undefined
  readonly before: Connection | null
  readonly name: string
}

async function keep({ connections }: OpenedConnections, what: Keep): Promise<Connection> {
  const { connector, method, fields, tokens, before, name } = what
  const given = { ...fields, ...(method === null ? {} : { method }), ...(tokens === undefined ? {} : { tokens }) }
  return before === null
    ? connections.create({ actor: TENANT_ACTOR, connector: connector.name, name, ...given })
    : connections.reconnect(TENANT_ACTOR, before.id, given)
}

async function verify(
  context: Context,
  { connections }: OpenedConnections,
  { stored, isNew, flags }: { readonly stored: Connection; readonly isNew: boolean; readonly flags: AddFlags },
): Promise<number> {
  let said: string | null = null
  if (flags.test) {
    try {
      said = (await connections.check(TENANT_ACTOR, stored.id)).message
    } catch (error) {
      // What does not work is not kept; what others use already is, and its state says so.
      if (isNew) await connections.remove(TENANT_ACTOR, stored.id)
      const kept = isNew ? 'Nothing was stored; --no-test stores it all the same.' : 'It is stored as it is now.'
      context.note(kept)
      throw error
    }
  }
  const now = await connections.get(TENANT_ACTOR, stored.id)
  if (flags.json) context.json({ connection: shownConnection(now), message: said })
  else {
    const { good, bold, dim } = context.style
    context.print(`${good('✔')} ${bold(fullName(now))} ${dim(said ?? 'stored, not tested')}`)
    context.print(dim(`  In a flow: connections: { ${word(now.name)}: { type: ${now.connector}, use: ${now.name} } }`))
  }
  return EXIT.done
}

/** A connection's name in a flow is an identifier. */
const word = (name: string): string => name.replaceAll(/\W/g, '_').replace(/^(?=\d)/, '_')

export function needsPerson(auth: Extract<AuthMethod, { readonly kind: 'oauth2' }>): boolean {
  return auth.grant === 'authorization_code' || auth.grant === 'device_code'
}

export function methodNamed(
  connector: Connector,
  name: string | undefined,
): { readonly method: string | null; readonly auth: AuthMethod | null } {
  const methods = Object.entries(connector.auth ?? {})
  const found = name === undefined ? methods[0] : methods.find(([candidate]) => candidate === name)
  if (found !== undefined) return { method: found[0], auth: found[1] }
  if (name === undefined) return { method: null, auth: null }
  throw new UsageError(
    `${connector.name} has no way to authenticate called ${name}.`,
    methods.length === 0 ? 'Leave --method out.' : `Methods: ${methods.map(([method]) => method).join(', ')}.`,
  )
}
