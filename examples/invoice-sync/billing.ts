/** A billing service to try the flow with: `node billing.ts`. 250 invoices, a page at a time; every third request is answered 503. */
import { createServer } from 'node:http'

const invoices = Array.from({ length: 250 }, (_, index) => ({
  id: `I-${index + 1}`,
  customer: `customer ${(index * 7) % 40}`,
  total: index === 99 ? -1 : (index + 1) * 1.25,
  updated_at: new Date(Date.UTC(2026, 0, 1, index)).toISOString(),
}))
let requests = 0

createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://127.0.0.1')
  const since = url.searchParams.get('updated_since') ?? ''
  const limit = Number(url.searchParams.get('limit') ?? 100)
  const at = Number(url.searchParams.get('cursor') ?? 0)
  response.setHeader('content-type', 'application/json')
  if (!request.headers.authorization?.startsWith('Bearer ')) return response.writeHead(401).end('{}')
  if (++requests % 3 === 0) return response.writeHead(503, { 'retry-after': '1' }).end('{}')
  const changed = invoices.filter((invoice) => invoice.updated_at >= since)
  const next = at + limit < changed.length ? String(at + limit) : null
  return response.end(JSON.stringify({ invoices: changed.slice(at, at + limit), next }))
}).listen(7422, '127.0.0.1', () => process.stdout.write('billing on http://127.0.0.1:7422\n'))
