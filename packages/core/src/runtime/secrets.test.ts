import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'

import type { Connector } from '../connector/connector.ts'
import { openWorkshop, TENANT, type Workshop } from './testing/workshop.ts'

const API_KEY = 'api-key-hunter22'
const PASSWORD = 'pässword/+ of the database'
const CARD = 'card-4111-1111-1111-1111'

const FLOW = `
flow: Pay
connections:
  bank: { type: bank, password: "\${env.BANK_PASSWORD}" }
inputs:
  - { name: card, type: secret, required: true }
  - { name: amount, type: int, default: 1 }
steps:
  - bank.pay: { id: pay, connection: bank, authorization: "Bearer \${secrets.API_KEY}", card: "\${inputs.card}", amount: "\${inputs.amount}" }
  - { id: sub, subflow: Receipt, inputs: { card: "\${inputs.card}" } }
outputs:
  - { name: pay, value: "\${pay.echo}" }
  - { name: receipt, value: "\${sub.text}" }
`
const RECEIPT = `
flow: Receipt
inputs: [{ name: card, type: secret, required: true }]
steps:
  - bank.pay: { id: pay, card: "\${inputs.card}", connection: bank, authorization: none, amount: 0 }
connections:
  bank: { type: bank, password: "\${env.BANK_PASSWORD}" }
outputs: [{ name: text, value: "\${pay.echo}" }]
`

const seen: unknown[] = []
const bank: Connector = {
  name: 'bank',
  title: 'Bank',
  description: 'Takes money, and tells everything it knows.',
  version: '1.0.0',
  prefixes: [],
  config: z.object({ password: z.string() }),
  connect: async (config) => config,
  actions: {
    pay: {
      description: 'Pays.',
      effect: 'write',
      idempotency: 'none',
      input: z.object({ authorization: z.string(), card: z.string(), amount: z.number() }),
      output: z.object({ echo: z.string() }),
      run: async (context, input) => {
        const { password } = context.client as { password: string }
        seen.push({ ...(input as object), password })
        const told = `${JSON.stringify(input)} ${password} ${Buffer.from(password).toString('base64')} ${encodeURIComponent(password)}`
        context.log('info', told, { told })
        if ((input as { amount: number }).amount < 0) {
          throw Object.assign(new Error(told, { cause: new Error(told) }), { data: { told } })
        }
        return { echo: told }
      },
    },
  },
  scaffold: () => '',
  example: () => ({ fileName: '', source: '' }),
}
const text = { type: 'string' } as const
const catalog = [
  {
    name: 'bank',
    description: '',
    prefixes: [],
    config: { type: 'object', properties: { password: text } },
    actions: [
      {
        connector: 'bank',
        name: 'pay',
        description: '',
        input: { type: 'object', properties: { authorization: text, card: text, amount: { type: 'number' } } },
        output: { type: 'object', properties: { echo: text } },
        effect: 'write' as const,
        idempotency: 'none' as const,
        needsConnection: true,
      },
    ],
  },
]

const open = () =>
  openWorkshop({
    store: 'sqlite',
    flows: [FLOW, RECEIPT],
    connectors: [bank],
    catalog,
    secrets: { API_KEY },
    env: { BANK_PASSWORD: PASSWORD },
  })

/** Every file that the run may have left something in. */
function filesOf(shop: Workshop): string {
  const all = readdirSync(shop.folder, { recursive: true, withFileTypes: true })
  return all
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    .join('')
}

function expectClean(text: string): void {
  for (const secret of [API_KEY, CARD, PASSWORD, Buffer.from(PASSWORD).toString('latin1')]) {
    expect(text).not.toContain(secret)
    expect(text).not.toContain(Buffer.from(secret).toString('base64').slice(0, -4))
    expect(text).not.toContain(encodeURIComponent(secret))
  }
}

describe('secrets', () => {
  it('reach the connector, and nothing that is stored, logged or shown', async () => {
    const shop = await open()
    const { id, rid } = await shop.start('Pay', { card: CARD })
    const summary = await shop.runtime.finished(rid)
    expect(summary.status).toBe('succeeded')
    expect(seen.splice(0)).toEqual([
      { authorization: `Bearer ${API_KEY}`, card: CARD, amount: 1, password: PASSWORD },
      { authorization: 'none', card: CARD, amount: 0, password: PASSWORD },
    ])
    expect(JSON.stringify(summary.outputs)).toContain('***')
    expectClean(JSON.stringify(summary))
    expectClean(JSON.stringify(await shop.detail(id)))
    expectClean(shop.logs.join('\n'))
    expect(await shop.runtime.verify(TENANT, id)).toEqual([])
    await shop.crash()
    expectClean(filesOf(shop))
  })

  it('are taken out of errors, their causes and data', async () => {
    const shop = await open()
    const { id, rid } = await shop.start('Pay', { card: CARD, amount: -1 })
    const { error } = await shop.runtime.finished(rid)
    expect(error).toMatchObject({ code: 'action_failed', message: expect.stringContaining('Bearer ***') })
    expectClean(JSON.stringify(error))
    expectClean(JSON.stringify(await shop.detail(id)))
    await shop.crash()
    expectClean(filesOf(shop))
  })

  it('of inputs survive a crash and a replay, sealed', async () => {
    const shop = await open()
    const { id, rid } = await shop.start('Pay', { card: CARD })
    await shop.runtime.finished(rid)
    await shop.reopen()
    seen.length = 0
    const replayed = await shop.runtime.replay(TENANT, id, { from: 'pay' })
    expect(await shop.ended('id' in replayed ? replayed.id : '')).toMatchObject({ status: 'succeeded' })
    expect(seen[0]).toMatchObject({ card: CARD })
  })

  it('that are not set fail the step, and say what to do', async () => {
    const shop = await open()
    delete shop.secrets.API_KEY
    expect((await shop.run('Pay', { card: CARD })).error).toMatchObject({
      code: 'secret_missing',
      message:
        'The secret "API_KEY" is not set. Set PLUGWORK_SECRET_API_KEY, or write it into secrets.env, then retry the run.',
    })
    delete shop.env.BANK_PASSWORD
    shop.secrets.API_KEY = API_KEY
    await shop.reopen()
    expect((await shop.run('Pay', { card: CARD })).error).toMatchObject({ code: 'env_missing' })
  })

  it('of a connection that are not set give way to a fallback', async () => {
    const flow = FLOW.replace('env.BANK_PASSWORD', "env.BANK_PASSWORD ?? 'guest'")
    const shop = await openWorkshop({ flows: [flow, RECEIPT], connectors: [bank], catalog, secrets: { API_KEY } })
    seen.length = 0
    await shop.run('Pay', { card: CARD })
    expect(seen[0]).toMatchObject({ password: 'guest' })
  })

  it('reach a task only through an input of type secret, and are read anew for each attempt', async () => {
    const given: unknown[] = []
    const flow = `
flow: Task
steps:
  - id: use
    task: Use
    inputs: { token: { type: secret, value: "\${secrets.API_KEY}" } }
`
    const source = flow.replace('{ type: secret, value: "${secrets.API_KEY}" }', '"${secrets.API_KEY}"')
    const shop = await openWorkshop({
      flows: [source],
      tasks: { Use: (inputs) => void given.push(inputs) },
      secrets: { API_KEY },
    })
    expect((await shop.run('Task')).error).toMatchObject({ code: 'secret_not_allowed' })
    expect(given).toEqual([])
  })
})
