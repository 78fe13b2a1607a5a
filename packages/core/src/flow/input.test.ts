import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../json.ts'
import { compileFlow } from './compile.ts'
import { inputValidator, validateInputs, valueValidator } from './input.ts'
import type { Plan } from './plan.ts'

function planOf(inputs: string): Plan {
  const { plan, problems } = compileFlow(`flow: Shop\ninputs: ${inputs}\nsteps: [{ set: { a: 1 } }]`, {
    connectors: [],
  })
  if (plan === null) throw new Error(JSON.stringify(problems))
  return plan
}

const messages = async (plan: Plan, given: JsonObject): Promise<string[]> =>
  (await validateInputs(plan, given)).problems.map((found) => found.message)

describe('plain types', () => {
  const plan = planOf(
    '[{ name: s, type: string, required: true }, { name: i, type: int }, { name: n, type: float, default: 1.5 }, { name: b, type: bool }, { name: o, type: object }, { name: l, type: list }, { name: x, type: any }, { name: k, type: secret }]',
  )

  test('the validator is there at once', () => {
    expect(inputValidator(plan)).toBeTypeOf('function')
  })

  test('defaults are filled in, and what is not given is null', async () => {
    expect(await validateInputs(plan, { s: 'a', b: null })).toEqual({
      inputs: { s: 'a', i: null, n: 1.5, b: null, o: null, l: null, x: null, k: null },
      problems: [],
    })
  })

  test('each wrong type is named, every one of them', async () => {
    expect(await messages(plan, { s: 1, i: 1.5, n: 'x', b: 0, o: [], l: {}, k: 5 })).toEqual([
      '`s` must be text, but is a whole number.',
      '`i` must be a whole number, but is a number.',
      '`n` must be a number, but is text.',
      '`b` must be true or false, but is a whole number.',
      '`o` must be a map, but is a list.',
      '`l` must be a list, but is a map.',
      '`k` must be text, but is a whole number.',
    ])
  })

  test('a required input that is missing or null, and one that does not exist', async () => {
    expect(await messages(plan, { s: null })).toEqual(['`s` is required, but was not given.'])
    expect(await messages(planOf('[{ name: customer_id, type: string }]'), { customerid: 'x' })).toEqual([
      '`customerid` is not an input of the flow Shop; it has `customer_id`. Did you mean `customer_id`?',
    ])
  })

  test('names of object members are no inputs', async () => {
    expect(await messages(plan, { s: 'a', toString: 'x', constructor: 'y' })).toHaveLength(2)
    expect(await messages(plan, JSON.parse('{ "s": "a", "__proto__": 1 }') as JsonObject)).toHaveLength(1)
  })
})

describe('rules of JSON Schema', () => {
  const plan = planOf(
    '[{ name: level, enum: [low, high] }, { name: age, type: int, minimum: 18 }, { name: code, type: string, pattern: "^(a+)+$" }, { name: items, type: list, items: { type: object, properties: { price: { type: float, exclusiveMinimum: 0 } }, required: [price] } }]',
  )

  test('are enforced, and messages hold no value', async () => {
    expect(
      await messages(plan, {
        level: 'hunter2',
        age: 17,
        code: 'hunter2',
        items: [{ price: 1 }, { price: 'hunter2' }, {}],
      }),
    ).toEqual([
      '`level` must be equal to one of the allowed values: "low", "high".',
      '`age` must be >= 18.',
      '`code` must match pattern "^(a+)+$".',
      '`items`[1].price must be a number, but is text.',
      '`items`[2] has no `price`, which is required.',
    ])
    expect(await messages(plan, { level: 'low', age: 18, code: 'aaa', items: [] })).toEqual([])
  })

  test('a pattern that would freeze a backtracking engine is answered', async () => {
    expect(await messages(plan, { code: `${'a'.repeat(50_000)}!` })).toHaveLength(1)
  })
})

describe('data that are no input', () => {
  test('plain types are checked at once', () => {
    const validate = valueValidator({ type: 'object', title: 'Anything' })
    if (validate instanceof Promise) throw new Error('ajv was loaded for a plain type')
    expect(validate({ a: 1 })).toEqual([])
    expect(validate([])).toEqual(['The data must be a map, but is a list.'])
  })

  test('the same rules and sentences as for inputs, with members in the place of inputs', async () => {
    const lines = { type: 'array', items: { type: 'object', properties: { price: { type: ['number', 'null'] } } } }
    const validate = await valueValidator({ type: 'object', properties: { lines }, required: ['lines'] })
    expect(validate({ lines: [{ price: null }, { price: 'hunter2' }] })).toEqual([
      '`lines`[1].price must be a number or null, but is text.',
    ])
    expect(validate({})).toEqual(['The data has no `lines`, which is required.'])
    expect((await valueValidator(lines))([1])).toEqual(['The data[0] must be a map, but is a whole number.'])
  })

  test('patterns of values and of names meet no backtracking engine', async () => {
    const text = `${'a'.repeat(30)}!`
    const schema = { properties: { code: { pattern: '^(a+)+$' } }, patternProperties: { '^(a+)+$': false } }
    const validate = await valueValidator(schema)
    expect(validate({ code: text })).toEqual(['`code` must match pattern "^(a+)+$".'])
    expect(validate({ [text]: 1 })).toEqual([])
    expect(validate({ aaa: 1 })).toHaveLength(1)
  })
})
