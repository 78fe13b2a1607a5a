/** Plugwork in a Fastify application. */
import { randomBytes } from 'node:crypto'
import fastify from 'fastify'
import { createPlugwork } from 'plugwork'
import { github } from 'plugwork/connectors/github'
import { sqlite } from 'plugwork/connectors/sqlite'
import { fastifyPlugin } from 'plugwork/fastify'

const { PORT = '3000', GITHUB_CLIENT_ID, GITHUB_CLIENT_SECRET, PLUGWORK_KEYS } = process.env

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
const user = { userId: 'demo' }
await plug.connections.create({ ...user, connector: 'sqlite', settings: { database: ':memory:' } })
await plug.sqlite.execute({
  ...user,
  params: { query: 'create table notes (id integer primary key, text text)', params: [] },
})

async function listNotes() {
  const { rows } = await plug.sqlite.query({ ...user, params: { query: 'select * from notes', params: [] } })
  return rows
}

async function addNote(text: string) {
  await plug.sqlite.execute({ ...user, params: { query: 'insert into notes (text) values (?)', params: [text] } })
  return listNotes()
}

const app = fastify()
await app.register(fastifyPlugin(plug))
app.get('/notes', () => listNotes())
app.post<{ Body: { text: string } }>('/notes', (request) => addNote(request.body.text))
app.addHook('onClose', () => plug.close())
await app.listen({ port: Number(PORT), host: 'localhost' })
process.stdout.write(`http://localhost:${PORT}/notes\n`)
