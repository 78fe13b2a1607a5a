import type { ErrorInfo } from '../error.ts'
import type { Json } from '../json.ts'
import { toJsonValue } from '../action/json-value.ts'

/** Characters of a message that are kept. */
const MAX_MESSAGE = 8_192
/** Characters of `data` as JSON past which it is left out. */
const MAX_DATA = 32_768
const MAX_CAUSES = 5

export interface ErrorInfoOptions {
  /** Code of an error that carries none of its own. */
  readonly code: string
  readonly redact?: (text: string) => string
}

/**
 * The journal's form of whatever was thrown. A string property `code` is the error's code (so `ECONNREFUSED` can stand in
 * `retry.on`), `data` and `retryable` are kept where they have the right type, causes are followed.
 */
export function toErrorInfo(thrown: unknown, options: ErrorInfoOptions, depth = 0): ErrorInfo {
  if (typeof thrown !== 'object' || thrown === null) {
    return { code: options.code, message: clip(describe(thrown), options.redact) }
  }
  const error = thrown as { code?: unknown; message?: unknown; data?: unknown; cause?: unknown; retryable?: unknown }
  const message = typeof error.message === 'string' && error.message !== '' ? error.message : describe(thrown)
  const data = errorData(error.data, options.redact)
  const retryable = error.retryable
  return {
    code: typeof error.code === 'string' && /^[\w.:-]{1,100}$/.test(error.code) ? error.code : options.code,
    message: clip(message, options.redact),
    ...(data === undefined ? {} : { data }),
    ...(error.cause === undefined || error.cause === null || depth >= MAX_CAUSES
      ? {}
      : { cause: toErrorInfo(error.cause, { ...options, code: 'error' }, depth + 1) }),
    ...(typeof retryable === 'boolean' ? { retryable } : {}),
  }
}

function errorData(data: unknown, redact: ErrorInfoOptions['redact']): Json | undefined {
  if (data === undefined || data === null) return undefined
  try {
    const { value, size } = toJsonValue(data, redact)
    return size > MAX_DATA ? { omitted: `${size} characters of data` } : value
  } catch (error) {
    return { omitted: error instanceof Error ? error.message : 'data that is not JSON' }
  }
}

function describe(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.name
  try {
    return typeof thrown === 'string' ? thrown : `${JSON.stringify(thrown) ?? String(thrown)} was thrown`
  } catch {
    return 'A value that cannot be shown was thrown'
  }
}

function clip(text: string, redact: ErrorInfoOptions['redact']): string {
  // Redacted first: a secret that is cut in two would not be found.
  const clean = redact === undefined ? text : redact(text)
  return clean.length <= MAX_MESSAGE ? clean : `${clean.slice(0, MAX_MESSAGE)}… (${clean.length} characters)`
}
