import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openSandbox, type Finished, type Running, type Sandbox } from '../testing/spawn.ts'

const FLOW = `flow: Shop
inputs:
  - { name: n, type: integer, default: 1 }
  - { name: tags, type: array, items: { type: string }, default: [] }
  - { name: note, type: string, default: none }
steps:
  - { id: double, task: Double, inputs: { n: '\${inputs.n}' } }
  - id: big
    if: double.n > 100
    then:
      - fail: { code: too_big, message: '\${double.n} is too big' }
outputs:
  - { name: n, value: '\${double.n}' }
  - { name: tags, value: '\${inputs.tags}' }
  - { name: note, value: '\${inputs.note}' }
`
const TASKS = `import { appendFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
export function Double({ n }: { n: number }, context: { log: { info(text: string): void } }) {
  context.log.info('doubling')
  return { n: n * 2 }
}
/** Leaves a mark before and after, so that tests know what ran. */
export async function Work({ name, ms = 0 }: { name: string; ms?: number }, context: { signal: AbortSignal }) {
  appendFileSync('marks', 'begin ' + name + '\\n')
  await setTimeout(ms, undefined, { signal: context.signal })
  appendFileSync('marks', 'end ' + name + '\\n')
  return { name }
}
`
const SLOW = `flow: Slow
steps:
  - { id: first, task: Work, inputs: { name: first } }
  - { id: second, task: Work, inputs: { name: second, ms: 1500 } }
  - { id: third, task: Work, inputs: { name: third } }
outputs: [{ name: last, value: '\${third.name}' }]
on_cancel:
  - { id: undo, task: Work, inputs: { name: undo } }
`

let sandbox: Sandbox
beforeEach(() => {
  sandbox = openSandbox({ 'flow.yaml': FLOW, 'slow.flow.yaml': SLOW, 'tasks.ts': TASKS })
})
afterEach(() => sandbox[Symbol.dispose]())

const marks = (): string[] => sandbox.read('marks').trim().split('\n')

test('--json prints id, status and outputs; inputs are typed by the flow', async () => {
  const { code, stdout, stderr } = await sandbox.plugwork([
    'run',
    'flow.yaml',
    '-i',
    'n=21',
    '-i',
    'tags=["a","b"]',
    '-i',
    'note=007',
    '--json',
  ])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(JSON.parse(stdout)).toEqual({
    id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    flow: 'Shop',
    status: 'succeeded',
    outputs: { n: 42, tags: ['a', 'b'], note: '007' },
  })
})

test('a package.json that names no module type changes nothing and warns about nothing', async () => {
  sandbox.write('package.json', '{}')
  const { code, stderr } = await sandbox.plugwork(['run', 'flow.yaml', '--json'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
})

test('for people: outputs on stdout, progress as plain lines on stderr', async () => {
  sandbox.write('inputs.json', '{"n":2,"note":"from file"}')
  const { code, stdout, stderr } = await sandbox.plugwork(['run', 'flow.yaml', '--inputs', 'inputs.json', '-i', 'n=3'])
  expect({ code, stdout }).toEqual({ code: 0, stdout: 'n: 6\ntags: []\nnote: from file\n' })
  expect(stderr).toMatch(/^✔ double {2}task Double {2}\d+ ms$/m)
  expect(stderr).toMatch(/✔ Shop succeeded in /)
})

test('--trace shows every step with input, log lines and output', async () => {
  const { stdout } = await sandbox.plugwork(['run', 'flow.yaml', '--trace'])
  expect(stdout).toMatch(
    /├─ ✔ double {2}task Double {2}\d+ ms\n│ {5}in {3}\{ n: 1 \}\n│ {5}log {2}doubling\n│ {5}out {2}\{ n: 2 \}/,
  )
  const json = JSON.parse((await sandbox.plugwork(['run', 'flow.yaml', '--trace', '--json'])).stdout) as {
    steps: { path: string }[]
  }
  expect(json.steps.map((step) => step.path)).toEqual(['double', 'big'])
})

test('a run that fails exits with 1 and says which step and why', async () => {
  const { code, stdout, stderr } = await sandbox.plugwork(['run', 'flow.yaml', '-i', 'n=100'])
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toContain('✘ Shop failed')
  expect(stderr).toContain('200 is too big (too_big) in step big/then/fail@0')
  const json = await sandbox.plugwork(['run', 'flow.yaml', '-i', 'n=100', '--json'])
  expect(json.code).toBe(1)
  expect(JSON.parse(json.stdout)).toMatchObject({ status: 'failed', error: { code: 'too_big' } })
})

test.each([
  [['run', 'flow.yaml', '-i', 'n=many'], '`n` must be'],
  [['run', 'flow.yaml', '-i', 'm=1'], '`m`'],
  [['run', 'flow.yaml', '-i', 'n'], 'is not name=value'],
  [['run', 'flow.yaml', '-i', 'tags=[a'], 'Input tags is not JSON'],
  [['run', 'flow.yaml', '--inputs', 'none.json'], 'cannot be read'],
  [['run', 'none.yaml'], 'There is no file none.yaml'],
  [['run', '.'], '. is a folder'],
])('%o is wrong usage: exit code 2, no run', async (args, message) => {
  const { code, stderr } = await sandbox.plugwork(args)
  expect(code).toBe(2)
  expect(stderr).toContain(message)
  expect((await sandbox.plugwork(['runs', 'list'])).stdout).toBe('')
})

test('a file with errors is not run', async () => {
  sandbox.write('bad.flow.yaml', 'flow: Bad\nsteps:\n  - { id: s, tsk: Double }\n')
  const { code, stderr } = await sandbox.plugwork(['run', 'bad.flow.yaml'])
  expect(code).toBe(2)
  expect(stderr).toMatch(/error bad\.flow\.yaml:3:\d+ PW1030/)
})

test('Ctrl-C lets the running step end, starts no further one, and the run can be resumed', async () => {
  const run = sandbox.begin(['run', 'slow.flow.yaml'])
  await run.sees(/✔ first/)
  await expect.poll(marks).toContain('begin second')
  run.child.kill('SIGINT')
  const { code, stderr } = await run.finished
  expect(code).toBe(130)
  expect(marks()).toEqual(['begin first', 'end first', 'begin second', 'end second'])
  const resume = /plugwork (runs resume [0-9a-f-]{36})/.exec(stderr)![1]!
  const resumed = await sandbox.plugwork([...resume.split(' '), '--json'])
  expect(resumed.code).toBe(0)
  expect(JSON.parse(resumed.stdout)).toMatchObject({ status: 'succeeded', outputs: { last: 'third' } })
  expect(marks().slice(4)).toEqual(['begin third', 'end third'])
})

test('a second Ctrl-C leaves at once; what was under way is done again when it is resumed', async () => {
  const run = sandbox.begin(['run', 'slow.flow.yaml'])
  await expect.poll(() => existsMarks(sandbox)).toContain('begin second')
  run.child.kill('SIGINT')
  await run.sees(/Ctrl-C again to leave at once/)
  const { code, stderr } = await pressUntilEnded(run)
  expect(code).toBe(130)
  expect(stderr).toMatch(/Left at once\. To go on: +plugwork runs resume [0-9a-f-]{36}\n$/)
  expect(marks()).not.toContain('end second')
  const resumed = await sandbox.plugwork(['runs', 'resume', 'last'])
  expect(resumed).toMatchObject({ code: 0, stdout: 'last: third\n' })
  expect(marks()).toEqual([
    'begin first',
    'end first',
    'begin second',
    'begin second',
    'end second',
    'begin third',
    'end third',
  ])
})

test('a statement that keeps a thread busy holds up neither the second Ctrl-C nor the end of a failed run', async () => {
  const query = 'with recursive c(x) as (select 1 union all select x + 1 from c where x < 1e12) select max(x) from c'
  const busy = (name: string, limit: string): string =>
    `flow: ${name}
connections: { db: { type: sqlite, database: ./busy.db } }
steps:
  - { id: first, task: Work, inputs: { name: first } }
  - sqlite_query: { id: long, connection: db, timeout: ${limit}, query: "${query}" }
`
  sandbox.write('busy.flow.yaml', busy('Busy', '10m'))
  sandbox.write('limited.flow.yaml', busy('Limited', '500ms'))
  const timedOut = await sandbox.plugwork(['run', 'limited.flow.yaml', '--json'])
  expect(timedOut.code).toBe(1)
  expect(JSON.parse(timedOut.stdout)).toMatchObject({ status: 'failed', error: { code: 'timeout' } })
  rmSync(join(sandbox.directory, 'busy.db'))
  const run = sandbox.begin(['run', 'busy.flow.yaml'])
  // The statement is in its thread once there is processor time to see.
  await run.sees(/✔ first/)
  await expect.poll(() => existsSync(join(sandbox.directory, 'busy.db'))).toBe(true)
  run.child.kill('SIGINT')
  await run.sees(/Ctrl-C again to leave at once/)
  expect((await pressUntilEnded(run)).code).toBe(130)
})

test('a killed process loses nothing either', async () => {
  const run = sandbox.begin(['run', 'slow.flow.yaml'])
  await expect.poll(() => existsMarks(sandbox)).toContain('begin second')
  run.child.kill('SIGKILL')
  await run.finished
  expect((await sandbox.plugwork(['runs', 'list'])).stdout).toContain('interrupted')
  // Another run does not touch it.
  expect((await sandbox.plugwork(['run', 'flow.yaml'])).code).toBe(0)
  const [interrupted] = JSON.parse((await sandbox.plugwork(['runs', 'list', '--flow', 'Slow', '--json'])).stdout).runs
  expect(interrupted.status).toBe('running')
  expect((await sandbox.plugwork(['runs', 'resume', interrupted.id])).stdout).toBe('last: third\n')
})

test('--cancel-on-interrupt cancels with compensation', async () => {
  const run = sandbox.begin(['run', 'slow.flow.yaml', '--cancel-on-interrupt', '--json'])
  await expect.poll(() => existsMarks(sandbox)).toContain('begin second')
  run.child.kill('SIGINT')
  const { code, stdout } = await run.finished
  expect(code).toBe(130)
  expect(JSON.parse(stdout)).toMatchObject({ status: 'cancelled' })
  expect(marks().slice(-2)).toEqual(['begin undo', 'end undo'])
})

/** The second Ctrl-C, as often as it takes to be more than an echo of the first. */
async function pressUntilEnded(run: Running): Promise<Finished> {
  const press = setInterval(() => run.child.kill('SIGINT'), 50)
  try {
    return await run.finished
  } finally {
    clearInterval(press)
  }
}

function existsMarks({ read }: Sandbox): string {
  try {
    return read('marks')
  } catch {
    return ''
  }
}
