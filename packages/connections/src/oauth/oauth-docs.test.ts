/** `docs/oauth.md` names every key of provider data. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../../../..')

test('every key of OAuth2Auth is in the table of docs/oauth.md', () => {
  const source = readFileSync(join(root, 'packages/core/src/connector/auth.ts'), 'utf8')
  const [, body] = /export interface OAuth2Auth [^{]*\{\n([\s\S]*?)\n\}/.exec(source)!
  const keys = [...body!.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, key]) => key!)
  expect(keys.length).toBeGreaterThan(30)
  const docs = readFileSync(join(root, 'docs/oauth.md'), 'utf8')
  const missing = keys.filter((key) => !['kind', 'grant'].includes(key) && !docs.includes(`\`${key}\``))
  expect(missing).toEqual([])
})
