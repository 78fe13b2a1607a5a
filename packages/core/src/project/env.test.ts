import { expect, test } from 'vitest'
import { readEnv } from './env.ts'

const environment = { API_KEY: 'k', API_URL: 'u', HOME: '/h', PLUGWORK_OWNER_TOKEN: 't' }

test('flows of files read everything until a list is set, flows of the API only what the list names', () => {
  expect(readEnv({ environment, allow: null }, 'HOME', 'file')).toBe('/h')
  expect(readEnv({ environment, allow: null }, 'HOME', 'api')).toBeNull()
  expect(readEnv({ environment, allow: ['API_*'] }, 'HOME', 'file')).toBeNull()
  expect(readEnv({ environment, allow: ['API_*'] }, 'API_KEY', 'api')).toBe('k')
  expect(readEnv({ environment, allow: ['*'] }, 'MISSING', 'file')).toBeNull()
})

test('settings of Plugwork are never readable', () => {
  expect(readEnv({ environment, allow: ['*'] }, 'PLUGWORK_OWNER_TOKEN', 'file')).toBeNull()
})

test.each([
  ['API_KEY', 'API_KEY', true],
  ['API', 'API_KEY', false],
  ['*_KEY', 'API_KEY', true],
  ['A*K*Y', 'API_KEY', true],
  ['A*X*Y', 'API_KEY', false],
  ['API_KEY*', 'API_KEY', true],
  ['API_K*KEY', 'API_KEY', false],
  ['.*', 'API_KEY', false],
])('the pattern %s and %s', (pattern, name, allowed) => {
  expect(readEnv({ environment, allow: [pattern] }, name, 'file') !== null).toBe(allowed)
})
