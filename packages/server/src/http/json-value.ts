import type { Json } from '@plugwork/core'
import { z } from 'zod'

/** Any JSON value. What was parsed from JSON is one already, so nothing is looked at again. */
export const jsonValue = z.custom<Json>(() => true)

/** Any JSON object. */
export const jsonObject = z.record(z.string(), jsonValue)
