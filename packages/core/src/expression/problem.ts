import { errorMessage } from './error.ts'
import type { ExpressionErrorCode, MessageData } from './error.ts'

/** One finding of the checker. `error`: it fails when it runs (or does nothing useful); `warning`: it may. */
export interface Problem {
  readonly code: ExpressionErrorCode
  readonly severity: 'error' | 'warning'
  readonly message: string
  readonly start: number
  readonly end: number
  /** What to do instead, as a sentence or a name. */
  readonly suggestion?: string
}

interface Where {
  readonly start: number
  readonly end: number
  readonly suggestion?: string | undefined
  readonly severity?: 'error' | 'warning'
}

export function problem(code: ExpressionErrorCode, data: MessageData, where: Where): Problem {
  const { start, end, suggestion, severity = 'error' } = where
  return { code, severity, message: errorMessage(code, data), start, end, ...(suggestion && { suggestion }) }
}
