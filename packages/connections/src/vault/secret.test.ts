import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { Secret } from './secret.ts'

test('a secret prints as *** everywhere, and reveals itself when asked', () => {
  const secret = new Secret('hunter22')
  const seen = [
    `${secret}`,
    String(secret),
    `${secret as unknown as string}-`,
    JSON.stringify({ secret, list: [secret] }),
    inspect(secret),
    inspect({ deep: { secret } }, { depth: 5, showHidden: true }),
    Object.entries(secret).join(),
    JSON.stringify(structuredClone({ ...secret })),
    new Error(`refused: ${secret}`).message,
  ]
  expect(seen.join('\n')).not.toContain('hunter22')
  expect(seen[0]).toBe('***')
  expect(JSON.stringify({ secret })).toBe('{"secret":"***"}')
  expect(secret.reveal()).toBe('hunter22')
})
