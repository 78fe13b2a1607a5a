/**
 * The way of a connector's author and of its user, with the packed packages and nothing of this repository: `connector new`,
 * `npm install`, `npm test`, `npm pack`, install in a fresh project, use in a flow. And a vendor's client that is installed in
 * the project while Plugwork lies elsewhere.
 *
 *   node scripts/connector-path.ts PLUGWORK_BIN WORK_FOLDER TARBALL…
 */
import { spawn } from 'node:child_process'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'

const [bin, work, ...tarballs] = process.argv.slice(2)
if (bin === undefined || work === undefined) throw new Error('Say where the command line and a folder to work in are.')

interface Ended {
  readonly code: number
  readonly output: string
}

/** Runs a command to its end; `output` is stdout and stderr together. */
function run(command: string, args: readonly string[], cwd: string, env: Record<string, string> = {}): Promise<Ended> {
  const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code: code ?? 1, output }))
  })
}

async function step(name: string, work: Promise<Ended>, wanted: { code?: number; says?: RegExp } = {}): Promise<void> {
  const began = Date.now()
  const { code, output } = await work
  const ok = code === (wanted.code ?? 0) && (wanted.says?.test(output) ?? true)
  process.stdout.write(`  ${ok ? '✔' : '✘'} ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)\n`)
  if (ok) return
  process.stdout.write(
    `${output}\nexit code ${code}, wanted ${wanted.code ?? 0} and ${String(wanted.says ?? 'any output')}\n`,
  )
  process.exit(1)
}

const node = process.execPath
const quiet = ['--no-audit', '--no-fund', '--loglevel=error', '--prefer-offline']
const author = join(work, 'author')
const user = join(work, 'project')
mkdirSync(user, { recursive: true })
writeFileSync(join(user, 'package.json'), '{ "name": "fresh", "private": true }\n')

await step('connector new', run(node, [bin, 'connector', 'new', 'todo', '--dir', author], work))
await step('npm install', run('npm', ['install', '--save-dev', ...quiet, ...tarballs], author))
await step('npm test: the contract suite', run('npm', ['test'], author), { says: /pass 14/ })
// Inside the first one, whose packages it finds.
const other = join(author, 'other')
const fromClient = ['connector', 'new', 'my_store', '--template', 'client', '--dir', other]
await step('connector new --template client', run(node, [bin, ...fromClient], work))
await step('and its npm test', run('npm', ['test'], other), { says: /pass 13/ })
await step('npm pack', run('npm', ['pack', '--loglevel=error'], author))
const packed = readdirSync(author).find((file) => file.endsWith('.tgz'))
if (packed === undefined) throw new Error('npm pack left no tarball.')
await step("the example in the author's folder", run(node, [bin, 'check', 'examples'], author), { says: /no problems/ })

await step('install it', run('npm', ['install', ...quiet, ...tarballs, join(author, packed)], user))
const own = join(user, 'node_modules/plugwork/bin/plugwork.mjs')
const server = createServer((request, response) => {
  const item = { id: '7', text: 'Water the plants', done: false }
  const known = request.headers.authorization === 'Bearer some-token'
  response.writeHead(known ? 200 : 401, { 'content-type': 'application/json' })
  response.end(JSON.stringify(request.method === 'POST' ? item : [item]))
})
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
writeFileSync(
  join(user, 'flow.yaml'),
  `flow: Uses
connections:
  list: { type: todo, url: "\${env.TODO_URL}", token: "\${secrets.TODO_TOKEN}" }
steps:
  - todo_add: { id: added, connection: list, text: Water the plants }
  - todo.list: { id: open, connection: list }
outputs:
  - { name: answer, value: "\${added.id} \${open.items[0].text}" }
`,
)
const env = {
  TODO_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  PLUGWORK_SECRET_TODO_TOKEN: 'some-token',
  PLUGWORK_EGRESS_ALLOW: '127.0.0.1',
}
await step('a flow uses it', run(node, [own, 'run', 'flow.yaml', '--json'], user, env), {
  says: /"answer":"7 Water the plants"/,
})
// Another installation of Plugwork works on the same project: the connector gets the core that runs.
await step('also with Plugwork elsewhere', run(node, [bin, 'run', 'flow.yaml', '--json'], user, env), {
  says: /"answer":"7 Water the plants"/,
})
await step('and it is listed', run(node, [bin, 'connection', 'list'], user), {
  says: /from plugwork-connector-todo@0\.1\.0/,
})
server.close()

writeFileSync(
  join(user, 'redis.flow.yaml'),
  'flow: Redis\nconnections:\n  cache: { type: redis, host: 127.0.0.1, port: 9 }\nsteps:\n  - redis_get: { connection: cache, key: a }\n',
)
const redis = (): Promise<Ended> => run(node, [bin, 'run', 'redis.flow.yaml', '--json'], user, env)
await step('a client is missing', run(node, [bin, 'connection', 'deps', 'redis', '--check'], user), { code: 1 })
await step('a flow says so', redis(), { code: 1, says: /"redis_package"/ })
await step('deps --install', run(node, [bin, 'connection', 'deps', 'redis', '--install'], user), {
  says: /ok\s+ioredis/,
})
await step('the client of the project is used', redis(), { code: 1, says: /"redis_(?!package)\w+"/ })
