import { existsSync, globSync, readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, test } from 'vitest'
import { flowJsonSchema } from './json-schema.ts'
import { parseFlow } from './parse.ts'

const root = new URL('../../../../', import.meta.url)
const validate = new Ajv2020({ strict: true, strictRequired: false, strictTypes: false, allErrors: false }).compile(
  flowJsonSchema(),
)
const files = (pattern: string): string[] => globSync(pattern, { cwd: root.pathname })
const document = (file: string): unknown => parseFlow(readFileSync(new URL(file, root), 'utf8')).value

test('the published schema is the one of the grammar', () => {
  const published: unknown = JSON.parse(readFileSync(new URL('docs/flow.schema.json', root), 'utf8'))
  // Where they differ, `node scripts/generate-flow-schema.ts` writes it again.
  expect(published).toEqual(flowJsonSchema())
})

describe('accepts', () => {
  const valid = [...files('packages/core/src/flow/cases/valid/*.yaml'), ...files('examples/**/{flow,*.flow}.yaml')]
  test.each(valid)('%s', (file) => {
    validate(document(file))
    expect(validate.errors).toBeNull()
  })
})

describe('refuses', () => {
  const broken = ['effects', 'endings', 'kinds', 'not-a-flow', 'shape', 'shape-2', 'shape-3', 'triggers', 'unavailable']
  test.each(broken)('cases/%s.yaml', (name) => {
    const file = `packages/core/src/flow/cases/${name}.yaml`
    expect(existsSync(new URL(file, root))).toBe(true)
    expect(validate(document(file))).toBe(false)
  })

  test.each([
    ['an unknown key', { flow: 'A', steps: [{ set: {} }], stesp: [] }],
    ['a step of two kinds', { flow: 'A', steps: [{ set: {}, task: 'T' }] }],
    ['a misspelt key of a step', { flow: 'A', steps: [{ task: 'T', input: {} }] }],
    ['a misspelt handler', { flow: 'A', steps: [{ task: 'T', on_eror: [] }] }],
    ['a bad duration', { flow: 'A', steps: [{ wait: '5 minutes' }] }],
    ['a nest without members', { flow: 'A', steps: [{ if: { all: [] }, wait: 1 }] }],
    ['retry on a block', { flow: 'A', steps: [{ parallel: [], retry: {} }] }],
    ['a trigger of no known kind', { flow: 'A', steps: [{ set: {} }], triggers: [{ cron: 'x' }] }],
  ])('%s', (_, flow) => {
    expect(validate(flow)).toBe(false)
  })
})
