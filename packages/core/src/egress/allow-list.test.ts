import { expect, test } from 'vitest'
import { parseAddress } from './address.ts'
import { compileAllowList } from './allow-list.ts'

const list = compileAllowList(
  [
    'Api.Internal',
    'db.internal:5432',
    '*.svc.local',
    '10.1.0.0/16',
    '127.0.0.1',
    '[::1]:8080',
    'fd00::/8',
    'münchen.example',
    'web:80',
  ],
  'PLUGWORK_EGRESS_ALLOW',
)

test.each([
  ['api.internal', 443, true],
  ['api.internal.', 443, true],
  ['x.api.internal', 443, false],
  ['db.internal', 5432, true],
  ['db.internal', 80, false],
  ['a.svc.local', 80, true],
  ['a.b.svc.local', 80, true],
  ['svc.local', 80, false],
  ['evilsvc.local', 80, false],
  ['xn--mnchen-3ya.example', 80, true],
  ['web', 80, true],
  ['web', 81, false],
])('host %s:%i -> %s', (host, port, expected) => expect(list.hasHost(host, port)).toBe(expected))

test.each([
  ['10.1.255.1', 80, true],
  ['10.2.0.1', 80, false],
  ['127.0.0.1', 1, true],
  ['127.0.0.2', 1, false],
  ['::1', 8080, true],
  ['::1', 8081, false],
  ['fd12::1', 80, true],
  ['::ffff:10.1.0.1', 80, true],
])('address %s:%i -> %s', (address, port, expected) => {
  expect(list.hasAddress(parseAddress(address)!, port)).toBe(expected)
})

test.each(['', 'http://x', 'a*.b', '*', '10.0.0.0/33', 'a b', 'user@host', '*.10.0.0.1', 'host:99999', 'host/path'])(
  'entry "%s" is refused with a message that names it',
  (entry) => {
    expect(() => compileAllowList([entry], 'PLUGWORK_EGRESS_ALLOW')).toThrowError(
      expect.objectContaining({
        code: 'egress_policy',
        message: expect.stringContaining(`"${entry}"`) as string,
      }) as Error,
    )
  },
)
