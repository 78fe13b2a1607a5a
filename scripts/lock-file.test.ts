/**
 * The lock file serves `npm ci` on every platform. npm leaves a platform's package out of it without a word when the
 * registry did not have it at that moment, or when `node_modules` lacks it, and `npm ci` then refuses the file. Remedy: a
 * version that is published for all platforms; then, in a copy without `node_modules` and without the lock file,
 * `npm install --package-lock-only`.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

interface Locked {
  readonly version?: string
  readonly resolved?: string
  readonly integrity?: string
  readonly link?: boolean
  readonly os?: readonly string[]
  readonly cpu?: readonly string[]
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

const root = join(import.meta.dirname, '..')
const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
  readonly packages: Readonly<Record<string, Locked>>
}
const packages = Object.entries(lock.packages)

/** Where Node looks for `name` from the package at `path`: its own `node_modules`, then those above it. */
function locate(path: string, name: string): Locked | undefined {
  for (let folder = path; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/')))) {
    const found = lock.packages[`${folder === '' ? '' : `${folder}/`}node_modules/${name}`]
    if (found !== undefined || folder === '') return found
  }
}

test('every dependency is in the lock file, those of other platforms too', () => {
  const missing = packages.flatMap(([path, { dependencies, devDependencies, optionalDependencies }]) =>
    Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies })
      .filter((name) => locate(path, name) === undefined)
      .map((name) => `${path} -> ${name}`),
  )
  expect(missing).toEqual([])
})

/** Tools with a binary for each platform; one of their packages must fit. */
const NATIVE = ['oxlint', 'oxc-parser', 'oxc-resolver', 'rolldown', 'lightningcss']
const PLATFORMS = ['linux', 'darwin', 'win32'].flatMap((os) => ['x64', 'arm64'].map((cpu) => ({ os, cpu })))

test.each(PLATFORMS)('native tools have a package for $os $cpu', ({ os, cpu }) => {
  const without = NATIVE.filter((tool) => {
    const path = `node_modules/${tool}`
    const bindings = Object.keys(lock.packages[path]?.optionalDependencies ?? {}).map((name) => locate(path, name))
    return !bindings.some((binding) => binding?.os?.includes(os) && binding.cpu?.includes(cpu))
  })
  expect(without).toEqual([])
})

test('every package from a registry has its integrity, and none names a host', () => {
  const outside = packages.filter(([path, { link }]) => path.includes('node_modules/') && link !== true)
  expect(outside.filter(([, { integrity }]) => integrity === undefined).map(([path]) => path)).toEqual([])
  expect(packages.filter(([, { resolved }]) => resolved?.includes(':')).map(([path]) => path)).toEqual([])
})
