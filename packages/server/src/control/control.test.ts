import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { RunNotice } from '@plugwork/core/node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openHarness, until } from '../testing/harness.ts'
import type { Harness } from '../testing/harness.ts'
import { connectControl } from './client.ts'
import type { ControlClient } from './client.ts'
import { controlSocketPath } from './socket-path.ts'

const PARK = `
flow: Park
steps:
  - { id: gate, wait: { event: gate.open, timeout: 1h } }
outputs:
  - { name: got, value: "\${gate.data}" }
`
const OUTSIDE = `
flow: Outside
inputs: [{ name: n, type: integer, required: true }]
steps:
  - { id: double, task: Double, inputs: { n: "\${inputs.n}" }, outputs: [n] }
outputs:
  - { name: n, value: "\${double.n}" }
`

let harness: Harness
let client: ControlClient
let socket: string
beforeAll(async () => {
  harness = await openHarness({ files: { 'park/flow.yaml': PARK } })
  socket = controlSocketPath(join(harness.folder, 'data'))
  await harness.server.listenControl(socket)
  client = connectControl(socket)
})
afterAll(() => harness.close())

const parkFile = () => join(harness.project.directory, 'park/flow.yaml')
const startParked = async () => {
  const outcome = await client.startFile({ file: parkFile(), inputs: {} })
  if (outcome.kind !== 'accepted') throw new Error(outcome.kind)
  return outcome.id
}

test('only the owner of the data folder can open the socket', async () => {
  expect((await stat(socket)).mode & 0o777).toBe(0o600)
})

test('the network does not reach its operations', async () => {
  const answer = await harness.request('POST', '/control/v1/info', { arguments: [] })
  expect([answer.status, answer.json().code]).toEqual([404, 'not_found'])
})

test('info tells who answers', async () => {
  expect(await client.info()).toMatchObject({
    pid: process.pid,
    version: 'test',
    address: harness.url,
    store: { kind: 'sqlite' },
  })
})

test('a run is started, looked at, followed, signalled and waited for', async () => {
  const id = await startParked()
  await until(
    () => client.getRun(id),
    (run) => run?.status === 'waiting',
  )
  const notices: RunNotice[] = []
  const stop = client.watch(id, (notice) => notices.push(notice))
  const signal = { name: 'gate', outcome: 'received', data: 5, actor: 'ann' } as const
  expect(await client.signal(id, signal)).toEqual({ kind: 'done', id })
  expect(await client.wait(id, 10_000)).toMatchObject({ status: 'succeeded', outputs: { got: 5 } })
  await until(
    () => notices,
    (all) => all.some((notice) => notice.type === 'status' && notice.status === 'succeeded'),
  )
  stop()
  expect(JSON.stringify((await client.getRun(id))?.steps)).toContain('"ann"')
  expect(await client.listRuns({ flow: 'Park', limit: 1 })).toMatchObject([{ id, status: 'succeeded' }])
  expect(await client.verify(id)).toEqual([])
  expect(await client.resume(id)).toMatchObject({ kind: 'refused', code: 'run_ended' })
})

test('events reach runs', async () => {
  const id = await startParked()
  await client.publish({ name: 'gate.open', data: 'now' })
  expect(await client.wait(id, 10_000)).toMatchObject({ outputs: { got: 'now' } })
})

test('runs are cancelled; what makes no sense is refused in the words of the runtime', async () => {
  const id = await startParked()
  expect(await client.resume(id)).toEqual({ kind: 'done', id })
  expect(await client.cancel(id, { force: false })).toEqual({ kind: 'done', id })
  expect(await client.wait(id, 10_000)).toMatchObject({ status: 'cancelled' })
  expect(await client.cancel(id, { force: false })).toMatchObject({ kind: 'refused', code: 'run_ended' })
  expect(await client.retry('0192-none')).toEqual({ kind: 'not_found' })
  expect(await client.resolve(id, 'gate', { kind: 'fail' })).toMatchObject({ kind: 'refused' })
  const replayed = await client.replay(id, { from: 'gate' })
  expect(replayed.kind).toBe('done')
  expect(await client.getRun('0192-none')).toBeNull()
})

describe('a file from outside of the project', () => {
  test('runs with the tasks beside it', async () => {
    await harness.write('../outside/flow.yaml', OUTSIDE)
    await harness.write('../outside/tasks.ts', 'export const Double = ({ n }: { n: number }) => ({ n: n * 2 })\n')
    const file = join(harness.folder, 'outside/flow.yaml')
    const outcome = await client.startFile({ file, inputs: { n: 4 } })
    if (outcome.kind !== 'accepted') throw new Error(JSON.stringify(outcome))
    expect(await client.wait(outcome.id, 10_000)).toMatchObject({ status: 'succeeded', outputs: { n: 8 } })
    expect(await client.startFile({ file, inputs: {} })).toMatchObject({ kind: 'invalid_inputs' })
  })

  test('runs as it is now, also right after an edit', async () => {
    const file = join(harness.folder, 'edited/flow.yaml')
    const source = (value: number) =>
      `flow: Edited\nsteps: [{ id: s, set: { v: ${value} } }]\noutputs: [{ name: v, value: "\${s.v}" }]\n`
    for (const value of [1, 2]) {
      await harness.write('../edited/flow.yaml', source(value))
      const outcome = await client.startFile({ file, inputs: {} })
      if (outcome.kind !== 'accepted') throw new Error(JSON.stringify(outcome))
      expect(await client.wait(outcome.id, 10_000)).toMatchObject({ outputs: { v: value } })
    }
  })

  test('with errors, or with the name of a served flow, is named and not run', async () => {
    await harness.write('../bad/flow.yaml', 'flow: Bad\nsteps: [{ tsk: x }]\n')
    await harness.write('../twin/flow.yaml', PARK)
    const bad = await client.startFile({ file: join(harness.folder, 'bad/flow.yaml'), inputs: {} })
    expect(bad).toMatchObject({ kind: 'not_loaded', message: expect.stringContaining('flow.yaml:2') })
    const twin = await client.startFile({ file: join(harness.folder, 'twin/flow.yaml'), inputs: {} })
    expect(twin).toMatchObject({ kind: 'not_loaded', message: expect.stringContaining('park/flow.yaml') })
  })
})

test('a backup is written while work goes on', async () => {
  const copy = join(harness.folder, 'copy.db')
  await client.backup(copy)
  expect((await stat(copy)).size).toBeGreaterThan(0)
  expect(await client.prune()).toMatchObject({ runs: 0 })
})

test('a socket nobody answers on is said to be one', async () => {
  const nobody = connectControl(join(harness.folder, 'nothing.sock'))
  await expect(nobody.info()).rejects.toMatchObject({ code: 'control_unreachable' })
})

test('a path that is too long for the system gets a short one', () => {
  const long = `/${'x'.repeat(200)}`
  expect(controlSocketPath('/data')).toBe('/data/control.sock')
  expect(controlSocketPath(long).length).toBeLessThan(100)
  expect(controlSocketPath(long)).toBe(controlSocketPath(`${long}/.`))
  expect(controlSocketPath(long)).not.toBe(controlSocketPath(`${long}y`))
})
