/**
 * What commands do with runs. In this process on the project's store, or, while a server owns the data folder, through
 * its control socket: commands see no difference.
 */
import type { Json, JsonObject } from '@plugwork/core'
import type {
  ControlOutcome,
  ReplayRequest,
  RunDetail,
  RunNotice,
  RunQuery,
  RunRow,
  RunSummary,
  StartOutcome,
} from '@plugwork/core/node'

export interface Session extends AsyncDisposable {
  /** The server that carries things out; null: this process does. */
  readonly server: { readonly pid: number; readonly address: string | null } | null
  /** Whether another live process has the run, or had it last: on a database several may work at a time. */
  isElsewhere(run: Pick<RunRow, 'epoch'>): Promise<boolean>
  start(flow: string, inputs: JsonObject): Promise<StartOutcome>
  /** Resolves when the run ends, waits for somebody, or `timeoutMs` has passed; null when there is no such run. */
  wait(id: string, timeoutMs: number): Promise<RunSummary | null>
  get(id: string): Promise<RunDetail | null>
  list(query: Omit<RunQuery, 'tenant'>): Promise<readonly RunRow[]>
  watch(listener: (notice: RunNotice) => void, runId: string): () => void
  /** Takes over a run that an earlier process left. Where a server is at work it has done so already. */
  adopt(id: string): Promise<ControlOutcome>
  cancel(id: string, options: { readonly force: boolean; readonly reason?: string }): Promise<ControlOutcome>
  retry(id: string): Promise<ControlOutcome>
  replay(id: string, request: ReplayRequest): Promise<ControlOutcome>
  resolve(
    id: string,
    step: string,
    decision:
      { readonly kind: 'retry' } | { readonly kind: 'output'; readonly output: Json } | { readonly kind: 'fail' },
  ): Promise<ControlOutcome>
  signal(
    id: string,
    signal: {
      readonly name: string
      readonly outcome: 'received' | 'approved' | 'rejected'
      readonly data: Json
      readonly actor?: string
    },
  ): Promise<ControlOutcome>
  verify(id: string): Promise<readonly string[]>
  /** Writes a consistent copy of the store to an absolute path. */
  backup(file: string): Promise<void>
  /** Stops starting steps and gives the running ones time; what is unfinished stays resumable. */
  stop(graceMs: number): Promise<void>
}
