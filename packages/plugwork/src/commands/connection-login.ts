/** `plugwork connection login`: signs in to a service, anew for a connection that there is, else for a new one. */
import type { Connector } from '@plugwork/core/node'
import { closest } from '@plugwork/core'
import type { Connection } from '@plugwork/connections'
import type { Context } from '../context.ts'
import { EXIT, UsageError } from '../exit.ts'
import { TENANT_ACTOR } from '../stored-connections.ts'
import { addTo, methodNamed, needsPerson } from './connection-add.ts'
import { signIn, type SignInFlags } from './sign-in.ts'
import {
  findStored,
  fullName,
  openStored,
  shownConnection,
  withConnectors,
  type ConnectionFlags,
} from './stored-connection.ts'

export interface LoginFlags extends ConnectionFlags, SignInFlags {
  readonly name: string
  readonly method?: string
  readonly set: readonly string[]
}

export async function login(context: Context, target: string, flags: LoginFlags): Promise<number> {
  return withConnectors(context, flags, (connectors) => loginWith(context, connectors, target, flags))
}

/** The same with the connectors given. */
export async function loginWith(
  context: Context,
  connectors: readonly Connector[],
  target: string,
  flags: LoginFlags,
): Promise<number> {
  const connector = connectors.find(({ name }) => name === target)
  if (connector === undefined) return again(context, connectors, target, flags)
  const method = flags.method ?? personalMethod(connector)
  {
    await using opened = await openStored(context, flags, connectors)
    const there = await opened.connections.find({ actor: TENANT_ACTOR, connector: connector.name, name: flags.name })
    if (there !== null) return await reconnect(context, opened, there, { ...flags, method })
  }
  return addTo(context, connectors, target, { ...flags, method, credential: [], test: true })
}

/** A connection that was named; its settings stay. */
async function again(
  context: Context,
  connectors: readonly Connector[],
  target: string,
  flags: LoginFlags,
): Promise<number> {
  await using opened = await openStored(context, flags, connectors)
  const stored = await findStored(opened, target).catch((error: unknown) => {
    const near = closest(
      target,
      connectors.map(({ name }) => name),
    )
    if (near === undefined || !(error instanceof UsageError)) throw error
    throw new UsageError(`There is neither a stored connection nor a connector ${target}.`, `Did you mean ${near}?`)
  })
  return await reconnect(context, opened, stored, flags)
}

async function reconnect(
  context: Context,
  opened: Awaited<ReturnType<typeof openStored>>,
  stored: Connection,
  flags: Omit<LoginFlags, 'name'>,
): Promise<number> {
  const connector = opened.connectors.find(({ name }) => name === stored.connector)
  if (connector === undefined) throw new UsageError(`The connector ${stored.connector} is not installed.`)
  if (flags.set.length > 0) {
    throw new UsageError(
      `${fullName(stored)} has its settings already.`,
      `Change them with plugwork connection add ${stored.connector} --name ${stored.name} --replace --set …`,
    )
  }
  const { method, auth } = methodNamed(connector, flags.method ?? stored.method ?? undefined)
  if (method === null || auth?.kind !== 'oauth2' || !needsPerson(auth)) {
    throw new UsageError(
      `Nobody signs in to ${fullName(stored)}: its credential is given (method ${method ?? 'none'}).`,
      `Replace it: plugwork connection add ${stored.connector} --name ${stored.name} --replace`,
    )
  }
  const fields = { settings: stored.settings, credential: {} }
  const tokens = await signIn(context, opened, { connector, method, auth, fields, flags })
  await opened.connections.reconnect(TENANT_ACTOR, stored.id, { method, tokens })
  const { message } = await opened.connections.check(TENANT_ACTOR, stored.id)
  const now = await opened.connections.get(TENANT_ACTOR, stored.id)
  if (flags.json) context.json({ connection: shownConnection(now), message })
  else context.print(`${context.style.good('✔')} ${context.style.bold(fullName(now))} ${context.style.dim(message)}`)
  return EXIT.done
}

function personalMethod(connector: Connector): string {
  const found = Object.entries(connector.auth ?? {}).find(([, auth]) => auth.kind === 'oauth2' && needsPerson(auth))
  if (found !== undefined) return found[0]
  throw new UsageError(
    `Nobody signs in to ${connector.name}: its credential is given.`,
    `Use plugwork connection add ${connector.name}.`,
  )
}
