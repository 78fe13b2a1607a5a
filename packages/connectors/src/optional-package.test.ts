import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loadPackage } from './optional-package.ts'

interface Client {
  readonly from: string
}

const NEED = { name: 'plugwork-test-client', range: '^1.0.0' }
let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'plugwork-optional-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

function install(source: string): void {
  const folder = join(directory, 'node_modules', NEED.name)
  mkdirSync(folder, { recursive: true })
  const manifest = { name: NEED.name, version: '1.0.0', type: 'module', exports: { import: './client.js' } }
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest))
  writeFileSync(join(folder, 'client.js'), source)
}

const load = async (code?: string): Promise<Client> => {
  if (code === undefined) return { from: 'its own place' }
  throw Object.assign(new Error('not found'), { code })
}

test('the package of the project comes first, else the one beside the connector', async () => {
  expect(await loadPackage('some', NEED, directory, () => load())).toEqual({ from: 'its own place' })
  install("export const from = 'the project'")
  mkdirSync(join(directory, 'flows'))
  const found = await loadPackage('some', NEED, join(directory, 'flows'), () => load())
  expect({ ...found }).toEqual({ from: 'the project' })
})

test('a missing package is named with its range and how to install it', async () => {
  await expect(loadPackage('some', NEED, directory, () => load('ERR_MODULE_NOT_FOUND'))).rejects.toMatchObject({
    code: 'some_package',
    message: expect.stringContaining('plugwork-test-client@^1.0.0'),
  })
})

test('a package that is there and does not load says why itself', async () => {
  install("throw new TypeError('needs another Node')")
  await expect(loadPackage('some', NEED, directory, () => load())).rejects.toThrow('needs another Node')
})
