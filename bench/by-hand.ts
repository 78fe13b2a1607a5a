/**
 * The baseline of the webhook benchmark: the same work written by hand on node:http with no engine and nothing stored.
 *
 *   node bench/by-hand.ts STUB_PORT      prints its port
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Pool } from 'undici'

const stubPort = Number(process.argv[2])
const pool = new Pool(`http://127.0.0.1:${stubPort}`, { connections: 64, pipelining: 1 })

async function getRate(): Promise<{ rate: number }> {
  const response = await pool.request({ method: 'GET', path: '/rate' })
  return (await response.body.json()) as { rate: number }
}

const server = createServer((request, response) => {
  let text = ''
  request.setEncoding('utf8')
  request.on('data', (chunk: string) => (text += chunk))
  request.on('end', async () => {
    const { n } = JSON.parse(text) as { n: number }
    const net = n * 3
    const label = net > 100 ? 'large' : 'small'
    const reference = `${label}-${net}`
    const { rate } = await getRate()
    const body = JSON.stringify({ reference, gross: net * rate })
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) })
    response.end(body)
  })
})
server.listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`))
