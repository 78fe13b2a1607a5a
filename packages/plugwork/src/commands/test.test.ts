import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openSandbox, type Sandbox } from '../testing/spawn.ts'

const FLOW = `flow: Pay
inputs: [{ name: amount, type: number, required: true }]
steps:
  - { id: charge, task: Charge, inputs: { amount: '\${inputs.amount}' }, retry: { max_attempts: 2, delay: 1m } }
  - id: large
    if: inputs.amount > 100
    then: [{ id: review, wait: { approval: {} } }]
outputs: [{ name: id, value: '\${charge.id}' }]
`
const TASKS = `export const Charge = ({ amount }: { amount: number }) => ({ id: 'pay_' + amount })\n`
const TEST = `cases:
  - name: small
    inputs: { amount: 5 }
    expect: { outputs: { id: pay_5 } }
  - name: wrong
    inputs: { amount: 6 }
    expect: { outputs: { id: pay_7 }, calls: { charge: 2 } }
  - name: later
    skip: not yet
`

let sandbox: Sandbox
beforeEach(() => {
  sandbox = openSandbox({ 'flow.yaml': FLOW, 'tasks.ts': TASKS, 'flow.test.yaml': TEST })
})
afterEach(() => sandbox[Symbol.dispose]())

test('tells what failed, where and how; exits with 1', async () => {
  const { code, stdout } = await sandbox.plugwork(['test'])
  expect(code).toBe(1)
  expect(stdout).toMatch(/^flow\.test\.yaml {2}Pay$/m)
  expect(stdout).toMatch(/ {2}✔ small/)
  expect(stdout).toMatch(/ {2}✘ wrong .*flow\.test\.yaml:5$/m)
  expect(stdout).toContain('      outputs.id: expected "pay_7", but got "pay_6"')
  expect(stdout).toContain('      calls: expected charge to be called 2 times, but it was called once')
  expect(stdout).toContain('– later  not yet')
  expect(stdout).toContain('1 failed, 1 passed, 1 skipped')
})

test('--filter chooses cases; --json and --junit report', async () => {
  expect((await sandbox.plugwork(['test', '--filter', 'small'])).code).toBe(0)
  const { code, stdout } = await sandbox.plugwork(['test', '--json', '--junit', 'report.xml'])
  expect(code).toBe(1)
  expect(JSON.parse(stdout)).toMatchObject({
    passed: 1,
    failed: 1,
    skipped: 1,
    files: [
      {
        file: 'flow.test.yaml',
        flow: 'Pay',
        cases: [{ name: 'small', status: 'passed' }, { name: 'wrong', line: 5 }, {}],
      },
    ],
    coverage: { flows: [{ flow: 'Pay', steps: { total: 3, reached: 2 }, branches: { total: 1, reached: 0 } }] },
  })
  const xml = sandbox.read('report.xml')
  expect(xml).toContain('<testsuite name="flow.test.yaml" package="Pay" id="0" timestamp="')
  expect(xml).toContain('tests="3" failures="1" errors="0" skipped="1"')
  expect(xml).toContain('outputs.id: expected &quot;pay_7&quot;')
})

test('coverage names what was not reached, and may be a condition', async () => {
  const { code, stdout, stderr } = await sandbox.plugwork(['test', '--filter', 'small', '--coverage-threshold', '80'])
  expect(code).toBe(1)
  expect(stdout).toContain('flow.yaml:5:5  branch large/then was not reached')
  expect(stderr).toContain('below the threshold of 80 %')
})

test('coverage counts flows that no test knows, of the folders that were asked for', async () => {
  sandbox.write('more/plain.flow.yaml', 'flow: Plain\nsteps: [{ id: a, set: { x: 1 } }, { id: b, set: { x: 2 } }]\n')
  sandbox.write('more/part/other.flow.yaml', 'flow: Other\nsteps: [{ id: a, set: { x: 1 } }]\n')
  const { stdout } = await sandbox.plugwork(['test', '--filter', 'small', '--coverage'])
  expect(stdout).toContain('  0 of 2 steps  Plain\n    more/plain.flow.yaml  no case reaches this flow\n')
  expect(stdout).toContain('  33.3 % of steps')
  const { stdout: one } = await sandbox.plugwork(['test', 'flow.yaml', '--filter', 'small', '--coverage'])
  expect(one).not.toContain('Plain')
})

test('a run becomes a test that passes, with fakes from what it did', async () => {
  rmSync(join(sandbox.directory, 'flow.test.yaml'))
  expect((await sandbox.plugwork(['run', 'flow.yaml', '-i', 'amount=500'])).code).toBe(0)
  expect((await sandbox.plugwork(['runs', 'signal', 'last', 'review', '--approve', '--as', 'grace'])).code).toBe(0)
  const { code, stdout } = await sandbox.plugwork(['test', '--from-run', 'last'])
  expect(code).toBe(0)
  expect(stdout).toContain('flow.test.yaml')
  const written = sandbox.read('flow.test.yaml')
  expect(written).toContain('id: pay_500')
  expect(written).toContain('approve: review')
  // Whatever the task does now, the recorded answer counts.
  sandbox.write('tasks.ts', `export const Charge = () => { throw new Error('not called') }\n`)
  expect(await sandbox.plugwork(['test'])).toMatchObject({ code: 0, stdout: expect.stringContaining('1 passed') })
})

test('a run may be recorded again after it has gone on; one that was cancelled is cancelled in its test too', async () => {
  rmSync(join(sandbox.directory, 'flow.test.yaml'))
  await sandbox.plugwork(['run', 'flow.yaml', '-i', 'amount=500'])
  await sandbox.plugwork(['test', '--from-run', 'last'])
  await sandbox.plugwork(['runs', 'cancel', 'last'])
  await sandbox.plugwork(['test', '--from-run', 'last'])
  expect(sandbox.read('flow.test.yaml')).toContain('cancel: true')
  expect(await sandbox.plugwork(['test'])).toMatchObject({ code: 0, stdout: expect.stringContaining('2 passed') })
})

test('--watch runs again when a task changes, until Ctrl-C', async () => {
  const watching = sandbox.begin(['test', '--watch', '--filter', 'small'])
  await watching.sees(/1 passed[\s\S]*Waiting for changes/)
  sandbox.write('tasks.ts', `export const Charge = () => ({ id: 'changed' })\n`)
  await watching.sees(/outputs\.id: expected "pay_5", but got "changed"/)
  watching.child.kill('SIGINT')
  expect((await watching.finished).code).toBe(130)
})

test('--watch runs only what a change affects: sub-flows and imports too', async () => {
  const write = (folder: string, flow: string, code: string): void => {
    sandbox.write(`${folder}/flow.yaml`, flow)
    sandbox.write(`${folder}/tasks.ts`, code)
    sandbox.write(`${folder}/flow.test.yaml`, 'cases: [{ name: works }]\n')
  }
  rmSync(join(sandbox.directory, 'flow.test.yaml'))
  sandbox.write('lib.ts', 'export const value: number = 1\n')
  write(
    'inner',
    'flow: Inner\nsteps: [{ id: s, task: Say }]\n',
    `import { value } from '../lib.ts'\nexport const Say = () => ({ value })\n`,
  )
  write('outer', 'flow: Outer\nsteps: [{ id: s, subflow: Inner }]\n', '')
  write('apart', 'flow: Apart\nsteps: [{ id: s, set: { a: 1 } }]\n', '')
  const watching = sandbox.begin(['test', '--watch'])
  await watching.sees(/3 passed[\s\S]*Waiting for changes/)
  sandbox.write('lib.ts', 'export const value: number = 2\n')
  await watching.sees(/\n2 passed/)
  sandbox.write('apart/flow.yaml', 'flow: Apart\nsteps: [{ id: s, set: { a: 2 } }]\n')
  await watching.sees(/\n1 passed/)
  sandbox.write(
    'late/flow.test.yaml',
    'flow: Apart\ncases: [{ name: one }, { name: two }, { name: three }, { name: four }]\n',
  )
  await watching.sees(/\n4 passed/)
  watching.child.kill('SIGINT')
  const { code, stdout } = await watching.finished
  expect(code).toBe(130)
  expect(stdout.match(/^(inner|outer|apart|late)\b/gm)).toEqual([
    'apart',
    'inner',
    'outer',
    'inner',
    'outer',
    'apart',
    'late',
  ])
})

test('snapshots are written once, then compared; in CI a missing one fails', async () => {
  sandbox.write('flow.test.yaml', 'cases: [{ name: traced, inputs: { amount: 1 }, expect: { snapshot: true } }]\n')
  const inCi = await sandbox.plugwork(['test'], { env: { CI: 'true' } })
  expect(inCi).toMatchObject({ code: 1, stdout: expect.stringContaining('there is none yet') })
  expect(existsSync(join(sandbox.directory, 'flow.test.snap.yaml'))).toBe(false)
  expect((await sandbox.plugwork(['test'])).stdout).toContain('1 snapshot written')
  expect((await sandbox.plugwork(['test'], { env: { CI: 'true' } })).code).toBe(0)
  sandbox.write('tasks.ts', `export const Charge = () => ({ id: 'other' })\n`)
  const changed = await sandbox.plugwork(['test'])
  expect(changed).toMatchObject({
    code: 1,
    stdout: expect.stringContaining('snapshot: [0].output.id: expected "pay_1"'),
  })
  expect((await sandbox.plugwork(['test', '--update'])).code).toBe(0)
  expect(sandbox.read('flow.test.snap.yaml')).toContain('id: other')
})

test('without test files there is nothing to do', async () => {
  const empty = mkdtempSync(join(tmpdir(), 'plugwork-empty-'))
  try {
    const { code, stderr } = await sandbox.plugwork(['test', empty])
    expect(code).toBe(2)
    expect(stderr).toContain('There are no test files here.')
  } finally {
    rmSync(empty, { recursive: true })
  }
})
