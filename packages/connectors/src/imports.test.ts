/** Connectors are loaded one by one as they are used, and no vendor's client with them: those are optional, and slow to load. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { LABELS } from './labels.ts'

/** URLs of the modules that are loaded by `program`, which sees the built-in connectors. */
function loadedBy(program: string): string[] {
  const source = `
import { registerHooks } from 'node:module'
const loaded = []
registerHooks({
  load(url, context, next) {
    loaded.push(url)
    return next(url, context)
  },
})
const { builtinConnectors } = await import('./index.ts')
${program}
process.stdout.write(JSON.stringify(loaded))
`
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', source], {
    cwd: import.meta.dirname,
    encoding: 'utf8',
  })
  return JSON.parse(output) as string[]
}

const ofConnectors = (loaded: readonly string[]): string[] =>
  LABELS.map(({ name }) => name).filter((name) => loaded.some((url) => url.endsWith(`/${name}/${name}.ts`)))

test('a connector is loaded when more than its label is asked for, and no other', () => {
  expect(
    ofConnectors(loadedBy('builtinConnectors.map(({ name, prefixes, description }) => [name, prefixes, description])')),
  ).toEqual([])
  expect(ofConnectors(loadedBy("builtinConnectors.find(({ name }) => name === 'http').actions"))).toEqual(['http'])
})

test('loading every connector loads none of the optional packages', () => {
  const loaded = loadedBy('for (const connector of builtinConnectors) if (!connector.actions) throw connector.name')
  expect(ofConnectors(loaded)).toEqual(LABELS.map(({ name }) => name))
  const { peerDependencies } = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')) as {
    peerDependencies: Record<string, string>
  }
  const optional = Object.keys(peerDependencies)
  expect(optional).toContain('@aws-sdk/client-s3')
  expect(optional.filter((name) => loaded.some((url) => url.includes(`/node_modules/${name}/`)))).toEqual([])
})
