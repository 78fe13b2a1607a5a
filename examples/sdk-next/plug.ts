/** Plugwork in a Next.js application: made once, whatever files Next.js loads again while they are edited. */
import { randomBytes } from 'node:crypto'
import { createPlugwork } from 'plugwork'
import { github } from 'plugwork/connectors/github'
import { sqlite } from 'plugwork/connectors/sqlite'

const { PORT = '3000', GITHUB_CLIENT_ID, GITHUB_CLIENT_SECRET, PLUGWORK_KEYS } = process.env

const user = { userId: 'demo' }

async function start() {
  const plug = createPlugwork({
    // With `sqlite:./app.db` or `postgres://…`, and a key that stays the same, connections outlive the process.
    database: 'memory:',
    encryptionKey: PLUGWORK_KEYS ?? `k1:${randomBytes(32).toString('base64')}`,
    baseUrl: `http://localhost:${PORT}`,
    basePath: '/api/plugwork',
    // Here belongs your session: who is it that makes this request?
    auth: { authenticate: () => ({ userId: 'demo' }) },
    connectors: [sqlite(), github({ clientId: GITHUB_CLIENT_ID, clientSecret: GITHUB_CLIENT_SECRET })],
  })
  await plug.connections.create({ ...user, connector: 'sqlite', settings: { database: ':memory:' } })
  await plug.sqlite.execute({
    ...user,
    params: { query: 'create table notes (id integer primary key, text text)', params: [] },
  })
  return plug
}

declare global {
  var examplePlug: ReturnType<typeof start> | undefined
}

export const plug = await (globalThis.examplePlug ??= start())

export async function listNotes() {
  const { rows } = await plug.sqlite.query({ ...user, params: { query: 'select * from notes', params: [] } })
  return rows
}

export async function addNote(text: string) {
  await plug.sqlite.execute({ ...user, params: { query: 'insert into notes (text) values (?)', params: [text] } })
  return listNotes()
}
