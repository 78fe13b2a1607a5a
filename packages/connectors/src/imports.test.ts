/** Importing the connectors loads no vendor's client: those are optional, and slow to load. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const PROGRAM = `
import { registerHooks } from 'node:module'
const loaded = []
registerHooks({
  load(url, context, next) {
    loaded.push(url)
    return next(url, context)
  },
})
await import('./index.ts')
process.stdout.write(JSON.stringify(loaded))
`

test('importing every connector loads none of the optional packages', () => {
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', PROGRAM], {
    cwd: import.meta.dirname,
    encoding: 'utf8',
  })
  const loaded = JSON.parse(output) as string[]
  expect(loaded.some((url) => url.endsWith('/s3/s3.ts'))).toBe(true)
  const { peerDependencies } = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')) as {
    peerDependencies: Record<string, string>
  }
  const optional = Object.keys(peerDependencies)
  expect(optional).toContain('@aws-sdk/client-s3')
  expect(optional.filter((name) => loaded.some((url) => url.includes(`/node_modules/${name}/`)))).toEqual([])
})
