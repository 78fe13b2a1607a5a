import { defineFlow } from 'plugwork'
import { call, output } from './steps.ts'
import { Discount, Quote } from './tasks.ts'

const quote = call('quote', Quote, { items: '${inputs.items}' })
const discount = call('discount', Discount, { total: output(quote, 'total') })

export default defineFlow({
  flow: 'PriceCart',
  description: 'A flow in TypeScript: the same document as in YAML, with steps that are typed by their tasks.',
  inputs: [
    {
      name: 'items',
      type: 'array',
      required: true,
      items: {
        type: 'object',
        required: ['sku', 'cents'],
        properties: { sku: { type: 'string' }, cents: { type: 'integer', minimum: 0 } },
      },
    },
  ],
  steps: [quote, discount],
  outputs: [
    { name: 'skus', value: output(quote, 'skus') },
    { name: 'total', value: '${Math.round(quote.total * (100 - discount.percent) / 100)}' },
  ],
})
