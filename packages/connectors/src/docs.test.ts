/** Type-checks and runs the code of docs/connectors.md. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'

const root = join(import.meta.dirname, '../../..')
const page = readFileSync(join(root, 'docs/connectors.md'), 'utf8')
const blocks = [...page.matchAll(/^```ts file=(\S+)\n([\s\S]*?)^```$/gm)].map(([, name, text]) => ({
  name: name!,
  text: text!,
}))

// Below the repository, so that the packages are found.
const folder = mkdtempSync(join(root, 'docs/.example-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
for (const { name, text } of blocks) writeFileSync(join(folder, name), text)

test('the page is complete and of readable length', () => {
  expect(blocks.map(({ name }) => name)).toEqual(['todo.ts', 'todo.contract.ts'])
  expect(page.split('\n').length).toBeLessThanOrEqual(250)
})

test('the code has the types it needs', { timeout: 120_000 }, () => {
  const config = { extends: '../../tsconfig.json', include: [], files: blocks.map(({ name }) => name) }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
  const { stdout } = spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder], {
    encoding: 'utf8',
  })
  const own = stdout.split('\n').filter((line) => line.includes('.example-') || line.startsWith('todo'))
  expect(own).toEqual([])
})

// Adds the contract's tests to this file.
await import(join(folder, 'todo.contract.ts'))
