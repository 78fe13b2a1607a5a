/** The caller's end of the control socket: the operations of a running server, as typed functions. */
import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { PlugworkError } from '@plugwork/core'
import type { Json } from '@plugwork/core'
import type { RunNotice } from '@plugwork/core/node'
import { ServerError } from '../errors.ts'
import type { ControlOperation, ControlOperations } from './operations.ts'

export interface ControlClient extends ControlOperations {
  /** Calls back with what happens to a run until it ends; the returned function ends it earlier. */
  watch(id: string, listener: (notice: RunNotice) => void): () => void
}

/** How long an answer may take, in ms: a stopped process accepts connections and never says anything. */
const ANSWER_MS = 30_000
/** `info` does nothing but answer. */
const INFO_MS = 1_000
/** Operations that take as long as their work does. */
const UNBOUNDED: ReadonlySet<ControlOperation> = new Set(['wait', 'startFile', 'backup', 'prune', 'verify'])

/** A client of the server that listens on this socket. Each call throws `control_unreachable` when it does not answer. */
export function connectControl(socketPath: string): ControlClient {
  const call = async <Name extends ControlOperation>(
    name: Name,
    ...args: Parameters<ControlOperations[Name]>
  ): Promise<Awaited<ReturnType<ControlOperations[Name]>>> => {
    const withinMs = name === 'info' ? INFO_MS : UNBOUNDED.has(name) ? null : ANSWER_MS
    const content = JSON.stringify({ arguments: args })
    const { status, body } = await exchange(socketPath, `/control/v1/${name}`, content, withinMs)
    if (status === 200) return (body as { result: Awaited<ReturnType<ControlOperations[Name]>> }).result
    const problem = body as { readonly code?: string; readonly detail?: string; readonly data?: Json }
    const options = problem.data === undefined ? {} : { data: problem.data }
    throw new PlugworkError(problem.code ?? 'internal', problem.detail ?? `The server answered ${status}.`, options)
  }
  return {
    info: () => call('info'),
    listRuns: (query) => call('listRuns', query),
    getRun: (id) => call('getRun', id),
    wait: (id, timeoutMs) => call('wait', id, timeoutMs),
    startFile: (start) => call('startFile', start),
    resume: (id) => call('resume', id),
    cancel: (id, options) => call('cancel', id, options),
    retry: (id) => call('retry', id),
    replay: (id, replay) => call('replay', id, replay),
    resolve: (id, step, decision) => call('resolve', id, step, decision),
    signal: (id, signal) => call('signal', id, signal),
    publish: (event) => call('publish', event),
    verify: (id) => call('verify', id),
    prune: () => call('prune'),
    backup: (file) => call('backup', file),
    watch: (id, listener) => watch(socketPath, id, listener),
  }
}

function exchange(
  socketPath: string,
  path: string,
  body: string,
  withinMs: number | null,
): Promise<{ readonly status: number; readonly body: unknown }> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    // No agent: a command makes few calls, and a kept connection would keep its process alive.
    const outgoing = request({ socketPath, path, method: 'POST', headers, agent: false }, (response) => {
      readText(response).then(
        (text) => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as unknown }),
        reject,
      )
    })
    outgoing.once('error', (cause) => reject(unreachable(socketPath, cause)))
    if (withinMs !== null) {
      outgoing.setTimeout(withinMs, () => outgoing.destroy(new Error(`no answer within ${withinMs} ms`)))
    }
    outgoing.end(body)
  })
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

function watch(socketPath: string, id: string, listener: (notice: RunNotice) => void): () => void {
  const path = `/control/v1/watch/${encodeURIComponent(id)}`
  let ended = false
  const outgoing = request({ socketPath, path, agent: false }, (response) => {
    let rest = ''
    response.setEncoding('utf8')
    response.on('data', (chunk: string) => {
      const blocks = (rest + chunk).split('\n\n')
      rest = blocks.pop() ?? ''
      for (const block of blocks) {
        const data = /^data: (.*)$/m.exec(block)?.[1]
        if (data !== undefined && !ended) listener(JSON.parse(data) as RunNotice)
      }
    })
  })
  // A stream that breaks off tells nothing more; whoever watches also waits for the run, and learns it there.
  outgoing.on('error', () => {})
  outgoing.end()
  return () => {
    ended = true
    outgoing.destroy()
  }
}

function unreachable(socketPath: string, cause: unknown): ServerError {
  return new ServerError(
    'control_unreachable',
    `The running server does not answer on ${socketPath}. If it has just stopped, run the command again.`,
    { cause },
  )
}
