import { afterEach, beforeEach, expect, test } from 'vitest'
import { openSandbox, type Sandbox } from '../testing/spawn.ts'

const FLOW = `flow: Ask
inputs:
  - { name: amount, type: integer, default: 5 }
steps:
  - { id: decision, wait: { approval: { title: 'Spend \${inputs.amount}?' } } }
  - { id: pay, task: Pay, inputs: { amount: '\${inputs.amount}', outcome: '\${decision.outcome}' } }
outputs:
  - { name: paid, value: '\${pay.paid}' }
  - { name: by, value: '\${decision.actor}' }
`
const TASKS = `import { existsSync } from 'node:fs'
export function Pay({ amount, outcome }: { amount: number; outcome: string }) {
  if (existsSync('down')) throw Object.assign(new Error('the bank is down'), { code: 'bank_down' })
  return { paid: outcome === 'approved' ? amount : 0 }
}
`

let sandbox: Sandbox
beforeEach(() => {
  sandbox = openSandbox({ 'flow.yaml': FLOW, 'tasks.ts': TASKS })
})
afterEach(() => sandbox[Symbol.dispose]())

async function json(...args: string[]) {
  const { stdout, code } = await sandbox.plugwork([...args, '--json'])
  return { ...(JSON.parse(stdout) as Record<string, unknown>), code }
}

test('a run that waits for an approval parks with exit code 0 and says how to go on; then it does', async () => {
  const parked = await sandbox.plugwork(['run', 'flow.yaml', '-i', 'amount=7'])
  expect(parked.code).toBe(0)
  expect(parked.stderr).toContain('◷ Ask waits for an approval')
  const command = /plugwork (runs signal [0-9a-f-]{36} decision --approve)/.exec(parked.stderr)![1]!
  expect((await sandbox.plugwork(['runs', 'list'])).stdout).toContain('waiting (approval)')
  const decided = await json(...command.split(' '), '--as', 'grace')
  expect(decided).toMatchObject({ code: 0, status: 'succeeded', outputs: { paid: 7, by: 'grace' } })
  expect(await json('runs', 'signal', 'last', 'decision', '--approve')).toMatchObject({
    code: 1,
    error: { code: 'run_ended' },
  })
})

test('a failed run is retried in place; what completed is kept', async () => {
  sandbox.write('down', '')
  await sandbox.plugwork(['run', 'flow.yaml'])
  expect(await json('runs', 'signal', 'last', 'decision', '--approve')).toMatchObject({
    code: 1,
    status: 'failed',
    error: { code: 'bank_down', step: 'pay' },
  })
  await sandbox.plugwork(['runs', 'list'])
  sandbox.write('down.txt', '')
  const { rmSync } = await import('node:fs')
  rmSync(`${sandbox.directory}/down`)
  expect(await json('runs', 'retry', 'last')).toMatchObject({ code: 0, status: 'succeeded', outputs: { paid: 5 } })
})

test('show prints the trace; --json all of it; ids may be shortened', async () => {
  const { id } = (await json('run', 'flow.yaml')) as unknown as { id: string }
  const { stdout, stderr } = await sandbox.plugwork(['runs', 'show', id.slice(0, 13)])
  expect(stdout).toContain('└─ ◷ decision  wait  waiting')
  expect(stderr).toContain(`plugwork runs signal ${id} decision --approve`)
  expect(await json('runs', 'show', id)).toMatchObject({ id, status: 'waiting', steps: [{ path: 'decision' }] })
})

test('cancel ends a waiting run; that is success', async () => {
  await sandbox.plugwork(['run', 'flow.yaml'])
  expect(await json('runs', 'cancel', 'last', '--reason', 'changed my mind')).toMatchObject({
    code: 0,
    status: 'cancelled',
  })
})

test('replay starts a new run from a step, with edited inputs', async () => {
  await sandbox.plugwork(['run', 'flow.yaml'])
  const first = await json('runs', 'signal', 'last', 'decision', '--approve')
  const again = await json('runs', 'replay', 'last', '--from', 'pay', '-i', 'amount=11')
  expect(again).toMatchObject({ code: 0, status: 'succeeded', outputs: { paid: 11 } })
  expect(again).not.toMatchObject({ id: (first as unknown as { id: string }).id })
})

test('verify compares run and journal', async () => {
  await sandbox.plugwork(['run', 'flow.yaml'])
  expect(await json('runs', 'verify', 'last')).toMatchObject({ code: 0, differences: [] })
})

test('list filters by status, flow and time, and refuses what it does not know', async () => {
  await sandbox.plugwork(['run', 'flow.yaml'])
  expect(await json('runs', 'list', '--status', 'waiting', '--since', '1h')).toMatchObject({ runs: [{ flow: 'Ask' }] })
  expect(await json('runs', 'list', '--status', 'failed')).toMatchObject({ runs: [] })
  expect(await json('runs', 'list', '--status', 'lost')).toMatchObject({ code: 2 })
  expect(await json('runs', 'list', '--since', 'yesterday')).toMatchObject({ code: 2 })
})

test.each([
  [['runs', 'show', '01900000-0000-7000-8000-000000000000'], 1, 'run_unknown'],
  [['runs', 'resume', 'last'], 1, 'run_unknown'],
  [['runs', 'resolve', 'last', 'pay'], 2, 'usage'],
  [['runs', 'signal', 'last', 'decision', '--data', '{'], 2, 'usage'],
])('%o on an empty store', async (args, code, error) => {
  expect(await json(...args)).toMatchObject({ code, error: { code: error } })
})
