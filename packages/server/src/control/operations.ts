/**
 * What other commands on a data folder ask of the server that owns it. One table of operations: the server answers them
 * over its local socket, `ControlClient` is their typed caller. Arguments and results are the runtime's own shapes, so a
 * command prints the same whether it works on the store itself or through the server.
 */
import type { Json, JsonObject } from '@plugwork/core'
import type {
  ControlOutcome,
  ReplayRequest,
  RunDetail,
  RunQuery,
  RunRow,
  RunSummary,
  StartOutcome,
  StoreStats,
} from '@plugwork/core/node'

export type SignalRequest = {
  readonly name: string
  readonly outcome: 'received' | 'approved' | 'rejected'
  readonly data: Json
  readonly dedupe?: string
  /** Who it is from; default: whoever is at the socket. */
  readonly actor?: string
}

export type Decision =
  { readonly kind: 'retry' } | { readonly kind: 'output'; readonly output: Json } | { readonly kind: 'fail' }

/** A run of a flow file that the caller has at hand. */
export interface StartFile {
  /** Absolute path; the server loads it with the tasks beside it. */
  readonly file: string
  readonly inputs: JsonObject
  readonly idempotencyKey?: string
  readonly priority?: number
}

export type StartFileOutcome =
  | StartOutcome
  /** The file has errors, or another flow of its name is served. */
  | { readonly kind: 'not_loaded'; readonly message: string }

export interface ServerInfo {
  readonly pid: number
  readonly version: string
  readonly address: string | null
  readonly store: StoreStats
}

export interface ControlOperations {
  info(): Promise<ServerInfo>
  listRuns(query: Omit<RunQuery, 'tenant'>): Promise<readonly RunRow[]>
  getRun(id: string): Promise<RunDetail | null>
  /** Resolves when the run ends, waits for a human, or time is up. */
  wait(id: string, timeoutMs: number): Promise<RunSummary | null>
  startFile(request: StartFile): Promise<StartFileOutcome>
  /** The server works on every run already; done when there is such a run that has not ended. */
  resume(id: string): Promise<ControlOutcome>
  cancel(id: string, options: { readonly force: boolean; readonly reason?: string }): Promise<ControlOutcome>
  retry(id: string): Promise<ControlOutcome>
  replay(id: string, request: ReplayRequest): Promise<ControlOutcome>
  resolve(id: string, step: string, decision: Decision): Promise<ControlOutcome>
  signal(id: string, request: SignalRequest): Promise<ControlOutcome>
  publish(event: {
    readonly name: string
    readonly data: Json
    readonly key?: string
  }): Promise<{ readonly id: number }>
  verify(id: string): Promise<readonly string[]>
  prune(): Promise<{ readonly runs: number; readonly bytesFreed: number }>
  /** Writes a consistent copy of the store to an absolute path. */
  backup(file: string): Promise<void>
}

export type ControlOperation = keyof ControlOperations
