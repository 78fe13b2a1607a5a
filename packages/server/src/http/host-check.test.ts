import { expect, test } from 'vitest'
import { createHostCheck, isLoopback } from './host-check.ts'

const check = createHostCheck({ loopback: true, baseUrl: 'https://hooks.example.com/x' })

test.each(['localhost', 'localhost:7420', 'LOCALHOST:1', '127.0.0.1:7420', '[::1]:7420', 'hooks.example.com'])(
  'a server on loopback answers to %s',
  (host) => {
    expect(() => check(host)).not.toThrow()
  },
)

test.each([
  'evil.example',
  'evil.example:7420',
  'localhost.evil.example',
  '127.0.0.1.evil.example',
  '[::2]:7420',
  '',
  undefined,
])('it does not answer to %s', (host) => {
  expect(() => check(host)).toThrow(expect.objectContaining({ code: 'host_not_allowed' }))
})

test('elsewhere every name is accepted', () => {
  expect(() => createHostCheck({ loopback: false, baseUrl: 'http://a' })('b')).not.toThrow()
})

test('loopback addresses are known as such', () => {
  expect(['localhost', '127.0.0.1', '127.1.2.3', '::1'].every(isLoopback)).toBe(true)
  expect(['0.0.0.0', '::', '10.0.0.1', '128.0.0.1', 'example.com'].some(isLoopback)).toBe(false)
})
