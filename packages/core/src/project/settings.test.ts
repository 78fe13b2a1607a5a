import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readSettings } from './settings.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'plugwork-settings-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const read = (flags: Record<string, string> = {}, environment: Record<string, string> = {}) =>
  readSettings({ directory, flags, environment, workingDirectory: '/elsewhere' })

test('without anything given the defaults hold', () => {
  const { values, origins, problems } = read()
  expect(values).toMatchObject({ port: 7420, host: '127.0.0.1', dataDir: join(directory, '.plugwork'), envAllow: null })
  expect(values.retention).toBe(30 * 86_400_000)
  expect(origins.port).toEqual({ from: 'default', place: 'default' })
  expect(problems).toEqual([])
})

test('a flag wins over the environment, the environment over the file, the file over the default', () => {
  writeFileSync(join(directory, 'plugwork.yaml'), '# ours\nport: 1\nhost: file\nlog_level: warn\n')
  const { values, origins } = read({ port: '3' }, { PLUGWORK_PORT: '2', PLUGWORK_HOST: 'environment' })
  expect(values).toMatchObject({ port: 3, host: 'environment', logLevel: 'warn', logFormat: 'auto' })
  expect(origins.port.place).toBe('--port')
  expect(origins.host.place).toBe('PLUGWORK_HOST')
  expect(origins.logLevel).toEqual({ from: 'file', place: 'plugwork.yaml:4' })
})

test('relative folders start where they were given: the file in the project, flags where the command runs', () => {
  writeFileSync(join(directory, 'plugwork.yaml'), 'data_dir: store\n')
  expect(read().values.dataDir).toBe(join(directory, 'store'))
  expect(read({ dataDir: 'store' }).values.dataDir).toBe('/elsewhere/store')
})

test('unknown names warn with what was probably meant', () => {
  writeFileSync(join(directory, 'plugwork.yaml'), 'prot: 80\n')
  const { problems } = read({}, { PLUGWORK_HSOT: 'x', PLUGWORK_SECRET_ANY: 's', OTHER: 'y' })
  expect(problems.map(({ file, code, line, suggestion }) => ({ file, code, line, suggestion }))).toEqual([
    { file: 'plugwork.yaml', code: 'PW1307', line: 1, suggestion: 'Did you mean `port`?' },
    { file: 'environment', code: 'PW1307', line: 1, suggestion: 'Did you mean `PLUGWORK_HOST`?' },
  ])
})

test('secrets are not read from the project file', () => {
  writeFileSync(join(directory, 'plugwork.yaml'), 'owner_token: t0ken\n')
  const { values, problems } = read()
  expect(values.ownerToken).toBeNull()
  expect(problems[0]?.message).toContain('PLUGWORK_OWNER_TOKEN')
  expect(JSON.stringify(problems)).not.toContain('t0ken')
})

test.each([
  [{ PLUGWORK_PORT: '70000' }, 'PLUGWORK_PORT must be a whole number from 0 to 65535, not "70000".'],
  [{ PLUGWORK_LOG_LEVEL: 'loud' }, 'PLUGWORK_LOG_LEVEL must be one of debug, info, warn, error, silent, not "loud".'],
  [
    { PLUGWORK_BASE_URL: 'flows' },
    'PLUGWORK_BASE_URL must be an address such as https://flows.example.com, not "flows".',
  ],
  [{ PLUGWORK_RETENTION: 'long' }, 'PLUGWORK_RETENTION must be a duration such as 12h or 30d, not "long".'],
])('%o is refused', (environment, message) => {
  expect(() => read({}, environment as Record<string, string>)).toThrow(message)
})

test('Redis is refused, not ignored, and the URL with its password is not shown', () => {
  expect(() => read({}, { PLUGWORK_REDIS_URL: 'redis://u:pw@h/0' })).toThrow(
    /^PLUGWORK_REDIS_URL: Redis is not available/,
  )
})

test('a project file that is no map, or no YAML, is an error with its line', () => {
  writeFileSync(join(directory, 'plugwork.yaml'), '- port\n')
  expect(() => read()).toThrow('must be a map of settings')
  writeFileSync(join(directory, 'plugwork.yaml'), 'port: 1\nhost: "x\n')
  expect(() => read()).toThrow(/plugwork\.yaml:\d is not YAML/)
})

test('lists are comma texts or lists', () => {
  writeFileSync(join(directory, 'plugwork.yaml'), 'egress_allow: [10.0.0.0/8, "db:5432"]\n')
  const { values } = read({}, { PLUGWORK_ENV_ALLOW: 'API_*, HOME' })
  expect(values.egressAllow).toEqual(['10.0.0.0/8', 'db:5432'])
  expect(values.envAllow).toEqual(['API_*', 'HOME'])
})
