import type { TaskContext } from 'plugwork'

/** Writes the invoice of an order. `context.idempotencyKey` is the same whenever this step of this run is tried again. */
export function WriteInvoice(
  { order_id, total }: { order_id: string; total: number },
  context: TaskContext,
): { number: string } {
  context.log.info(`invoice of ${total}`)
  return { number: `INV-${order_id}` }
}
