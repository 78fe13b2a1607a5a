/** `docs/oauth.md` names every key of provider data, and its code has the types it needs. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../../../..')
const page = readFileSync(join(root, 'docs/oauth.md'), 'utf8')

test('every key of OAuth2Auth is in the table of docs/oauth.md', () => {
  const source = readFileSync(join(root, 'packages/core/src/connector/auth.ts'), 'utf8')
  const [, body] = /export interface OAuth2Auth [^{]*\{\n([\s\S]*?)\n\}/.exec(source)!
  const keys = [...body!.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, key]) => key!)
  expect(keys.length).toBeGreaterThan(30)
  const missing = keys.filter((key) => !['kind', 'grant'].includes(key) && !page.includes(`\`${key}\``))
  expect(missing).toEqual([])
})

test('the code of docs/oauth.md has the types it needs', { timeout: 120_000 }, () => {
  const blocks = [...page.matchAll(/^```ts file=(\S+)\n([\s\S]*?)^```$/gm)]
  expect(blocks.map(([, name]) => name)).toEqual(['acme.ts', 'app.ts', 'by-hand.ts'])
  // Below the repository, so that the packages are found.
  const folder = mkdtempSync(join(root, 'docs/.example-'))
  try {
    for (const [, name, text] of blocks) writeFileSync(join(folder, name!), text!)
    const config = { extends: '../../tsconfig.json', include: [], files: blocks.map(([, name]) => name!) }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
    const { stdout } = spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder], {
      encoding: 'utf8',
    })
    expect(stdout.split('\n').filter((line) => /\.example-|^(?:acme|app|by-hand)/.test(line))).toEqual([])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
