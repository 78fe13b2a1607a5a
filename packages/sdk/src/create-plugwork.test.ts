import { afterEach, beforeEach, expect, test } from 'vitest'
import { connectorFactory } from './connectable.ts'
import { createPlugwork } from './create-plugwork.ts'
import { KEY, notesConnector, startNotes, type NotesServer } from './testing/notes.ts'

const RING = `k1:${Buffer.alloc(32, 7).toString('base64')}`

function create(server: NotesServer) {
  return createPlugwork({
    database: 'memory:',
    encryptionKey: RING,
    baseUrl: 'http://localhost:3000',
    auth: { authenticate: () => null },
    connectors: [connectorFactory(notesConnector(server.baseUrl))()],
    egress: { allow: ['127.0.0.1'] },
    log: () => undefined,
  })
}

let notes: NotesServer
let plug: ReturnType<typeof create>

beforeEach(async () => {
  notes = await startNotes()
  plug = create(notes)
})

afterEach(async () => {
  await plug.close()
  await notes.close()
})

const on = { userId: 'u1' } as const

test('an action is a method, called with the stored connection of the user', async () => {
  await plug.connections.create({ ...on, connector: 'notes', credential: { key: KEY } })
  const made = await plug.notes.items.create({ ...on, params: { text: 'Hello' } })
  expect(made).toEqual({ id: 1, text: 'Hello' })
  expect(notes.seen).toEqual([`Bearer ${KEY}`])
})
