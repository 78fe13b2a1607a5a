import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findInstalled, importInstalled, isVersionRange, packageEntry, versionFits } from './installed-package.ts'

let directory = ''
beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'plugwork-installed-')))
})
afterEach(() => rmSync(directory, { recursive: true }))

function write(name: string, text: string): void {
  mkdirSync(dirname(join(directory, name)), { recursive: true })
  writeFileSync(join(directory, name), text)
}

function install(name: string, manifest: object, files: Readonly<Record<string, string>> = {}): void {
  write(`node_modules/${name}/package.json`, JSON.stringify({ name, version: '1.2.3', ...manifest }))
  for (const [file, text] of Object.entries(files)) write(`node_modules/${name}/${file}`, text)
}

test('a package is found beside a folder and above it, the nearest one', () => {
  install('near', {})
  install('@scope/far', { version: '2.0.0' })
  write('app/flows/flow.yaml', '')
  write('app/node_modules/near/package.json', '{ "version": "9.0.0" }')
  const from = join(directory, 'app/flows')
  expect(findInstalled('near', from)).toMatchObject({ version: '9.0.0' })
  expect(findInstalled('@scope/far', from)).toMatchObject({ version: '2.0.0' })
  expect(findInstalled('none', from)).toBeNull()
})

test('names that lead elsewhere are no packages', () => {
  write('secret/package.json', '{ "version": "1.0.0" }')
  write('node_modules/x/package.json', '{}')
  for (const name of ['../secret', '..', '.', '/etc', 'x/../../secret', '@/x', ''])
    expect(findInstalled(name, directory)).toBeNull()
})

test('a linked package is found at its own place', () => {
  write('elsewhere/linked/package.json', '{ "version": "1.0.0" }')
  mkdirSync(join(directory, 'node_modules'))
  symlinkSync(join(directory, 'elsewhere/linked'), join(directory, 'node_modules/linked'))
  expect(findInstalled('linked', directory)?.directory).toBe(join(directory, 'elsewhere/linked'))
})

test.each([
  ['a string', { exports: './a.js' }],
  ['a subpath', { exports: { '.': './a.js', './b': './b.js' } }],
  ['conditions', { exports: { types: './a.d.ts', require: './b.cjs', import: './a.js', default: './b.js' } }],
  ['nested conditions', { exports: { '.': { browser: './b.js', node: { require: './b.cjs', default: './a.js' } } } }],
  ['a list', { exports: [{ browser: './b.js' }, './a.js'] }],
  ['main', { main: 'a.js' }],
  ['main without its end', { main: './a' }],
])('the entry is what import loads: %s', async (_name, manifest) => {
  install(
    'some',
    { type: 'module', ...manifest },
    { 'a.js': 'export const value = 1', 'b.js': 'export const value = 2' },
  )
  expect(packageEntry(findInstalled('some', directory)!)).toBe(join(directory, 'node_modules/some/a.js'))
  expect(await importInstalled('some', directory)).toMatchObject({ value: 1 })
})

test('a package without an entry, or with one outside of it, offers none', () => {
  install('none', { exports: { browser: './a.js' } }, { 'a.js': '' })
  install('out', { main: '../none/a.js' })
  expect(packageEntry(findInstalled('none', directory)!)).toBeNull()
  expect(packageEntry(findInstalled('out', directory)!)).toBeNull()
})

test('versions and ranges', async () => {
  expect(await versionFits('1.4.0', '^1.2.0')).toBe(true)
  expect(await versionFits('2.0.0', '^1.2.0')).toBe(false)
  expect(await versionFits('0.1.1-rc.1', '^0.1.0')).toBe(true)
  expect(await versionFits('', '^1.0.0')).toBe(false)
  expect(await versionFits('1.0.0', 'not a range')).toBe(false)
  expect([await isVersionRange('^1.0.0 || 2.x'), await isVersionRange('soon')]).toEqual([true, false])
})
