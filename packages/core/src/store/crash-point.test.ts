import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const program = `
  const { crashPoint } = await import(${JSON.stringify(join(import.meta.dirname, 'crash-point.ts'))})
  const { mutated } = await import(${JSON.stringify(join(import.meta.dirname, 'mutation.ts'))})
  for (let i = 1; i <= 4; i++) {
    crashPoint('other')
    crashPoint('here')
    process.stdout.write(String(i))
  }
  process.stdout.write(' ' + mutated('no_fence'))`

function run(env: Record<string, string>): unknown {
  const { stdout, signal } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], ...env },
  })
  return { stdout, signal }
}

test('a crash point kills the process at its N-th hit, and does nothing unless it is named', () => {
  expect(run({ PLUGWORK_CRASH_POINT: 'here:3' })).toEqual({ stdout: '12', signal: 'SIGKILL' })
  expect(run({ PLUGWORK_CRASH_POINT: 'here' })).toEqual({ stdout: '', signal: 'SIGKILL' })
  expect(run({ PLUGWORK_CRASH_POINT: 'there:1' })).toEqual({ stdout: '1234 false', signal: null })
  expect(run({})).toEqual({ stdout: '1234 false', signal: null })
})

test('a mutation is honoured in the test environment only', () => {
  const env = { PLUGWORK_MUTATE: 'sync_off,no_fence' }
  expect(run({ ...env, NODE_ENV: 'test' })).toEqual({ stdout: '1234 true', signal: null })
  expect(run({ ...env, NODE_ENV: 'production' })).toEqual({ stdout: '1234 false', signal: null })
})
