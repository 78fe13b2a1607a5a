import { hmac } from '@noble/hashes/hmac.js'
import { md5, sha1 } from '@noble/hashes/legacy.js'
import { sha256, sha512 } from '@noble/hashes/sha2.js'
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js'
import { checkStringLength, fail, reserveString, spend } from '../frame.ts'
import type { Frame } from '../frame.ts'
import { measure, toJson, toText } from '../measure.ts'
import { ANY, NULL, NUMBER, STRING, objectOf, recordOf, union } from '../type.ts'
import type { Value, ValueObject } from '../value.ts'
import { getOwn } from '../value.ts'
import { fromBase64, fromHex, fromUtf8, toBase64 } from './bytes.ts'
import { func, number, object, optional, text, value } from './entry.ts'
import type { Entry } from './entry.ts'
import { refuse } from './refuse.ts'
import { encodePart, readQuery, readUrl, splitUrl } from './url.ts'

const area = 'encoding'
const HASHES = { md5, sha1, sha256, sha512 } as const
type HashName = keyof typeof HASHES
const encoding = optional(text('encoding', { choices: ['hex', 'base64', 'base64url'] }))

export const ENCODING = [
  func('JSON.parse', {
    area,
    parameters: [text('text')],
    result: ANY,
    doc: 'The value that a JSON text holds.',
    examples: [['JSON.parse("{\\"a\\": [1, null]}")', { a: [1, null] }]],
    run: (frame, source) => {
      spend(frame, source.length >> 3)
      const parsed = parseJson(frame, source)
      // Depth within the budget, and no number that is too large for one (`1e400`).
      measure(frame, parsed, Number.POSITIVE_INFINITY, 'allowed')
      return parsed
    },
  }),
  func('JSON.stringify', {
    area,
    parameters: [value('value'), optional(number('indent'))],
    result: STRING,
    doc: 'The JSON text of a value, on one line or indented by so many spaces (at most 10).',
    examples: [
      ['JSON.stringify({ a: [1, null] })', '{"a":[1,null]}'],
      ['JSON.stringify([1], 2)', '[\n  1\n]'],
    ],
    run: (frame, source, indent = 0) => {
      // An indented text is longer than its values are: each line begins with the depth's spaces.
      const json = toJson(frame, source)
      if (indent <= 0) return json
      reserveString(frame, json.length + countMarks(json) * (1 + Math.min(indent, 10) * deepest(json)))
      return toJson(frame, source, Math.min(indent, 10))
    },
  }),
  func('base64Encode', {
    area,
    parameters: [text('text')],
    result: STRING,
    doc: 'The text (as UTF-8) in Base64.',
    examples: [['base64Encode("häh?>")', 'aMOkaD8+']],
    run: (frame, source) => toBase64(bytesOf(frame, source), 'standard'),
  }),
  func('base64UrlEncode', {
    area,
    parameters: [text('text')],
    result: STRING,
    doc: 'The text (as UTF-8) in the Base64 of addresses and tokens: `-` and `_`, no padding.',
    examples: [['base64UrlEncode("häh?>")', 'aMOkaD8-']],
    run: (frame, source) => toBase64(bytesOf(frame, source), 'url'),
  }),
  func('base64Decode', {
    area,
    parameters: [text('text')],
    result: STRING,
    doc: 'The text that Base64 of either kind holds.',
    examples: [
      ['base64Decode("aMOkaD8+")', 'häh?>'],
      ['base64Decode("aMOkaD8-")', 'häh?>'],
    ],
    run: (frame, source) => decoded(frame, source, { bytes: fromBase64(source), what: 'Base64' }),
  }),
  func('hexEncode', {
    area,
    parameters: [text('text')],
    result: STRING,
    doc: 'The text (as UTF-8) in hexadecimal digits.',
    examples: [['hexEncode("Aä")', '41c3a4']],
    run: (frame, source) => bytesToHex(bytesOf(frame, source)),
  }),
  func('hexDecode', {
    area,
    parameters: [text('text')],
    result: STRING,
    doc: 'The text that hexadecimal digits hold.',
    examples: [['hexDecode("41c3a4")', 'Aä']],
    run: (frame, source) => decoded(frame, source, { bytes: fromHex(source), what: 'hexadecimal digits' }),
  }),
  hash('md5', '5d41402abc4b2a76b9719d911017c592', 'Not for anything that must be safe.'),
  hash('sha1', 'aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d', 'Not for anything that must be safe.'),
  hash('sha256', '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824', ''),
  hash(
    'sha512',
    '9b71d224bd62f3785d96d46ad3ea3d73319bfbc2890caadae2dff72519673ca72323c3d99ba5c11d7c7acc6e14b8c5da0c4663475c2e5c3adef46f73bcdec043',
    '',
  ),
  func('hmac', {
    area,
    parameters: [
      text('algorithm', { choices: ['md5', 'sha1', 'sha256', 'sha512'] }),
      text('key'),
      text('text'),
      encoding,
    ],
    result: STRING,
    doc: 'The keyed hash (HMAC) of a text. The key is plain text: a secret cannot be used, connectors sign with those.',
    examples: [
      ['hmac("sha256", "key", "hello")', '9307b3b915efb5171ff14d8cb55fbcc798c6c0ef1456d66ded1a6aa723a58b7b'],
      ['hmac("sha1", "key", "hello", "base64")', 's0zqxFFv8joUPmHXnQ+npPvl8mY='],
    ],
    run: (frame, algorithm, key, source, form) =>
      inForm(hmac(HASHES[algorithm as HashName], bytesOf(frame, key), bytesOf(frame, source)), form),
  }),
  func('encodeURIComponent', {
    area,
    parameters: [text('text')],
    result: STRING,
    doc: "The text as one part of an address; also `! ' ( ) *` are escaped (RFC 3986).",
    examples: [['encodeURIComponent("a b&c/ü!")', 'a%20b%26c%2F%C3%BC%21']],
    run: (frame, source) => part(frame, source),
  }),
  func('decodeURIComponent', {
    area,
    parameters: [text('text')],
    result: STRING,
    doc: 'The text with `%20` and the like undone.',
    examples: [['decodeURIComponent("a%20b%26c")', 'a b&c']],
    run: (frame, source) => {
      try {
        return decodeURIComponent(source)
      } catch {
        throw fail(frame, 'expression_encoding', {
          expected: 'percent-encoded text',
          reason: 'an escape in it is broken',
        })
      }
    },
  }),
  func('parseUrl', {
    area,
    parameters: [text('url')],
    result: objectOf({
      protocol: STRING,
      user: union(STRING, NULL),
      host: STRING,
      port: union(NUMBER, NULL),
      path: STRING,
      query: recordOf(ANY),
      fragment: union(STRING, NULL),
    }),
    doc: 'The parts of an absolute address.',
    examples: [
      [
        'parseUrl("https://api.example.com:8443/v1/items?tag=a&tag=b&q=x%20y#top")',
        {
          protocol: 'https',
          user: null,
          host: 'api.example.com',
          port: 8443,
          path: '/v1/items',
          query: { tag: ['a', 'b'], q: 'x y' },
          fragment: 'top',
        },
      ],
    ],
    run: (frame, source) => {
      const parts = readUrl(source)
      if (parts) return parts
      throw fail(frame, 'expression_encoding', { expected: 'an absolute address', reason: 'as in `https://host/path`' })
    },
  }),
  func('parseQuery', {
    area,
    parameters: [text('query')],
    result: recordOf(ANY),
    doc: 'The fields of a query or of a posted form; one that occurs more than once has a list.',
    examples: [['parseQuery("a=1&b=x+y&b=z")', { a: '1', b: ['x y', 'z'] }]],
    run: (frame, source) => {
      const fields = readQuery(source)
      if (fields) return fields
      throw fail(frame, 'expression_encoding', { expected: 'a query', reason: 'an escape in it is broken' })
    },
  }),
  func('toQuery', {
    area,
    parameters: [object('fields')],
    result: STRING,
    doc: 'The fields as a query, in their order; a list repeats its field, null leaves it out.',
    examples: [['toQuery({ q: "a b", tag: ["x", "y"], none: null, page: 2 })', 'q=a%20b&tag=x&tag=y&page=2']],
    run: (frame, fields) => query(frame, fields),
  }),
  func('withQuery', {
    area,
    parameters: [text('url'), object('fields')],
    result: STRING,
    doc: 'The address with the fields added to its query.',
    examples: [['withQuery("https://example.com/a?x=1#top", { y: "2 3" })', 'https://example.com/a?x=1&y=2%203#top']],
    run: (frame, source, fields) => {
      const parts = splitUrl(source)
      if (!parts)
        throw fail(frame, 'expression_encoding', { expected: 'an address', reason: 'it holds white space or quotes' })
      const [before = '', fragment] = source.split(/#(.*)/s)
      const added = query(frame, fields)
      const joint = added === '' ? '' : parts.query === null ? '?' : parts.query === '' ? '' : '&'
      return before + joint + added + (fragment === undefined ? '' : `#${fragment}`)
    },
  }),
  func('joinPath', {
    area,
    parameters: [text('base')],
    rest: value('segments'),
    result: STRING,
    doc: 'An address with path segments added, each escaped as one: data cannot leave its place.',
    examples: [['joinPath("https://example.com/v1/", "items", "a/b", 7)', 'https://example.com/v1/items/a%2Fb/7']],
    run: (frame, base, segments) => {
      const parts = segments.map((segment) => {
        const name = typeof segment === 'string' || typeof segment === 'number' ? String(segment) : ''
        if (name !== '' && name !== '.' && name !== '..') return part(frame, name)
        throw refuse(
          frame,
          { name: 'joinPath', parameter: 'segments', expected: 'text or a number, not empty and no dots' },
          segment,
        )
      })
      return [base.replace(/\/$/, ''), ...parts].join('/')
    },
  }),
  func('uuid', {
    area,
    parameters: [],
    result: STRING,
    doc: 'A new identifier (a UUID of version 8). When a run is rebuilt, the same step gives the same ones again.',
    examples: [['uuid().length', 36]],
    run: (frame) => {
      spend(frame, 20)
      return uuidText(sha256(utf8ToBytes(`${frame.scope.seed}\n${frame.counter.uuids++}`)))
    },
  }),
  func('uuidOf', {
    area,
    parameters: [text('text')],
    result: STRING,
    doc: 'An identifier made from a text: the same text always gives the same one.',
    examples: [['uuidOf("order-17")', '72a90ea3-da8b-8dd0-9bde-2f27314e02e2']],
    run: (frame, source) => uuidText(sha256(bytesOf(frame, source))),
  }),
]

function hash(name: HashName, example: string, warning: string): Entry {
  return func(name, {
    area,
    parameters: [text('text'), encoding],
    result: STRING,
    doc: `The ${name.toUpperCase()} hash of a text (as UTF-8), in hexadecimal digits when no encoding is given.${warning && ` ${warning}`}`,
    examples: [[`${name}("hello")`, example]],
    run: (frame, source, form) => inForm(HASHES[name](bytesOf(frame, source)), form),
  })
}

function parseJson(frame: Frame, source: string): Value {
  try {
    return JSON.parse(source) as Value
  } catch (error) {
    const reason = error instanceof Error ? error.message.slice(0, 120) : 'it cannot be read'
    throw fail(frame, 'expression_json', { reason })
  }
}

/** Line breaks that indenting adds at most: one for each bracket and comma, each perhaps within a text. */
function countMarks(json: string): number {
  let count = 0
  for (let i = 0; i < json.length; i++) if ('[]{},'.includes(json.charAt(i))) count++
  return count
}

function deepest(json: string): number {
  let [depth, most] = [0, 0]
  for (let i = 0; i < json.length; i++) {
    const char = json.charAt(i)
    if (char === '[' || char === '{') most = Math.max(most, ++depth)
    else if (char === ']' || char === '}') depth--
  }
  return most
}

/** UTF-8 bytes, charged: hashing and encoding take some nanoseconds for each. */
function bytesOf(frame: Frame, source: string): Uint8Array {
  reserveString(frame, source.length * 2)
  spend(frame, 10 + (source.length >> 2))
  return utf8ToBytes(source)
}

function decoded(
  frame: Frame,
  source: string,
  from: { readonly bytes: Uint8Array | undefined; readonly what: string },
): string {
  spend(frame, source.length >> 2)
  if (!from.bytes)
    throw fail(frame, 'expression_encoding', { expected: from.what, reason: 'it holds other characters or is cut off' })
  const result = fromUtf8(from.bytes)
  if (result !== undefined) return result
  throw fail(frame, 'expression_encoding', { expected: `${from.what} of text`, reason: 'its bytes are not UTF-8' })
}

function inForm(bytes: Uint8Array, form = 'hex'): string {
  return form === 'hex' ? bytesToHex(bytes) : toBase64(bytes, form === 'base64' ? 'standard' : 'url')
}

function part(frame: Frame, source: string): string {
  reserveString(frame, source.length * 3)
  const encoded = encodePart(source)
  if (encoded !== undefined) return encoded
  throw fail(frame, 'expression_encoding', { expected: 'well-formed text', reason: 'it holds half a character' })
}

function query(frame: Frame, fields: ValueObject): string {
  const pairs: string[] = []
  let length = 0
  for (const key of Object.keys(fields)) {
    const given = getOwn(fields, key)
    for (const each of Array.isArray(given) ? (given as readonly Value[]) : [given]) {
      if (each === null) continue
      const pair = `${part(frame, key)}=${part(frame, toText(frame, each))}`
      length += pair.length + 1
      checkStringLength(frame, length)
      pairs.push(pair)
    }
  }
  return pairs.join('&')
}

/** The first 16 bytes as a UUID of version 8 (RFC 9562: made by a method of one's own). */
function uuidText(bytes: Uint8Array): string {
  const chosen = bytes.slice(0, 16)
  chosen[6] = ((chosen[6] ?? 0) & 0x0f) | 0x80
  chosen[8] = ((chosen[8] ?? 0) & 0x3f) | 0x80
  const hex = bytesToHex(chosen)
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
