interface Item {
  readonly sku: string
  readonly cents: number
}

/** Adds up a cart. */
export function Quote({ items }: { items: readonly Item[] }): { total: number; skus: string[] } {
  return { total: items.reduce((sum, { cents }) => sum + cents, 0), skus: items.map(({ sku }) => sku) }
}

/** Gives a discount to those who buy much. */
export function Discount({ total }: { total: number }): { percent: number } {
  return { percent: total >= 10_000 ? 10 : 0 }
}
