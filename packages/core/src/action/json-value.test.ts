import { describe, expect, it } from 'vitest'

import { toJsonValue } from './json-value.ts'

const value = (input: unknown) => toJsonValue(input).value

describe('toJsonValue', () => {
  it('copies plain data, so that a later change of the original does not show', () => {
    const original = { list: [1, { a: 'x' }], ok: true, none: null }
    const copied = value(original) as typeof original
    original.list.push(2)
    expect(copied).toEqual({ list: [1, { a: 'x' }], ok: true, none: null })
  })

  it('leaves out undefined properties and turns other undefined into null', () => {
    expect(value({ a: undefined, b: 1 })).toEqual({ b: 1 })
    expect(value([undefined])).toEqual([null])
    expect(value(undefined)).toBeNull()
  })

  it('turns dates, wrappers and what has toJSON into JSON', () => {
    expect(value({ at: new Date(0) })).toEqual({ at: '1970-01-01T00:00:00.000Z' })
    expect(value(new URL('https://a.example/b'))).toBe('https://a.example/b')
    expect(value(Object('text'))).toBe('text')
  })

  it('keeps bigints that fit a number and turns the others into text', () => {
    expect(value([12n, 2n ** 60n])).toEqual([12, '1152921504606846976'])
  })

  it.each([
    [{ a: { b: Number.NaN } }, "The result's a.b is the number NaN"],
    [[Number.POSITIVE_INFINITY], "The result's [0] is the number Infinity"],
    [{ run: () => 1 }, "The result's run is a function"],
    [Symbol('x'), 'The result is a symbol'],
    [{ bytes: new Uint8Array(2) }, "toString('base64')"],
    [new Map(), 'Object.fromEntries'],
    [new Set(), '[...set]'],
    [{ later: Promise.resolve(1) }, 'await it'],
    [new Error('x'), 'throw it'],
    [new Date(Number.NaN), 'invalid Date'],
  ])('refuses %o, saying where it is and what to do', (input, message) => {
    expect(() => value(input)).toThrow(expect.objectContaining({ code: 'value_not_json' }))
    expect(() => value(input)).toThrow(message)
  })

  it('refuses cycles', () => {
    const cycle: { self?: unknown } = {}
    cycle.self = cycle
    expect(() => value(cycle)).toThrow('cycle')
  })

  it('keeps a key named __proto__ as a key', () => {
    const copied = value(JSON.parse('{"__proto__":{"polluted":true}}'))
    expect(Object.keys(copied as object)).toEqual(['__proto__'])
    expect((copied as { polluted?: boolean }).polluted).toBeUndefined()
  })

  it('estimates the size of the text', () => {
    const data = { name: 'x'.repeat(1_000), list: ['y'.repeat(500), 'z'.repeat(500)] }
    const { size } = toJsonValue(data)
    expect(size).toBeGreaterThan(2_000)
    expect(size).toBeLessThan(JSON.stringify(data).length * 1.1)
  })

  it('shows every string and key to the redactor', () => {
    const redact = (text: string) => text.replaceAll('hunter22', '***')
    expect(toJsonValue({ hunter22: ['a hunter22 b'] }, redact).value).toEqual({ '***': ['a *** b'] })
  })
})
