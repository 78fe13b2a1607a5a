import { chmodSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openSecrets } from './secrets.ts'

let directory: string
let file: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'plugwork-secrets-'))
  file = join(directory, 'secrets.env')
})
afterEach(() => rmSync(directory, { recursive: true }))

test('the environment wins over the file; names are those of both', () => {
  writeFileSync(file, '# ours\nAPI_KEY = from file\nexport OTHER="a b=c # d"\n', { mode: 0o600 })
  const secrets = openSecrets(directory, { PLUGWORK_SECRET_API_KEY: 'from environment', API_KEY: 'no' })
  expect(secrets.get('API_KEY')).toBe('from environment')
  expect(secrets.get('OTHER')).toBe('a b=c # d')
  expect(secrets.get('MISSING')).toBeNull()
  expect(new Set(secrets.names())).toEqual(new Set(['API_KEY', 'OTHER']))
  expect(secrets.problems()).toEqual([])
})

test('a file that changed is read again', () => {
  const secrets = openSecrets(directory, {})
  expect(secrets.get('KEY')).toBeNull()
  writeFileSync(file, 'KEY=one\n', { mode: 0o600 })
  expect(secrets.get('KEY')).toBe('one')
  writeFileSync(file, 'KEY=two\n')
  utimesSync(file, 1, 1)
  expect(secrets.get('KEY')).toBe('two')
  rmSync(file)
  expect(secrets.get('KEY')).toBeNull()
})

test('a file that others can read, and lines that are not understood, are problems that show no value', () => {
  writeFileSync(file, 'GOOD=1\nhunter2\n')
  chmodSync(file, 0o640)
  const problems = openSecrets(directory, {}).problems()
  expect(problems.map(({ code, line }) => `${code}:${line}`)).toEqual(['PW1308:1', 'PW1308:2'])
  expect(JSON.stringify(problems)).not.toContain('hunter2')
})
