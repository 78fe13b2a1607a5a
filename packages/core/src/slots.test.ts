import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SlotMap, Slots } from './slots.ts'

test('a slot belongs to its value until it is removed, and is used again afterwards', () => {
  const slots = new Slots<string>()
  const a = slots.add('a')
  const b = slots.add('b')
  expect([slots.at(a), slots.at(b), slots.size]).toEqual(['a', 'b', 2])
  expect(slots.remove(a)).toBe('a')
  expect([slots.at(a), slots.size, [...slots]]).toEqual([undefined, 1, ['b']])
  expect(slots.add('c')).toBe(a)
  expect([...slots].sort()).toEqual(['b', 'c'])
})

test('removing an empty slot changes nothing', () => {
  const slots = new Slots<string>()
  const a = slots.add('a')
  slots.remove(a)
  expect(slots.remove(a)).toBeUndefined()
  slots.add('b')
  slots.add('c')
  expect([slots.size, [...slots].sort()]).toEqual([2, ['b', 'c']])
  slots.clear()
  expect([slots.size, [...slots]]).toEqual([0, []])
})

test('values may be removed while they are gone through', () => {
  const slots = new Slots<number>()
  const at = [1, 2, 3, 4].map((value) => slots.add(value))
  const seen: number[] = []
  for (const value of slots) {
    seen.push(value)
    for (const slot of at) slots.remove(slot)
  }
  expect(seen).toEqual([1])
})

test('a slot map is a map', () => {
  const operation = fc.record({
    kind: fc.constantFrom('set', 'set', 'delete', 'get'),
    key: fc.integer({ min: 0, max: 12 }),
    value: fc.integer({ min: 1 }),
  })
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
      const map = new Map<number, number>()
      const slots = new SlotMap<number, number>()
      for (const { kind, key, value } of operations) {
        if (kind === 'set') {
          map.set(key, value)
          slots.set(key, value)
        } else if (kind === 'delete') {
          expect(slots.delete(key)).toBe(map.get(key))
          map.delete(key)
        }
        expect(slots.get(key)).toBe(map.get(key))
        expect(slots.has(key)).toBe(map.has(key))
        expect(slots.size).toBe(map.size)
      }
      expect([...slots.values()].sort()).toEqual([...map.values()].sort())
      slots.clear()
      expect([slots.size, [...slots.values()]]).toEqual([0, []])
    }),
  )
})
