import type { Json } from './json.ts'

/** How an error code behaves: the one table row that belongs to a code. */
export interface ErrorSpec {
  /** HTTP status with which an API answers this error. */
  readonly status: number
  /** Whether trying the same thing again later can help. */
  readonly retryable: boolean
  /** What the code means; the first column of `docs/errors.md`. */
  readonly summary: string
}

export interface PlugworkErrorOptions {
  readonly cause?: unknown
  readonly data?: Json
  readonly retryable?: boolean
}

/**
 * Base class of every error that Plugwork raises on purpose. `code` is stable and prefixed by area; `message` says what
 * happened, to which thing, and what to do next. Secrets never appear in either.
 */
export class PlugworkError extends Error {
  readonly code: string
  readonly data: Json | undefined
  readonly retryable: boolean

  constructor(code: string, message: string, options: PlugworkErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'PlugworkError'
    this.code = code
    this.data = options.data
    this.retryable = options.retryable ?? false
  }
}

/** The form in which an error enters the journal, the trace and the API: plain data, redacted, size-limited. */
export interface ErrorInfo {
  readonly code: string
  readonly message: string
  /** Path of the step that raised it, such as `loop[3]/send`. */
  readonly step?: string
  readonly data?: Json
  readonly cause?: ErrorInfo
  readonly retryable?: boolean
}

/** Marks a case that the types say cannot happen. */
export function assertNever(value: never): never {
  throw new PlugworkError('internal_unreachable', `Unexpected value ${JSON.stringify(value)}; please report this.`)
}
