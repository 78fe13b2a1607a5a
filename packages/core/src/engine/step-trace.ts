import type { ErrorInfo } from '../error.ts'
import type { Json } from '../json.ts'
import type { LogLine } from './event.ts'

/** One step as the trace shows it. */
export interface StepTrace {
  readonly path: string
  readonly kind: string
  readonly id: string | null
  /** Task or action name, or sub-flow. */
  readonly name: string | null
  readonly status:
    | 'running'
    | 'waiting'
    | 'retrying'
    | 'succeeded'
    | 'failed'
    | 'handled'
    | 'skipped'
    | 'cancelled'
    | 'needs_attention'
  readonly attempts: number
  readonly startedAt: number | null
  readonly endedAt: number | null
  readonly input: Json
  readonly output: Json
  readonly error: ErrorInfo | null
  readonly logs: readonly LogLine[]
  readonly childRunId: string | null
  readonly code: string | null
}
