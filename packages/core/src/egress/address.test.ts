import { expect, test } from 'vitest'
import { notPublic, parseAddress } from './address.ts'

const DENIED = [
  '0.0.0.0',
  '0.1.2.3',
  '10.0.0.1',
  '100.64.0.1',
  '100.127.255.255',
  '127.0.0.1',
  '127.255.255.254',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.1',
  '192.0.2.1',
  '192.168.1.1',
  '198.18.0.1',
  '198.51.100.1',
  '203.0.113.1',
  '224.0.0.1',
  '239.255.255.255',
  '240.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::7f00:1',
  '::ffff:127.0.0.1',
  '::ffff:7f00:1',
  '::ffff:a00:1',
  '::ffff:0:7f00:1',
  '64:ff9b::7f00:1',
  '64:ff9b::a9fe:a9fe',
  '64:ff9b:1::1',
  '100::1',
  '2001::1',
  '2001:db8::1',
  '2002:7f00:1::',
  '2002:808:808::',
  '3fff::1',
  '4000::1',
  '5f00::1',
  'fc00::1',
  'fd12:3456::1',
  'fe80::1',
  'fec0::1',
  'ff02::1',
]
const PUBLIC = [
  '1.1.1.1',
  '8.8.8.8',
  '100.63.255.255',
  '100.128.0.1',
  '172.32.0.1',
  '2606:4700:4700::1111',
  '64:ff9b::808:808',
  '::ffff:8.8.8.8',
]

test.each(DENIED)('%s is not public', (text) => expect(notPublic(parseAddress(text)!)).toMatch(/address/))
test.each(PUBLIC)('%s is public', (text) => expect(notPublic(parseAddress(text)!)).toBeNull())

test('names and non-canonical spellings are not addresses; URL makes them canonical first', () => {
  expect(parseAddress('example.com')).toBeNull()
  expect(parseAddress('0x7f.1')).toBeNull()
  for (const spelling of [
    '0x7f.1',
    '2130706433',
    '017700000001',
    '0x7f000001',
    '127.1',
    '①②⑦.⓪.⓪.①',
    '[::ffff:127.0.0.1]',
  ]) {
    const { hostname } = new URL(`http://${spelling}/`)
    expect(parseAddress(hostname)!.toString()).toBe('127.0.0.1')
  }
})
