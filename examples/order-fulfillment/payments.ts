/** A payment service to try the flow with: `node payments.ts`. It recognises a repeated request by its idempotency key. */
import { createServer } from 'node:http'

const charged = new Map<string, string>()

createServer((request, response) => {
  const key = String(request.headers['idempotency-key'] ?? '')
  const id = charged.get(key) ?? `pay_${charged.size + 1}`
  charged.set(key, id)
  response.setHeader('content-type', 'application/json').end(JSON.stringify({ payment_id: id }))
}).listen(7421, '127.0.0.1', () => process.stdout.write('payments on http://127.0.0.1:7421\n'))
