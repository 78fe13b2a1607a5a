/** Shapes of the mongodb connector's actions. */
import type { Json, JsonObject } from '@plugwork/core'
import { z } from 'zod'
import { json } from '../network-settings.ts'

const object = z.record(z.string(), json<Json>()) as z.ZodType<JsonObject>

export const collection = z.string().min(1).max(255).describe('Name of the collection.')
export const document = object
export const documents = z.array(object)

export const selecting = {
  filter: object
    .optional()
    .describe('Filter in the query language of MongoDB. Values of strangers belong into `match`.'),
  match: object
    .optional()
    .describe('Fields and the values that they equal. A value is never an operator, whatever is in it.'),
}
export const all = z
  .boolean()
  .default(false)
  .describe('Must be true where neither `filter` nor `match` selects: then all documents are meant.')
export const projection = object
  .optional()
  .describe('Fields to answer: `{ name: 1 }`, or to leave out: `{ secret: 0 }`.')
export const sort = z
  .record(z.string(), z.union([z.literal(1), z.literal(-1)]))
  .optional()
  .describe('Order: `{ created: -1, name: 1 }`.')
export const skip = z.int().nonnegative().default(0).describe('How many to pass over.')
export const limit = z
  .int()
  .positive()
  .max(100_000)
  .optional()
  .describe('How many at most. Without it, more than 10,000 are an error.')
export const count = z.int()

/** More documents than this need a `limit` that says so. */
export const DEFAULT_LIMIT = 10_000
