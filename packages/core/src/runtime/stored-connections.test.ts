import { expect, it } from 'vitest'
import { z } from 'zod'

import type { Connector } from '../connector/connector.ts'
import type { CredentialSource } from '../connector/credential.ts'
import { describeConnector } from '../connector/describe-connector.ts'
import { PlugworkError } from '../error.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import type { StoredConnection, StoredConnectionRequest, StoredConnections } from './stored-connections.ts'
import { openWorkshop, TENANT, type WorkshopOptions } from './testing/workshop.ts'

const flow = (name: string, connection = 'type: svc, use: work') => `
flow: ${name}
connections:
  main: { ${connection} }
steps:
  - { id: a, svc.act: { connection: main } }
outputs:
  - { name: said, value: "\${a.said}" }
`

/** A service with one account whose connection somebody else keeps, and everything that was asked of it. */
async function open(options: Partial<WorkshopOptions> = {}) {
  const clock = new VirtualClock()
  const asked: StoredConnectionRequest[] = []
  const clients: { config: unknown; directory: string; closed: boolean }[] = []
  const state: { stored: StoredConnection; refuse: PlugworkError | null; token: string; fails: PlugworkError | null } =
    {
      stored: { id: 'con_1', version: '1', config: { key: 'stored-secret-1' }, secrets: ['stored-secret-1'] },
      refuse: null,
      token: 'token-secret-1',
      fails: null,
    }
  const stored: StoredConnections = {
    open: async (request) => {
      asked.push(request)
      if (state.refuse !== null) throw state.refuse
      return state.stored
    },
  }
  const credentials: CredentialSource = {
    current: async () => ({ method: 'oauth', token: state.token, metadata: {}, expiresAt: null }),
    rejected: async () => null,
  }
  const connector: Connector = {
    name: 'svc',
    title: 'Service',
    description: 'A service.',
    version: '1.0.0',
    prefixes: [],
    config: z.object({ key: z.string() }) as unknown as z.ZodObject,
    connect: async (config, context) => {
      const client = { config, directory: context.directory, closed: false, credentials: context.credentials }
      clients.push(client)
      return client
    },
    disconnect: async (client) => void ((client as { closed: boolean }).closed = true),
    actions: {
      act: {
        description: 'Says what it was given.',
        input: z.object({}),
        output: z.object({ said: z.string() }),
        effect: 'write',
        idempotency: 'natural',
        run: async (context) => {
          const { config, credentials: source } = context.client as {
            readonly config: { readonly key: string }
            readonly credentials?: CredentialSource
          }
          if (state.fails !== null) throw state.fails
          const token = source === undefined ? '' : (await source.current(context.signal)).token
          context.log('info', `key ${config.key} token ${token}`)
          return { said: `key ${config.key} token ${token}` }
        },
      },
    },
    scaffold: () => '',
    example: () => ({ fileName: '', source: '' }),
  }
  const shop = await openWorkshop({
    flows: [flow('One'), flow('Two')],
    connectors: [connector],
    catalog: [describeConnector(connector)],
    clock,
    runtime: { storedConnections: stored },
    ...options,
  })
  return { shop, clock, state, asked, clients, credentials, connector }
}

it('is opened for its flow, action and user, and is one for all flows', async () => {
  const { shop, asked, clients, state } = await open()
  state.stored = { ...state.stored, directory: '/project' }
  await shop.run('One')
  await shop.run('Two')
  expect(asked).toEqual([
    { tenant: TENANT, user: null, connector: 'svc', name: 'work', flow: 'One', action: 'svc.act' },
    { tenant: TENANT, user: null, connector: 'svc', name: 'work', flow: 'Two', action: 'svc.act' },
  ])
  expect(clients).toMatchObject([{ config: { key: 'stored-secret-1' }, directory: '/project' }])
  const { rid } = await shop.start('One', {}, { user: 'ada' })
  await shop.runtime.finished(rid)
  expect(asked.at(-1)).toMatchObject({ user: 'ada' })
})

it('keeps the user of a run for its sub-flows, its replays, and after a crash', async () => {
  const parent = `
flow: Parent
steps:
  - { id: nap, wait: 1h }
  - { id: child, subflow: One }
`
  const { shop, asked, clock } = await open({ flows: [flow('One'), parent] })
  const { id } = await shop.start('Parent', {}, { user: 'ada' })
  await shop.parked(id, 'timer')
  await shop.reopen()
  await clock.advance(3_600_000)
  expect(await shop.ended(id)).toMatchObject({ status: 'succeeded' })
  expect(asked.map(({ user }) => user)).toEqual(['ada'])
  await clock.advance(2_000)
  const outcome = await shop.runtime.replay(TENANT, id, { from: 'child' })
  if (outcome.kind !== 'done') throw new Error(JSON.stringify(outcome))
  await shop.ended(outcome.id)
  expect(asked.map(({ user }) => user)).toEqual(['ada', 'ada'])
})

it('is believed for a second; a change of it replaces the client, a disconnect closes it', async () => {
  const { shop, clock, state, asked, clients } = await open()
  await shop.run('One')
  await shop.run('One')
  expect(asked).toHaveLength(1)
  await clock.advance(1_000)
  await shop.run('One')
  expect(asked).toHaveLength(2)
  expect(clients).toHaveLength(1)
  state.stored = { ...state.stored, version: '2', config: { key: 'stored-secret-2' }, secrets: ['stored-secret-2'] }
  await clock.advance(1_000)
  await shop.run('One')
  expect(clients).toMatchObject([{ closed: true }, { config: { key: 'stored-secret-2' }, closed: false }])
  state.refuse = new PlugworkError('connection_not_found', 'There is no stored connection "work" to svc.')
  await clock.advance(1_000)
  expect(await shop.run('One')).toMatchObject({ status: 'failed', error: { code: 'connection_not_found', step: 'a' } })
  expect(clients[1]!.closed).toBe(true)
})

it('leaves no secret and no token in outputs, logs and errors, renewed ones included', async () => {
  const { shop, state, credentials } = await open()
  state.stored = { ...state.stored, credentials }
  const { id, rid } = await shop.start('One')
  expect(await shop.runtime.finished(rid)).toMatchObject({ outputs: { said: 'key *** token ***' } })
  const [step] = (await shop.detail(id)).steps
  expect(step!.logs.map(({ message }) => message)).toEqual(['key *** token ***'])
  state.token = 'token-secret-2'
  expect(await shop.run('One')).toMatchObject({ outputs: { said: 'key *** token ***' } })
  state.fails = new PlugworkError('svc_down', 'refused token-secret-2, and token-secret-1 before')
  expect(await shop.run('One')).toMatchObject({ error: { code: 'svc_down', message: 'refused ***, and *** before' } })
})

it.each(['before the action runs', 'while it runs'])(
  'holds the step where somebody has to sign in, %s',
  async (when) => {
    const { shop, clock, state } = await open()
    const error = new PlugworkError(
      'connection_needs_reauth',
      'The connection "work" has to be connected again: expired.',
    )
    if (when === 'while it runs') state.fails = error
    else state.refuse = error
    const { id } = await shop.start('One')
    const held = await shop.parked(id, 'needs_attention')
    expect(held).toMatchObject({ status: 'waiting', error: null })
    const [step] = (await shop.detail(id)).steps
    expect(JSON.stringify(step)).toContain('connected again: expired. Then resolve the step a with a retry.')
    state.refuse = null
    state.fails = null
    await clock.advance(1_000)
    const ended = shop.ended(id)
    expect(await shop.runtime.resolve(TENANT, id, 'a', { kind: 'retry' })).toMatchObject({ kind: 'done' })
    expect(await ended).toMatchObject({ status: 'succeeded' })
    expect(await shop.runtime.verify(TENANT, id)).toEqual([])
  },
)

it('is refused by name where its settings do not fit, and where nobody keeps connections', async () => {
  const { shop, state } = await open()
  state.stored = { ...state.stored, config: {} }
  const unfit = await shop.run('One')
  expect(unfit.error).toMatchObject({ code: 'connection_config_invalid' })
  expect(unfit.error!.message).toContain('Correct the stored connection "work".')
  const bare = await open({ runtime: {} })
  const none = await bare.shop.run('One')
  expect(none.error).toMatchObject({ code: 'connection_config_invalid' })
  expect(none.error!.message).toContain('keeps no stored connections')
})
