/** The IT department to try the flow with: `node it.ts`. Prints what it is asked; the signature link is in the mail's text. */
import { createServer } from 'node:http'

let orders = 0

createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const { method, url = '/' } = request
    process.stdout.write(`${method} ${url} ${Buffer.concat(chunks).toString()}\n`)
    const mail = `${url.slice(url.lastIndexOf('/') + 1).toLowerCase()}@example.com`
    const body = url === '/orders' ? { order: `O-${++orders}` } : { mail }
    response.setHeader('content-type', 'application/json').end(JSON.stringify(body))
  })
}).listen(7424, '127.0.0.1', () => process.stdout.write('IT on http://127.0.0.1:7424\n'))
