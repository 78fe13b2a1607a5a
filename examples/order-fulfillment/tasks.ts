import { defineTask } from 'plugwork'
import { z } from 'zod'

const item = z.object({ sku: z.string(), quantity: z.int().min(1), price: z.number().min(0) })

/** Adds up an order. Declared with schemas: the checker knows its types, and inputs are validated before it runs. */
export const PriceOrder = defineTask({
  input: z.object({ items: z.array(item) }),
  output: z.object({ total: z.number() }),
  run: ({ items }) => ({ total: items.reduce((sum, { quantity, price }) => sum + quantity * price, 0) }),
})
