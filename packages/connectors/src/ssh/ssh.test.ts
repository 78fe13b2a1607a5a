import { generateKeyPairSync, randomBytes } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEgress, type Egress } from '@plugwork/core/node'
import { describeConnectorContract } from '@plugwork/core/testing'
import { sshd, type SshServer } from '@plugwork/test-services/sshd'
import ssh2 from 'ssh2'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { callAction, codeOf, connectContext } from '../testing/call.ts'
import { runExample } from '../testing/run-example.ts'
import { onServer, sshSettings } from '../testing/ssh-server.ts'
import { commandLine, quote } from './command.ts'
import type { SshConnection } from './connection.ts'
import { ssh } from './ssh.ts'

let server: SshServer
beforeAll(async () => {
  server = await sshd()
})
afterAll(() => server.stop())

describeConnectorContract(ssh, { describe, test }, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'plugwork-ssh-contract-'))
  const egress = createEgress({ allow: ['127.0.0.1'] })
  const path = join(server.directory, 'contract.txt')
  const before = [{ action: 'upload', input: { path, content: 'text' } }]
  return {
    config: sshSettings(server),
    egress,
    directory,
    calls: [
      { action: 'exec', input: { command: 'echo', args: ['hello'] } },
      { action: 'upload', input: { path, content: 'text' } },
      { action: 'download', input: { path }, before },
    ],
    async close() {
      await egress.close()
      rmSync(directory, { recursive: true })
    },
  }
})

let directory = ''
let egress: Egress
const opened: SshConnection[] = []
beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'plugwork-ssh-')))
  egress = createEgress({ allow: ['127.0.0.1'] })
})
afterEach(async () => {
  for (const connection of opened.splice(0)) await connection.close()
  await egress.close()
  rmSync(directory, { recursive: true, force: true })
})

async function open(settings: Record<string, unknown> = {}): Promise<SshConnection> {
  const config = ssh.config.parse({ ...sshSettings(server), ...settings })
  const connection = await ssh.connect(config, connectContext(egress, directory))
  opened.push(connection)
  return connection
}

const { exec, upload, download } = ssh.actions

test('a command answers what it printed and how it ended', async () => {
  const client = await open()
  expect(await callAction(exec, client, { command: 'echo out; echo err >&2' }, { egress })).toEqual({
    stdout: 'out\n',
    stderr: 'err\n',
    exit_code: 0,
    signal: null,
  })
  expect(await callAction(exec, client, { command: 'exit 3', fail_on_exit: false }, { egress })).toMatchObject({
    exit_code: 3,
  })
  expect(await callAction(exec, client, { command: 'kill -TERM $$', fail_on_exit: false }, { egress })).toMatchObject({
    exit_code: null,
    signal: 'TERM',
  })
  await expect(callAction(exec, client, { command: 'echo sorry >&2; exit 7' }, { egress })).rejects.toMatchObject({
    code: 'ssh_exit',
    retryable: false,
    data: { exit_code: 7, stderr: 'sorry' },
    message: expect.stringContaining('exit code 7: sorry') as string,
  })
})

const NASTY = [
  "'",
  '"',
  '$(id)',
  '`id`',
  '; rm -rf x',
  '*',
  '\\',
  'a b',
  '',
  '-n',
  "'\\''",
  'ä€\n\t',
  '${HOME}',
  '!!',
  '#',
]

test('arguments and variables stay what they are', async () => {
  const client = await open()
  const { stdout } = await callAction(
    exec,
    client,
    { command: String.raw`printf '%s\0'`, args: [...NASTY, 5, true] },
    { egress },
  )
  expect(stdout.split('\0').slice(0, -1)).toEqual([...NASTY, '5', 'true'])
  for (const value of NASTY) {
    const input = { command: 'printf %s "$DAY"', env: { DAY: value } }
    expect((await callAction(exec, client, input, { egress })).stdout).toBe(value)
  }
  expect(() => exec.input.parse({ command: 'a', env: { 'A=1; id': 'x' } })).toThrow(/must be a name/)
  expect(() => quote('a\0b')).toThrow(/NUL/)
  expect(commandLine({ command: 'ls -l', args: ["it's"], env: { A: 1 } })).toBe(
    String.raw`export A='1'; ls -l 'it'\''s'`,
  )
})

test('stdin reaches the command, and ends', async () => {
  const client = await open()
  expect((await callAction(exec, client, { command: 'cat', stdin: 'text' }, { egress })).stdout).toBe('text')
  expect((await callAction(exec, client, { command: 'cat' }, { egress })).stdout).toBe('')
  const bytes = randomBytes(300_000)
  const counted = await callAction(
    exec,
    client,
    { command: 'wc -c', stdin: { base64: bytes.toString('base64') } },
    { egress },
  )
  expect(counted.stdout.trim()).toBe('300000')
})

/** The command writes its process id; then its process is gone or not. */
async function pidIn(file: string): Promise<number> {
  await expect.poll(() => existsSync(file) && readFileSync(file, 'utf8').trim() !== '').toBe(true)
  return Number(readFileSync(file, 'utf8'))
}

function runs(pid: number): boolean {
  try {
    // A zombie has ended.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

test('a cancelled command is killed on the server, with what it started', async () => {
  const client = await open()
  const file = join(server.directory, 'cancelled.pid')
  const stop = new AbortController()
  const running = callAction(
    exec,
    client,
    { command: `sh -c 'echo $$ > ${file}; sleep 300'; echo after` },
    { egress, signal: stop.signal },
  )
  const pid = await pidIn(file)
  stop.abort(new Error('cancelled'))
  await expect(running).rejects.toThrow('cancelled')
  await expect.poll(() => runs(pid)).toBe(false)
  expect(client.healthy).toBe(true)
})

test('a command that is late or too loud is killed', async () => {
  const client = await open()
  const file = join(server.directory, 'late.pid')
  await expect(
    callAction(exec, client, { command: `echo $$ > ${file}; sleep 300`, time_limit: 0.5 }, { egress }),
  ).rejects.toMatchObject({ code: 'ssh_timeout', message: expect.stringContaining('time_limit') as string })
  const late = await pidIn(file)
  await expect.poll(() => runs(late)).toBe(false)
  await expect(
    callAction(exec, client, { command: 'yes', max_output_bytes: 10_000 }, { egress }),
  ).rejects.toMatchObject({
    code: 'ssh_output',
  })
  expect(await callAction(exec, client, { command: 'echo still here' }, { egress })).toMatchObject({
    stdout: 'still here\n',
  })
})

test('files go up and come down, large ones from and to local files', async () => {
  const client = await open()
  const bytes = randomBytes(5_000_000)
  mkdirSync(join(directory, 'files'))
  writeFileSync(join(directory, 'files/big.bin'), bytes)
  const path = join(server.directory, 'big.bin')
  expect(await callAction(upload, client, { path, file: 'big.bin' }, { egress })).toEqual({ path, size: bytes.length })
  expect(readFileSync(path).equals(bytes)).toBe(true)
  expect(await callAction(download, client, { path, to_file: 'down.bin' }, { egress })).toEqual({
    path,
    content: '',
    file: 'down.bin',
    size: bytes.length,
  })
  expect(readFileSync(join(directory, 'files/down.bin')).equals(bytes)).toBe(true)
  expect(await codeOf(callAction(download, client, { path, max_bytes: 1_000 }, { egress }))).toBe('content_too_large')
})

test('another host key is refused, and both fingerprints are named', async () => {
  const other = `SHA256:${'A'.repeat(43)}`
  const opening = open({ host_key: other })
  await expect(opening).rejects.toMatchObject({ code: 'ssh_host_key', retryable: false })
  await expect(opening).rejects.toThrow(server.hostKey)
  await expect(opening).rejects.toThrow(other)
  await open({ host_key: [other, server.hostKey] })
  await open({ host_key: 'accept_any' })
  const { host_key: _, ...without } = sshSettings(server)
  expect(() => ssh.config.parse(without)).toThrow(/ssh-keyscan HOST/)
  expect(() => ssh.config.parse({ ...without, host_key: 'any' })).toThrow(/or accept_any, which checks nothing/)
})

test('keys: with a passphrase, a wrong one, one that the server does not know, none', async () => {
  await open({ private_key: server.encryptedKey, passphrase: server.passphrase })
  for (const [settings, code, why] of [
    [{ private_key: server.encryptedKey, passphrase: 'wrong' }, 'ssh_config', /private_key that cannot be read/],
    [{ private_key: server.encryptedKey }, 'ssh_config', /private_key that cannot be read/],
    [{ private_key: 'no key' }, 'ssh_config', /private_key that cannot be read/],
    [{ private_key: undefined }, 'ssh_config', /neither password nor private_key/],
    [{ private_key: undefined, password: 'x', passphrase: 'y' }, 'ssh_config', /passphrase but no private_key/],
    [{ private_key: ssh2.utils.generateKeyPairSync('ed25519').private }, 'ssh_auth', /did not let \w+ in/],
    [{ user: 'nobody-here' }, 'ssh_auth', /did not let nobody-here in/],
  ] as const) {
    const opening = open(settings)
    await expect(opening).rejects.toMatchObject({ code })
    await expect(opening).rejects.toThrow(why)
    await expect(opening).rejects.not.toThrow(/PRIVATE KEY|correct horse/)
  }
})

/** ssh2's own server: passwords need a user of the machine with OpenSSH, which tests do not make. */
async function passwordServer(
  methods: readonly string[],
): Promise<{ port: number; hostKey: string; close(): Promise<void> }> {
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
    publicKeyEncoding: { type: 'pkcs1', format: 'pem' },
  })
  const own = new ssh2.Server({ hostKeys: [privateKey] }, (client) => {
    client.on('error', () => undefined)
    client.on('authentication', (context) => {
      if (!methods.includes(context.method)) return context.reject([...methods] as never)
      if (context.method === 'password') return context.password === 'open sesame' ? context.accept() : context.reject()
      if (context.method !== 'keyboard-interactive') return context.reject()
      context.prompt('Password: ', (answers) => (answers[0] === 'open sesame' ? context.accept() : context.reject()))
    })
  })
  await new Promise<void>((resolve) => own.listen(0, '127.0.0.1', resolve))
  return {
    port: (own.address() as AddressInfo).port,
    hostKey: 'accept_any',
    close: () => new Promise((resolve) => own.close(() => resolve())),
  }
}

test.each(['password', 'keyboard-interactive'])('a password by the method %s', async (method) => {
  const own = await passwordServer([method])
  const settings = { port: own.port, host_key: own.hostKey, private_key: undefined }
  const connection = await open({ ...settings, password: 'open sesame' })
  expect(connection.healthy).toBe(true)
  expect(await codeOf(open({ ...settings, password: 'wrong' }))).toBe('ssh_auth')
  for (const one of opened.splice(0)) await one.close()
  await own.close()
})

test('a connection that breaks is unhealthy, says so, and a new one works', async () => {
  const client = await open()
  // The parent of the command's shell is the server's process of this connection.
  const broken = callAction(exec, client, { command: 'kill -9 $PPID; sleep 10' }, { egress })
  await expect(broken).rejects.toMatchObject({ code: 'connection_lost', retryable: true })
  expect(client.healthy).toBe(false)
  expect(await codeOf(callAction(exec, client, { command: 'true' }, { egress }))).toBe('connection_lost')
  expect(await codeOf(callAction(download, client, { path: 'x' }, { egress }))).toBe('connection_lost')
  const again = await open()
  expect(await callAction(exec, again, { command: 'true' }, { egress })).toMatchObject({ exit_code: 0 })
})

test('a private address is denied unless it is allowed; a closed port says so', async () => {
  const strict = createEgress()
  const config = ssh.config.parse(sshSettings(server))
  await expect(ssh.connect(config, connectContext(strict, directory))).rejects.toThrow(/PLUGWORK_EGRESS_ALLOW/)
  await strict.close()
  expect(await codeOf(open({ port: 1 }))).toBe('egress_connect')
})

test('in a flow: a lost connection heals, and a step that times out ends its command', async () => {
  const file = join(server.directory, 'flow.pid')
  const source = `flow: Heal
connections:
${ssh.scaffold({ name: 'box' }).replace('user:', 'port: 22\n    user:').replace('SSH_KEY', 'KEY')}
steps:
  - try:
      - ssh.exec: { connection: box, command: 'kill -9 $PPID; sleep 10' }
    catch:
      - set: { code: "\${error.code}" }
        id: lost
  - try:
      - ssh.exec: { connection: box, command: 'echo $$ > ${file}; sleep 300', timeout: 2s }
    catch:
      - set: { code: "\${error.code}" }
        id: late
  - ssh.exec: { id: after, connection: box, command: echo, args: [still here], outputs: [stdout] }
outputs:
  - { name: codes, value: "\${[lost.code, late.code]}" }
  - { name: after, value: "\${after.stdout}" }
`
  const result = await runExample(onServer(source, server), {
    connectors: [ssh],
    directory,
    secrets: { KEY: server.privateKey },
    allow: ['127.0.0.1'],
  })
  expect(result).toMatchObject({ error: null, status: 'succeeded' })
  expect(result.outputs).toEqual({ codes: ['connection_lost', 'timeout'], after: 'still here\n' })
  const pid = await pidIn(file)
  await expect.poll(() => runs(pid)).toBe(false)
})

test('the example flow runs', async () => {
  const result = await runExample(onServer(ssh.example({ name: 'box' }).source, server), {
    connectors: [ssh],
    directory,
    inputs: { folder: server.directory },
    secrets: { SSH_KEY: server.privateKey },
    allow: ['127.0.0.1'],
  })
  expect(result).toMatchObject({ status: 'succeeded', outputs: { words: 3, text: 'three little words' } })
  expect(readdirSync(server.directory).filter((name) => name.endsWith('.tmp'))).toEqual([])
})
