/** Shapes that several actions of the redis connector share. */
import { z } from 'zod'
import { parseDuration } from '@plugwork/core'
import { storedValue } from '../stored-value.ts'

export const key = z.string().min(1).max(65_536).describe('The key, without `key_prefix`.')
export const keys = z.union([key, z.array(key).min(1).max(10_000)]).describe('A key, or a list of up to 10,000 keys.')
export const field = z.string().describe('Name of the field.')

export const listOfKeys = (given: string | readonly string[]): readonly string[] =>
  typeof given === 'string' ? [given] : given

export const ttl = z
  .union([z.number().positive(), z.string()])
  .refine(
    (value) => (parseDuration(value) ?? 0) >= 1,
    'must be a duration such as 90s, 5m, 30d, or a number of seconds',
  )
  .describe('How long the key lives: `90s`, `5m`, `30d`, or seconds.')

/** At most what one answer of the connector holds. */
export const limit = (initial: number): z.ZodDefault<z.ZodInt> => z.int().positive().max(100_000).default(initial)

export const whole = z.union([z.int(), z.string().regex(/^-?\d+$/)])

export const value = storedValue.describe('What is stored; null when there is nothing.')
export const values = z.array(storedValue)
export const record = z.record(z.string(), storedValue)
export const count = z.int()
