import { expect, test } from 'vitest'
import { matchesEvent } from './event-pattern.ts'

test.each([
  ['order.paid', 'order.paid', true],
  ['order.paid', 'order.paid.late', false],
  ['order.*', 'order.paid', true],
  ['order.*', 'order', false],
  ['order.*', 'order.paid.late', false],
  ['*.paid', 'order.paid', true],
  ['order.**', 'order.paid', true],
  ['order.**', 'order.paid.late', true],
  ['order.**', 'order', false],
  ['order.**', 'orders.paid', false],
  ['**', 'order.paid', true],
  ['*', 'order', true],
  ['**', 'plugwork.trigger.skipped', false],
  ['*.trigger.skipped', 'plugwork.trigger.skipped', false],
  ['plugwork.trigger.*', 'plugwork.trigger.skipped', true],
])('%s and %s: %s', (pattern, name, expected) => {
  expect(matchesEvent(pattern, name)).toBe(expected)
})
