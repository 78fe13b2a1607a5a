import { expect, test } from 'vitest'
import { CATALOG } from './cases/catalog.ts'
import { compileFlow } from './compile.ts'
import { canonicalJson, planHash } from './hash.ts'

const hash = (yaml: string): string => planHash(compileFlow(yaml, CATALOG).plan!)
const base = hash('flow: A\nsteps:\n  - set: { a: "${inputs}" }\n')

test('layout, comments, quotes and the spelling of expressions change nothing', () => {
  expect(hash('# hello\nflow: "A"\nsteps:\n\n      - set:\n          a: ${ inputs }\n')).toBe(base)
})

test.each([
  ['a value', 'flow: A\nsteps:\n  - set: { a: "${env}" }\n'],
  ['a name', 'flow: A\nsteps:\n  - set: { b: "${inputs}" }\n'],
  ['an id', 'flow: A\nsteps:\n  - { id: x, set: { a: "${inputs}" } }\n'],
  ['a default', 'flow: A\nsettings: { priority: 6 }\nsteps:\n  - set: { a: "${inputs}" }\n'],
])('%s changes it', (_, yaml) => {
  expect(hash(yaml)).not.toBe(base)
})

test('data that looks like a position is data', () => {
  const at = (line: number) => `flow: A\nsteps:\n  - set: { a: { kind: x, path: y, at: { line: ${line}, column: 1 } } }`
  expect(hash(at(1))).not.toBe(hash(at(2)))
})

test('canonical JSON does not depend on the order of keys', () => {
  expect(canonicalJson({ b: [1, { d: null, c: 'x' }], a: undefined })).toBe('{"b":[1,{"c":"x","d":null}]}')
})
