/**
 * The oracle: an HTTP service in its own process that records every effect in its own durable log before it answers.
 * It knows nothing of Plugwork; the invariants compare its log with the journal.
 *
 *   node crash/oracle.ts LOG      prints its address on stdout
 */
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface EffectEntry {
  readonly key: string
  readonly run: string
  readonly name: string
  readonly value: number
  readonly attempt: number
  /** Epoch ms at which the author's code began; the request may have been on its way for long. */
  readonly begun: number
  /** Epoch ms at which the request was read. */
  readonly at: number
  readonly answer: 'ok' | 'refused'
}

const file = process.argv[2]
if (!file) throw new Error('usage: oracle.ts LOG')
const log = openSync(file, 'a')
let pending: { line: string; done: () => void }[] = []

/** One fsync for all that arrived meanwhile, so that the oracle is not the bottleneck. */
function flush(): void {
  const batch = pending
  pending = []
  writeSync(log, batch.map((entry) => entry.line).join(''))
  fdatasyncSync(log)
  for (const entry of batch) entry.done()
}

const server = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const body = JSON.parse(Buffer.concat(chunks).toString()) as Omit<EffectEntry, 'at' | 'answer'>
    // Every seventh value is refused at its first attempt: the flow's retry policy has to deal with it.
    const refused = body.attempt === 1 && body.value % 7 === 0
    const entry: EffectEntry = { ...body, at: Date.now(), answer: refused ? 'refused' : 'ok' }
    pending.push({
      line: `${JSON.stringify(entry)}\n`,
      done: () => {
        response.writeHead(refused ? 503 : 200, { 'content-type': 'application/json' })
        response.end(JSON.stringify({ value: (body.value * 31 + 7) % 1009 }))
      },
    })
    if (pending.length === 1) setImmediate(flush)
  })
})
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}\n`)
})
process.on('SIGTERM', () => {
  server.close()
  server.closeAllConnections()
  closeSync(log)
})
