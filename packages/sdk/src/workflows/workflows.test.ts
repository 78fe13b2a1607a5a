import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createMemoryConnectionStore } from '@plugwork/connections'
import { defineFlow } from '@plugwork/core'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { KEY, startNotes, type NotesServer } from '../testing/notes.ts'
import { plugOn, type PlugOptions, type TestPlug } from '../testing/plug.ts'

let folder: string
let notes: NotesServer
let plug: TestPlug

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'plugwork-workflows-'))
  notes = await startNotes()
  plug = plugOn(notes)
})

afterEach(async () => {
  await plug.close()
  await notes.close()
  rmSync(folder, { recursive: true })
})

const on = { userId: 'u1' } as const

async function reopen(options: PlugOptions): Promise<void> {
  await plug.close()
  plug = plugOn(notes, options)
}

const KEEP = `
flow: Keep
description: Keeps a note.
connections:
  mine: { type: notes, use: work }
inputs:
  - { name: text, type: string, required: true }
steps:
  - notes.items.create: { id: note, connection: mine, text: "\${inputs.text}", outputs: [id] }
outputs:
  - { name: id, value: "\${note.id}" }
`

const connect = (userId: string | null) =>
  plug.connections.create({ userId, connector: 'notes', name: 'work', credential: { key: KEY } })

test('a workflow runs with the connection of its user', async () => {
  await connect('u1')
  const made = await plug.workflows.create({ ...on, flow: KEEP })
  expect(made).toMatchObject({ name: 'Keep', description: 'Keeps a note.', owner: 'u1', enabled: true })
  const run = await plug.workflows.execute({ ...on, id: made.id, inputs: { text: 'Hello' } })
  expect(run).toMatchObject({ workflow: 'Keep', status: 'succeeded', outputs: { id: 1 }, error: null })
  await expect(plug.workflows.run({ ...on, runId: run.runId })).resolves.toMatchObject({ status: 'succeeded' })
  await expect(plug.workflows.stats({ ...on, name: 'Keep' })).resolves.toMatchObject({
    runs: 1,
    byStatus: { succeeded: 1 },
    lastRun: { runId: run.runId },
  })
  expect(plug.actions.recent()).toMatchObject([{ action: 'notes.items.create', connection: 'mine', error: null }])
})

test('what the tenant shares is used by a workflow of a user only where `authorize` lets the user', async () => {
  await connect(null)
  await plug.workflows.create({ ...on, flow: KEEP })
  const call = { ...on, name: 'Keep', inputs: { text: 'Hello' } }
  await expect(plug.workflows.execute(call)).resolves.toMatchObject({
    status: 'failed',
    error: { code: 'sdk_connection_missing' },
  })
  await reopen({
    authorize: ({ connection, operation }) =>
      connection.owner === null && (operation === 'read' || operation === 'use') ? true : undefined,
  })
  await connect(null)
  await plug.workflows.create({ ...on, flow: KEEP })
  await expect(plug.workflows.execute(call)).resolves.toMatchObject({ status: 'succeeded' })
})

test('others do not see it', async () => {
  const { id } = await plug.workflows.create({ ...on, flow: KEEP })
  for (const other of [{ userId: 'u2' }, { userId: 'u1', tenantId: 'other' }]) {
    await expect(plug.workflows.get({ ...other, id })).rejects.toMatchObject({ code: 'workflow_not_found' })
    await expect(plug.workflows.execute({ ...other, name: 'Keep' })).rejects.toMatchObject({
      code: 'workflow_not_found',
    })
    await expect(plug.workflows.list(other)).resolves.toEqual([])
  }
  await expect(plug.workflows.list({ userId: null })).resolves.toHaveLength(1)
})

test('one that is disabled takes no run, and a new version counts at once', async () => {
  const flow = (text: string) =>
    defineFlow({
      flow: 'Say',
      steps: [{ id: 'say', set: { text } }],
      outputs: [{ name: 'text', value: '${say.text}' }],
    })
  const { id } = await plug.workflows.create({ ...on, flow: flow('one') })
  await expect(plug.workflows.execute({ ...on, id })).resolves.toMatchObject({ outputs: { text: 'one' } })
  await plug.workflows.update({ ...on, id, flow: flow('two') })
  await expect(plug.workflows.execute({ ...on, id })).resolves.toMatchObject({ outputs: { text: 'two' } })
  await plug.workflows.disable({ ...on, id })
  await expect(plug.workflows.execute({ ...on, id })).rejects.toMatchObject({ code: 'workflow_disabled' })
  await plug.workflows.enable({ ...on, id })
  await expect(plug.workflows.execute({ ...on, id })).resolves.toMatchObject({ status: 'succeeded' })
  await plug.workflows.remove({ ...on, id })
  await expect(plug.workflows.get({ ...on, id })).rejects.toMatchObject({ code: 'workflow_not_found' })
})

test('one key makes one run', async () => {
  await connect('u1')
  await plug.workflows.create({ ...on, flow: KEEP })
  const call = { ...on, name: 'Keep', inputs: { text: 'Hello' }, idempotencyKey: 'k' }
  const [first, second] = [await plug.workflows.execute(call), await plug.workflows.execute(call)]
  expect(second.runId).toBe(first.runId)
  expect(notes.seen).toHaveLength(1)
})

test('what is wrong is told when it is stored', async () => {
  const wrong = plug.workflows.create({ ...on, flow: 'flow: Bad\nsteps:\n  - notes.items.paint: { text: x }\n' })
  await expect(wrong).rejects.toMatchObject({ code: 'workflow_invalid', data: { problems: [{ line: 3 }] } })
  await plug.workflows.create({ ...on, flow: KEEP })
  await expect(plug.workflows.create({ ...on, flow: KEEP })).rejects.toMatchObject({ code: 'workflow_exists' })
  const scheduled =
    'flow: Daily\ntriggers:\n  - type: schedule\n    cron: "0 8 * * *"\nsteps:\n  - { id: a, set: { b: 1 } }\n'
  await expect(plug.workflows.create({ ...on, flow: scheduled })).rejects.toMatchObject({
    code: 'workflow_trigger_unsupported',
  })
  await expect(plug.workflows.execute({ ...on, name: 'Keep', inputs: {} })).rejects.toMatchObject({
    code: 'workflow_inputs_invalid',
  })
})

test('tasks and secrets are the application’s, sub-flows are other workflows', async () => {
  await reopen({
    workflows: {
      tasks: { Shout: ({ text }: { readonly text: string }) => ({ text: text.toUpperCase() }) },
      secret: (tenantId, name) => (name === 'KEY' && tenantId === 'default' ? KEY : null),
    },
  })
  await plug.workflows.create({
    ...on,
    flow: `
flow: Inner
inputs: [{ name: text, type: string, required: true }]
steps:
  - { id: shout, task: Shout, inputs: { text: "\${inputs.text}" }, outputs: [text] }
outputs: [{ name: text, value: "\${shout.text}" }]
`,
  })
  await plug.workflows.create({
    ...on,
    flow: `
flow: Outer
connections: { own: { type: notes, key: "\${secrets.KEY}" } }
steps:
  - { id: inner, subflow: Inner, inputs: { text: hello }, outputs: [text] }
  - notes.items.create: { connection: own, text: "\${inner.text}" }
outputs: [{ name: text, value: "\${inner.text}" }]
`,
  })
  await expect(plug.workflows.execute({ ...on, name: 'Outer' })).resolves.toMatchObject({
    status: 'succeeded',
    outputs: { text: 'HELLO' },
  })
  expect(notes.seen).toEqual([`Bearer ${KEY}`])
})

test('a run goes on in the next process', async () => {
  const options = { database: `sqlite:${join(folder, 'app.db')}` }
  await reopen(options)
  const flow = `
flow: Slow
steps:
  - { id: before, set: { text: kept } }
  - { id: pause, wait: 1s }
outputs: [{ name: text, value: "\${before.text}" }]
`
  await plug.workflows.create({ ...on, flow })
  const { runId, status } = await plug.workflows.execute({ ...on, name: 'Slow', wait: 0 })
  expect(status).not.toBe('succeeded')
  await reopen(options)
  await plug.open()
  await expect(plug.workflows.run({ ...on, runId, wait: 20_000 })).resolves.toMatchObject({
    status: 'succeeded',
    outputs: { text: 'kept' },
  })
})

test('a second process on the file does everything but run workflows', async () => {
  const options = { database: `sqlite:${join(folder, 'app.db')}` }
  await reopen(options)
  await connect('u1')
  await plug.workflows.create({ ...on, flow: KEEP })
  await plug.workflows.execute({ ...on, name: 'Keep', inputs: { text: 'one' } })
  const second = plugOn(notes, options)
  try {
    await second.open()
    await second.notes.items.list({ ...on, connection: 'work' })
    const run = second.workflows.execute({ ...on, name: 'Keep', inputs: { text: 'two' } })
    await expect(run).rejects.toMatchObject({ code: 'store_owned' })
  } finally {
    await second.close()
  }
})

test('a store of the application needs a database for runs', async () => {
  const database = createMemoryConnectionStore()
  await reopen({ database })
  const { id } = await plug.workflows.create({ ...on, flow: KEEP })
  await expect(plug.workflows.execute({ ...on, id, inputs: { text: 'x' } })).rejects.toMatchObject({
    code: 'workflow_database_missing',
  })
  await reopen({ database, workflows: { database: 'memory:' } })
  await connect('u1')
  await expect(plug.workflows.execute({ ...on, id, inputs: { text: 'x' } })).resolves.toMatchObject({
    status: 'succeeded',
  })
})
