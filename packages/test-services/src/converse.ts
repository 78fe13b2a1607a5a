/** A few bytes to and fro over TCP: enough to see that a service speaks its protocol. */
import { connect } from 'node:net'

export interface Conversation {
  readonly host: string
  readonly port: number
  readonly sendFirst: string | Buffer
  /** Looks at all that came so far: true ends it, bytes are sent on. Throws for an answer that is wrong. */
  until(received: Buffer): boolean | Uint8Array
  readonly timeoutMs?: number
}

/** Everything that was received. Throws when the service cannot be reached, hangs up or says nothing in time. */
export function converse({ host, port, sendFirst, until, timeoutMs = 3_000 }: Conversation): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0)
    const socket = connect({ host, port })
    const fail = (error: Error): void => {
      socket.destroy()
      reject(error)
    }
    const step = (): void => {
      try {
        const next = until(received)
        if (next === true) {
          socket.destroy()
          resolve(received)
        } else if (next !== false) {
          socket.write(next)
        }
      } catch (error) {
        fail(error as Error)
      }
    }
    socket.setTimeout(timeoutMs, () => fail(new Error(`no answer within ${timeoutMs} ms`)))
    socket.once('error', fail)
    socket.once('close', () => reject(new Error('the connection was closed')))
    socket.once('connect', () => {
      if (sendFirst.length > 0) socket.write(sendFirst)
      else step()
    })
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, typeof chunk === 'string' ? Buffer.from(chunk) : chunk])
      step()
    })
  })
}
