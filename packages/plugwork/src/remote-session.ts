/** A session that works through the process that owns the data folder. */
import type { ControlClient, ServerInfo } from '@plugwork/server'
import type { StartOutcome } from '@plugwork/core/node'
import type { JsonObject } from '@plugwork/core'
import { UsageError } from './exit.ts'
import type { Session } from './session.ts'

export function remoteSession(client: ControlClient, info: ServerInfo, file: string | null): Session {
  return {
    server: { pid: info.pid, address: info.address },
    isElsewhere: async () => false,
    async start(flow: string, inputs: JsonObject): Promise<StartOutcome> {
      if (file === null) throw new UsageError(`The flow ${flow} has no file that the server could run.`)
      const outcome = await client.startFile({ file, inputs })
      if (outcome.kind === 'not_loaded') throw new UsageError(outcome.message)
      return outcome
    },
    wait: (id, timeoutMs) => client.wait(id, timeoutMs),
    get: (id) => client.getRun(id),
    list: (query) => client.listRuns(query),
    watch: (listener, runId) => client.watch(runId, listener),
    adopt: (id) => client.resume(id),
    cancel: (id, options) => client.cancel(id, options),
    retry: (id) => client.retry(id),
    replay: (id, request) => client.replay(id, request),
    resolve: (id, step, decision) => client.resolve(id, step, decision),
    signal: (id, signal) => client.signal(id, signal),
    verify: (id) => client.verify(id),
    backup: (target) => client.backup(target),
    stop: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  }
}
