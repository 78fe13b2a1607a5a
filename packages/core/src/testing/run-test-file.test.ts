/** Flow tests from files to results, on the real runtime. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { defineAction, defineConnector } from '../connector/define-connector.ts'
import { describeConnector } from '../connector/describe-connector.ts'
import type { Connector } from '../connector/connector.ts'
import { loadProject } from '../project/load-project.ts'
import { junitReport } from './junit.ts'
import { tally, type FileResult } from './results.ts'
import { runTests, type RunTestsOptions } from './run-test-file.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'plugwork-flow-tests-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

function write(name: string, text: string): void {
  mkdirSync(dirname(join(directory, name)), { recursive: true })
  writeFileSync(join(directory, name), text)
}

/** A connector with one write, which counts how often it was really opened. */
function bank(): Connector & { opened: number } {
  const connector = defineConnector({
    name: 'bank',
    title: 'Bank',
    description: 'Keeps money.',
    version: '1.0.0',
    prefixes: ['bank'],
    config: z.object({}),
    async connect() {
      counted.opened++
      return {}
    },
    actions: {
      pay: defineAction({
        description: 'Pays.',
        input: z.object({ amount: z.number() }),
        output: z.object({ receipt: z.string() }),
        effect: 'write',
        idempotency: 'none',
        run: async (_context, { amount }) => ({ receipt: `real ${amount}` }),
      }),
    },
    scaffold: () => '',
    example: () => ({ fileName: 'flow.yaml', source: '' }),
  })
  const counted = Object.assign(connector as unknown as Connector, { opened: 0 })
  return counted
}

async function run(
  options: Partial<RunTestsOptions> & { readonly bank?: Connector } = {},
): Promise<readonly FileResult[]> {
  const connectors = [options.bank ?? bank()]
  const project = await loadProject(directory, {
    connectors: connectors.map(describeConnector),
    environment: { HOME: 'no' },
  })
  try {
    const files = ['flow.test.yaml']
    return (await runTests({ project, connectors, files, snapshots: 'compare', ...options })).files
  } finally {
    await project.close()
  }
}

/** Failures by case; an empty list is a case that passed. */
async function failures(options: Parameters<typeof run>[0] = {}): Promise<Record<string, readonly string[]>> {
  const [file] = await run(options)
  expect(file!.problems).toEqual([])
  return Object.fromEntries(file!.cases.map((one) => [one.name, one.failures]))
}

const PAY = `flow: Pay
connections: { main: { type: bank } }
inputs: [{ name: amount, type: number, default: 5 }]
steps:
  - id: pay
    bank.pay: { connection: main, amount: '\${inputs.amount}', outputs: [receipt] }
    retry: { max_attempts: 3, delay: 1h, backoff: 1, jitter: false }
    on_interrupt: hold
outputs: [{ name: receipt, value: '\${pay.receipt}' }]
`

test('an action without a fake fails the case and is not carried out', async () => {
  write('flow.yaml', PAY)
  write(
    'flow.test.yaml',
    `cases:\n  - { name: unfaked }\n  - { name: even when failure is expected, expect: { status: failed } }\n`,
  )
  const real = bank()
  const found = await failures({ bank: real })
  expect(found['unfaked']![0]).toContain(
    'Step pay called bank.pay, which has no fake. Add `fakes: { pay: { returns: … } }`',
  )
  expect(found['even when failure is expected']).toHaveLength(found['unfaked']!.length - 1)
  expect(real.opened).toBe(0)
})

test('allow lets the real one run', async () => {
  write('flow.yaml', PAY)
  write('flow.test.yaml', `cases: [{ name: real, allow: [bank.pay], expect: { outputs: { receipt: real 5 } } }]\n`)
  const real = bank()
  expect(await failures({ bank: real })).toEqual({ real: [] })
  expect(real.opened).toBe(1)
})

test('a fake that says real lets the real one run, whatever the file fakes', async () => {
  write('flow.yaml', PAY)
  const file = `fakes: { bank.*: { returns: { receipt: faked } } }
cases:
  - { name: faked, allow: [bank.pay], expect: { outputs: { receipt: faked } } }
  - { name: real, fakes: { bank.*: { real: true } }, expect: { outputs: { receipt: real 5 } } }
`
  write('flow.test.yaml', file)
  const real = bank()
  expect(await failures({ bank: real })).toEqual({ faked: [], real: [] })
  expect(real.opened).toBe(1)
})

test('a connection that a task opens is denied in the same way', async () => {
  write('flow.yaml', `flow: T\nconnections: { main: { type: bank } }\nsteps: [{ id: t, task: Sneak }]\n`)
  write('tasks.ts', `export const Sneak = async (_, c) => { await c.connection('main'); return {} }\n`)
  write('flow.test.yaml', `cases:\n  - { name: denied }\n  - { name: allowed, allow: [bank] }\n`)
  const real = bank()
  const found = await failures({ bank: real })
  expect(found['denied']).toContain('The connection main (bank) was opened without `allow: [bank.*]`.')
  expect(found['allowed']).toEqual([])
  expect(real.opened).toBe(1)
})

test('the network of tasks is shut', async () => {
  write('flow.yaml', `flow: T\nsteps: [{ id: t, task: Fetch }]\noutputs: [{ name: code, value: '\${t.code}' }]\n`)
  write(
    'tasks.ts',
    `export const Fetch = async (_, c) => { try { await c.fetch('http://127.0.0.1:9/'); return { code: 'ok' } } catch (error) { return { code: String(error.cause?.code ?? error.code) } } }\n`,
  )
  write('flow.test.yaml', `cases: [{ name: shut, expect: { assert: ["outputs.code.startsWith('egress_')"] } }]\n`)
  expect(await failures()).toEqual({ shut: [] })
})

test('fakes: by step, action and connector; sequences, conditions, delays, errors; retries take no real time', async () => {
  write('flow.yaml', PAY)
  write(
    'flow.test.yaml',
    `fixtures: { receipt: from file }
fakes: { bank.*: { returns: { receipt: file } } }
cases:
  - { name: file, expect: { outputs: { receipt: file } } }
  - { name: case wins, fakes: { bank.pay: { returns: { receipt: '\${fixtures.receipt}' } } }, expect: { outputs: { receipt: from file } } }
  - { name: step wins, fakes: { pay: { returns: { receipt: 'n \${input.amount}' } }, bank.pay: { error: no } }, expect: { outputs: { receipt: n 5 } } }
  - name: third time
    fakes: { pay: { sequence: [{ error: busy }, { error: busy, delay: 30m }, { returns: { receipt: ok } }] } }
    expect: { outputs: { receipt: ok }, calls: { pay: 3 }, assert: [elapsed_ms == (2 * 60 + 30) * 60 * 1000] }
  - name: never
    fakes: { pay: { error: { code: busy, message: 'no \${input.amount}' } } }
    expect: { error: { code: busy, message: no 5, step: pay }, calls: { pay: 3 } }
  - name: final
    fakes: { pay: { error: { code: broke, retryable: false } } }
    expect: { error: broke }
  - name: by condition
    inputs: { amount: 50 }
    fakes: { pay: [{ when: input.amount > 10, returns: { receipt: large } }, { returns: { receipt: small } }] }
    expect: { outputs: { receipt: large } }
`,
  )
  const found = await failures()
  expect(Object.entries(found).filter(([, lines]) => lines.length > 0)).toEqual([])
  expect(Object.keys(found)).toHaveLength(7)
})

test('no condition that holds, and names that nothing has, are failures of the case', async () => {
  write('flow.yaml', PAY)
  write(
    'flow.test.yaml',
    `cases:
  - { name: none, fakes: { pay: [{ when: input.amount > 10, returns: {} }] }, expect: { status: failed } }
  - { name: unknown, fakes: { pai: { returns: {} } } }
`,
  )
  const found = await failures()
  expect(found['none']![0]).toContain('None of the 1 fakes of pay has a `when` that holds')
  expect(found['unknown']).toEqual(['fakes: Pay has no step, task or action pai. Did you mean pay?'])
})

test('every expectation can fail, and says how', async () => {
  write(
    'flow.yaml',
    `flow: E\ninputs: [{ name: n, type: integer, default: 1 }]
steps:
  - { id: one, task: One, inputs: { n: '\${inputs.n}' } }
  - emit: { event: counted, data: { n: '\${inputs.n}' } }
  - { wait: 1h }
outputs: [{ name: n, value: '\${one.n}' }]\n`,
  )
  write('tasks.ts', `export const One = ({ n }) => ({ n })\n`)
  write(
    'flow.test.yaml',
    `cases:
  - { name: status, expect: { status: failed } }
  - { name: outputs, expect: { outputs: { n: 2, m: 1 } } }
  - { name: error, expect: { status: succeeded, error: lost } }
  - { name: called, expect: { called: [{ one: { n: 2 } }] } }
  - { name: not called, expect: { not_called: [One] } }
  - { name: calls, expect: { calls: { one: 2 } } }
  - { name: events, expect: { events: [lost, { counted: { n: 2 } }] } }
  - { name: assert, expect: { assert: [outputs.n == 2, outputs.m.x == 1] } }
  - { name: takes, expect: { takes: 59m } }
  - { name: snapshot, expect: { snapshot: true } }
  - { name: message too late, send: [{ signal: x, after: 2h }] }
  - { name: inputs, inputs: { n: many } }
`,
  )
  expect(await failures()).toEqual({
    status: ['status: expected failed, but the run is succeeded'],
    outputs: ['outputs.n: expected 2, but got 1', 'outputs.m: there is no such output (there are: n)'],
    error: ['error: expected "lost", but there is none'],
    called: ['called: one did not get these arguments: n: expected 2, but got 1'],
    'not called': ['not_called: One was called with {"n":1}'],
    calls: ['calls: expected one to be called 2 times, but it was called once'],
    events: ['events: lost was not published (published were: counted)', 'events: counted: n: expected 2, but got 1'],
    assert: ['assert: outputs.n == 2 does not hold', expect.stringMatching(/^assert: outputs\.m\.x == 1: /)],
    takes: ['takes: expected at most 3540000 ms of virtual time, but the run took 3600000 ms'],
    snapshot: ['snapshot: there is none yet; write it with `plugwork test --update`'],
    'message too late': ['send: the run had ended before the answer to x could be sent'],
    inputs: [expect.stringMatching(/^The run was not started: invalid inputs: `n` /)],
  })
})

test('sub-flows: their calls are faked, their waits answered, their steps in the trace', async () => {
  write(
    'flow.yaml',
    `flow: Outer\nsteps: [{ id: inner, subflow: Inner, inputs: { n: 2 } }]\noutputs: [{ name: n, value: '\${inner.n}' }]\n`,
  )
  write(
    'inner/inner.flow.yaml',
    `flow: Inner\ninputs: [{ name: n, type: integer }]
steps: [{ id: ask, wait: { approval: {} } }, { id: count, task: Count }]\noutputs: [{ name: n, value: '\${count.n}' }]\n`,
  )
  write('inner/tasks.ts', `export const Count = () => ({ n: 1 })\n`)
  write(
    'flow.test.yaml',
    `cases:
  - { name: approved, send: [{ approve: ask }], fakes: { count: { returns: { n: 9 } } }, expect: { outputs: { n: 9 }, snapshot: true } }
  - { name: unanswered, expect: { status: waiting } }
`,
  )
  expect(await failures({ snapshots: 'update' })).toEqual({ approved: [], unanswered: [] })
  const snapshot = readFileSync(join(directory, 'flow.test.snap.yaml'), 'utf8')
  expect(snapshot).toContain('path: inner/count')
})

test('env and secrets are those of the test alone', async () => {
  write(
    'flow.yaml',
    `flow: V\nsteps: [{ id: s, set: { home: '\${env.HOME}', region: '\${env.REGION}' } }]\noutputs: [{ name: s, value: '\${s}' }]\n`,
  )
  write(
    'flow.test.yaml',
    `env: { REGION: eu }\ncases: [{ name: env, expect: { outputs: { s: { home: null, region: eu } } } }]\n`,
  )
  expect(await failures()).toEqual({ env: [] })
})

test.each([
  ['flow: Nope\ncases: [{ name: a }]', 'There is no flow Nope that could be tested'],
  ['cases: [{ name: a }, { name: a }]', 'Two cases have the name "a".'],
  ['fixtures: { f: { file: none.json } }\ncases: [{ name: a }]', 'The fixture f cannot be read from none.json'],
])('a file that cannot be run is one failure: %j', async (text, message) => {
  write('flow.yaml', `flow: A\nsteps: [{ id: s, set: { a: 1 } }]\n`)
  write('flow.test.yaml', text)
  const files = await run()
  expect(files[0]!.problems[0]!.message).toContain(message)
  expect(tally(files)).toEqual({ passed: 0, failed: 1, skipped: 0 })
  expect(junitReport(files, { at: new Date(), host: 'here' })).toContain('errors="')
})

test('skip and only; a filter', async () => {
  write('flow.yaml', `flow: A\nsteps: [{ id: s, set: { a: 1 } }]\n`)
  write('flow.test.yaml', `cases: [{ name: a, only: true }, { name: b }, { name: c, skip: later }]\n`)
  const [file] = await run()
  expect(file!.cases.map(({ name, status, reason }) => [name, status, reason])).toEqual([
    ['a', 'passed', undefined],
    ['b', 'skipped', 'another case has `only`'],
    ['c', 'skipped', 'later'],
  ])
  const [filtered] = await run({ filter: 'a' })
  expect(filtered!.cases.map(({ name }) => name)).toEqual(['a'])
})

test('a recording answers what is sent: made with --record, used without any network, without secrets, and complete', async () => {
  const authorizations: unknown[] = []
  const server = createServer((request, response) => {
    authorizations.push(request.headers.authorization)
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ rate: 7, at: request.url }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const rates = (path: string): Connector => ({
    ...bank(),
    name: 'rates',
    prefixes: ['rates'],
    config: z.object({ key: z.string() }),
    connect: async (config) => config['key'],
    actions: {
      get: defineAction({
        description: 'Asks.',
        input: z.object({}),
        output: z.object({ rate: z.number() }),
        effect: 'read',
        idempotency: 'natural',
        async run({ client, egress }) {
          const headers = { authorization: `Bearer ${String(client)}` }
          const { body } = await egress.request({ method: 'GET', url: `http://${host}${path}`, headers })
          return JSON.parse(Buffer.from(body).toString()) as { rate: number }
        },
      }),
    },
  })
  const now = rates('/rate?currency=eur')
  write(
    'flow.yaml',
    `flow: Rates
connections: { main: { type: rates, key: '\${secrets.RATE_KEY}' } }
steps: [{ id: rate, rates.get: { connection: main, outputs: [rate] } }]
outputs: [{ name: rate, value: '\${rate.rate}' }]
`,
  )
  write('secrets.env', 'RATE_KEY=the-real-key-0123456789\n')
  write(
    'flow.test.yaml',
    `secrets: { RATE_KEY: a-test-key-0123456789 }
cases:
  - { name: recorded, recording: traffic/rates.http.json, allow: [rates.get, 'network:${host}'], expect: { outputs: { rate: 7 } } }
`,
  )
  try {
    const [missing] = (await failures({ bank: now }))['recorded']!
    expect(missing).toMatch(/^recording: The recording .*rates\.http\.json cannot be read.*plugwork test --record/)
    expect(await failures({ bank: now, record: true })).toEqual({ recorded: [] })
  } finally {
    server.close()
  }
  expect(authorizations).toEqual(['Bearer the-real-key-0123456789'])
  const recorded = readFileSync(join(directory, 'traffic/rates.http.json'), 'utf8')
  expect(recorded).toContain('rate?currency=eur')
  expect(recorded).not.toContain('key-0123456789')
  expect(await failures({ bank: now })).toEqual({ recorded: [] })
  expect((await failures({ bank: rates('/other') }))['recorded']!.join('\n')).toMatch(
    /recording: GET http:\/\/127\.0\.0\.1:\d+\/rate\?currency=eur was recorded and is not made any more/,
  )
  expect((await run({ bank: now }))[0]!.files).toContain(join(directory, 'traffic/rates.http.json'))
})
