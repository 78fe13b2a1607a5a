import { expect, it } from 'vitest'

import { Ids } from './ids.ts'

it('makes UUIDs of version 7 that increase, also within a millisecond and when the clock steps back', () => {
  const ids = new Ids()
  const made = Array.from({ length: 10_000 }, (_, i) => ids.runId(i < 9_000 ? 1_700_000_000_000 : 1_600_000_000_000))
  for (const id of made) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(made).toEqual([...new Set(made)].toSorted())
  expect(made[0]!.replaceAll('-', '').slice(0, 12)).toBe((1_700_000_000_000).toString(16).padStart(12, '0'))
})

it('makes tokens that differ', () => {
  const ids = new Ids()
  const tokens = new Set(Array.from({ length: 1_000 }, () => ids.token()))
  expect(tokens.size).toBe(1_000)
  for (const token of tokens) expect(token).toMatch(/^[\w-]{22}$/)
})
