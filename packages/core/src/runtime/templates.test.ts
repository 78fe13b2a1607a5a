import { expect, test } from 'vitest'
import { SecretText } from '../expression/value.ts'
import { compileFlow } from '../flow/compile.ts'
import { CATALOG } from '../flow/cases/catalog.ts'
import { compileOutsideTemplate } from './templates.ts'

/** The setting `base_url` of a connection, rendered where only the named variables are set. */
function render(text: string, ...set: readonly string[]): unknown {
  const steps = [{ 'http.get': { connection: 'api', path: '/' } }]
  const flow = { flow: 'A', connections: { api: { type: 'http', base_url: text } }, steps }
  const { plan, problems } = compileFlow(flow, CATALOG)
  expect(problems).toEqual([])
  const config = compileOutsideTemplate(plan!.connections['api']!.config)({}, 0, (name) => set.includes(name))
  const url = (config as { base_url: unknown }).base_url
  return url instanceof SecretText
    ? url.parts.map((part) => (typeof part === 'string' ? part : `<${part.name}>`)).join('')
    : url
}

test.each([
  ["${env.URL ?? 'http://x.example'}", [], 'http://x.example'],
  ["${env.URL ?? 'http://x.example'}", ['URL'], '<URL>'],
  ['${env["URL"] ?? \'http://x.example\'}', [], 'http://x.example'],
  ["http://${env.HOST ?? 'x.example'}:80", [], 'http://x.example:80'],
  ["${env.A ?? env.B ?? 'http://x.example'}", ['B'], '<B>'],
  ["${env.A ?? env.B ?? 'http://x.example'}", [], 'http://x.example'],
  // Without a fallback the name stays: using it says which variable is missing.
  ['${env.URL}', [], '<URL>'],
  ['${env.A ?? env.B}', [], '<B>'],
  ["${env.HOST ?? 'x'}.${env.HOST}", [], '<HOST>.<HOST>'],
])('%s where %j is set is %s', (text, set, expected) => {
  expect(render(text, ...set)).toBe(expected)
})
