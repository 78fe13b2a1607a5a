/** Whatever sends HTTP requests outside of this folder would go past the guard (SSRF through a second client). */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const PACKAGES = join(import.meta.dirname, '../../../..', 'packages')
const CLIENTS = [
  /(?<![.\w#]|get )fetch\(/,
  /globalThis\.fetch\(/,
  /from ['"]undici(?:\/[^'"]*)?['"]/,
  /import \{[^}]*\b(?:request|get|Agent)\b[^}]*\} from ['"]node:https?['"]/,
  /import (?:\* as )?\w+ from ['"]node:https?['"]/,
  /from ['"]node:(?:http2|https)['"]/,
  /new (?:WebSocket|EventSource|XMLHttpRequest)\b/,
]
/** Talks to the local control socket: a path, never an address. */
const LOCAL = ['server/src/control/client.ts']

test('no other source of the product opens HTTP connections', () => {
  const files = globSync('*/src/**/*.ts', { cwd: PACKAGES }).filter(
    (file) =>
      !/\.test\.ts$|\/(?:testing|fixtures)\/|^test-services\//.test(file) && !file.startsWith('core/src/egress/'),
  )
  expect(files.length).toBeGreaterThan(100)
  const found = files.filter((file) => {
    const source = readFileSync(join(PACKAGES, file), 'utf8')
      .split('\n')
      .filter((line) => !/^\s*(?:\*|\/\/|\/\*)|^import type/.test(line))
      .join('\n')
    return CLIENTS.some((client) => client.test(source))
  })
  expect(found).toEqual(LOCAL)
})
