/** Plugwork in a plain server of `node:http`. */
import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { json } from 'node:stream/consumers'
import { createPlugwork } from 'plugwork'
import { github } from 'plugwork/connectors/github'
import { sqlite } from 'plugwork/connectors/sqlite'
import { nodeHandler } from 'plugwork/node'

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

const handle = nodeHandler(plug)
const server = createServer((request, response) => {
  // What is not below the base path, and what failed, is for the application to answer.
  handle(request, response, async (error) => {
    if (error !== undefined || request.url !== '/notes') {
      response.writeHead(error === undefined ? 404 : 500).end()
      return
    }
    const add = request.method === 'POST'
    const notes = add ? await addNote(((await json(request)) as { text: string }).text) : await listNotes()
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(notes))
  })
})
server.listen(Number(PORT), () => process.stdout.write(`http://localhost:${PORT}/notes\n`))
