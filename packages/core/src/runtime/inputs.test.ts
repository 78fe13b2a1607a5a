import { expect, test } from 'vitest'

import { SecretText } from '../expression/value.ts'
import { compileFlow } from '../flow/compile.ts'
import { InputChecker, type CheckedInputs, type GivenInputs } from './inputs.ts'

const SOURCE = `
flow: Pay
inputs:
  - { name: card, type: secret, required: true }
  - { name: note, type: string, pattern: "^[a-z ]+$" }
  - { name: lines, type: list }
steps: [{ set: { a: 1 } }]
`
const SECRET = new SecretText(['number ', { source: 'secret', name: 'CARD' }])

async function check(given: GivenInputs): Promise<CheckedInputs> {
  const { plan } = compileFlow(SOURCE, { connectors: [] })
  if (plan === null) throw new Error('the flow does not compile')
  const checker = new InputChecker()
  await checker.prepare(plan)
  return checker.check(plan, given)
}

test('an input of type secret takes plain text and secret texts, as they are', async () => {
  expect(await check({ card: 'x' })).toEqual({ kind: 'valid', inputs: { card: 'x', note: null, lines: null } })
  const checked = await check({ card: SECRET, note: 'a b' })
  expect(checked).toMatchObject({ kind: 'valid', inputs: { note: 'a b', lines: null } })
  expect(checked.kind === 'valid' && checked.inputs['card']).toBe(SECRET)
})

test('a secret anywhere else is refused once, beside all other problems, and never described', async () => {
  const checked = await check({ card: [SECRET], note: SECRET, lines: [{ deep: SECRET }], more: SECRET })
  expect(checked).toEqual({
    kind: 'invalid',
    problems: [
      { input: 'note', message: '`note` is a secret, but the input is not of type secret.' },
      { input: 'lines', message: '`lines` is a secret, but the input is not of type secret.' },
      { input: 'card', message: '`card` must be text, but is a list.' },
      {
        input: 'more',
        message: '`more` is not an input of the flow Pay; it has `card`, `note`, `lines`.',
      },
    ],
  })
  expect(JSON.stringify(checked)).not.toMatch(/CARD|number/)
})

test('a flow that was not prepared is a fault of the caller', () => {
  const { plan } = compileFlow(SOURCE, { connectors: [] })
  expect(() => new InputChecker().check(plan!, {})).toThrow(/not prepared/)
})
