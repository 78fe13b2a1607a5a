import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { CATALOG } from './cases/catalog.ts'
import { compileFlow } from './compile.ts'
import type { FlowDocument } from './document.ts'
import { planHash } from './hash.ts'
import { parseFlow } from './parse.ts'
import { printFlow } from './print.ts'

const names = ['every-step.yaml', 'spec-example.yaml', 'spec-test.yaml', 'spec-steps.yaml']
const read = (name: string): string => readFileSync(new URL(`./cases/valid/${name}`, import.meta.url), 'utf8')

test.each(names)('printing %s keeps its document and its plan', (name) => {
  const document = parse(read(name)) as FlowDocument
  const printed = printFlow(document)
  expect(parseFlow(printed)).toMatchObject({ value: document, problems: [] })
  expect(planHash(compileFlow(printed, CATALOG).plan!)).toBe(planHash(compileFlow(document, CATALOG).plan!))
  expect(printFlow(parseFlow(printed).value as unknown as FlowDocument)).toBe(printed)
})

test('keys come in the order of the grammar', () => {
  const flow = {
    steps: [{ timeout: 5, inputs: { b: 1 }, task: 'T', id: 'x' }],
    outputs: [{ value: '${x}', name: 'o' }],
    flow: 'A',
  } satisfies FlowDocument
  expect(printFlow(flow)).toBe(
    `flow: A
steps:
  - id: x
    task: T
    inputs:
      b: 1
    timeout: 5
outputs:
  - name: o
    value: \${x}
`,
  )
})

test('any document survives printing and parsing', () => {
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: 'grapheme' }),
    fc.constantFrom('yes', 'null', '1e3', '${a}', '- x', '# y', 'a: b', ' z ', '\n', '~', '0o7', '"', '.nan'),
  )
  const value = fc.letrec((tie) => ({
    json: fc.oneof(
      { depthSize: 'small' },
      text,
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('json')),
      fc.dictionary(
        text.filter((key) => key !== '__proto__'),
        tie('json'),
      ),
    ),
  })).json
  fc.assert(
    fc.property(value, value, fc.string(), (a, b, name) => {
      const flow = {
        steps: [{ set: { a, b: [b] } }, { try: { set: { a } }, finally: [] }],
        flow: name,
      } as unknown as FlowDocument
      const back = parseFlow(printFlow(flow))
      expect(back.problems).toEqual([])
      expect(back.value).toEqual(flow)
    }),
    { numRuns: 500 },
  )
})
