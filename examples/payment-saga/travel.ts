/**
 * A travel agency to try the flow with: `node travel.ts`. Repeats of a request with the same idempotency key get the first answer;
 * the second flight request is answered 503; payments over 1,000.00 are declined with 402. Prints what is booked.
 */
import { createServer } from 'node:http'

const booked = new Map<string, string>()
const answered = new Map<string, { readonly status: number; readonly body: object }>()
let flights = 0

function answer(method: string, path: string, body: { trip?: string; cents?: number }) {
  if (method === 'DELETE') {
    booked.delete(path)
    return { status: 200, body: { gone: path } }
  }
  if (path === '/flights' && ++flights === 2) return { status: 503, body: { error: 'busy' } }
  if (path === '/payments' && (body.cents ?? 0) > 100_000) return { status: 402, body: { error: 'declined' } }
  const id = `${path.slice(1, 2).toUpperCase()}${answered.size + 1}`
  booked.set(`${path}/${id}`, body.trip ?? '')
  return { status: 201, body: { id } }
}

createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const { method = 'GET', url = '/' } = request
    const key = String(request.headers['idempotency-key'] ?? `${method} ${url}`)
    const text = Buffer.concat(chunks).toString()
    const known = answered.get(key)
    const given =
      known ?? answer(method, url, text === '' ? {} : (JSON.parse(text) as { trip?: string; cents?: number }))
    if (given.status < 400) answered.set(key, given)
    response.writeHead(given.status, { 'content-type': 'application/json' }).end(JSON.stringify(given.body))
    process.stdout.write(
      `${method} ${url} ${given.status}${known ? ' again' : ''}; booked: ${[...booked.keys()].join(' ')}\n`,
    )
  })
}).listen(7423, '127.0.0.1', () => process.stdout.write('travel on http://127.0.0.1:7423\n'))
