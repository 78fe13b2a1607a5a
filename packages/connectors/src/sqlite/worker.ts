/** The worker of a sqlite connection: a slow query blocks this thread, never the process's event loop. */
import { parentPort, workerData } from 'node:worker_threads'
import { asFailure } from './failures.ts'
import type { WorkerData, WorkRequest, WorkResponse } from './protocol.ts'
import { Session } from './session.ts'

const { options, interrupt } = workerData as WorkerData
const port = parentPort!
let current = 0
let session: Session | null = null

port.on('message', (request: WorkRequest | 'close') => {
  if (request === 'close') {
    session?.close()
    port.close()
    return
  }
  current = request.id
  port.postMessage(answer(request))
})

function answer({ id, operation, key, lookup }: WorkRequest): WorkResponse {
  try {
    session ??= new Session(options, () => Atomics.load(interrupt, 0) === current, Date.now)
    return { id, result: lookup && key !== null ? session.find(operation, key) : session.run(operation, key) }
  } catch (error) {
    return { id, failure: asFailure(error).failure }
  }
}
