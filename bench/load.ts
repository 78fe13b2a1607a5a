/**
 * A light HTTP/1.1 load generator over raw sockets (the generator shares two cores with what it measures, so it must
 * cost little). One request in flight per connection; bounded in time; every request's number goes into its body.
 *
 *   node bench/load.ts PORT PATH CONNECTIONS SECONDS [ID_FILE]    prints one JSON line
 *
 * The body is `{"n":<number>}`. With ID_FILE, the `x-plugwork-run` header of every answered request is written there.
 */
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'

export interface LoadResult {
  readonly requests: number
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
  readonly max: number
  readonly errors: number
}

const [port, path, connections, seconds, idFile] = process.argv.slice(2)
if (!port || !path || !connections || !seconds)
  throw new Error('usage: load.ts PORT PATH CONNECTIONS SECONDS [ID_FILE]')

const latencies: number[] = []
const ids: string[] = []
let errors = 0
let counter = 0
const began = performance.now()
const ends = began + Number(seconds) * 1000

function request(): string {
  const body = `{"n":${++counter}}`
  return `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
}

function client(): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(Number(port), '127.0.0.1')
    socket.setNoDelay(true)
    let sent = 0
    let buffer = ''
    const send = (): void => {
      if (performance.now() >= ends) {
        socket.end()
        resolve()
        return
      }
      sent = performance.now()
      socket.write(request())
    }
    socket.on('connect', send)
    socket.on('data', (chunk: Buffer) => {
      buffer += chunk.toString('latin1')
      const head = buffer.indexOf('\r\n\r\n')
      if (head < 0) return
      const length = /content-length: (\d+)/i.exec(buffer.slice(0, head))
      if (length) {
        if (buffer.length < head + 4 + Number(length[1])) return
      } else if (!buffer.endsWith('0\r\n\r\n')) return
      if (buffer.startsWith('HTTP/1.1 200') || buffer.startsWith('HTTP/1.1 202')) {
        latencies.push(performance.now() - sent)
        if (idFile) ids.push(/x-plugwork-run: (\S+)/i.exec(buffer)?.[1] ?? '')
      } else {
        errors += 1
        if (errors === 1) process.stderr.write(`first error: ${buffer.slice(0, 400)}\n`)
      }
      buffer = ''
      send()
    })
    socket.on('error', () => {
      errors += 1
      resolve()
    })
    socket.on('close', () => resolve())
  })
}

await Promise.all(Array.from({ length: Number(connections) }, client))
const elapsed = (performance.now() - began) / 1000
latencies.sort((a, b) => a - b)
const at = (share: number): number =>
  latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0
if (idFile) writeFileSync(idFile, ids.join('\n'))
const result: LoadResult = {
  requests: latencies.length,
  perSecond: latencies.length / elapsed,
  p50: at(0.5),
  p99: at(0.99),
  max: latencies.at(-1) ?? 0,
  errors,
}
process.stdout.write(`${JSON.stringify(result)}\n`)
