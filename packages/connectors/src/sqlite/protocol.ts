/** What the connection says to its worker, and what comes back. Plain data, for `postMessage`. */
import type { Json } from '@plugwork/core'
import type { Operation } from '../sql/operation.ts'
import type { SqliteErrorCode } from './errors.ts'

export interface WorkRequest {
  readonly id: number
  readonly operation: Operation
  /** Makes a write exactly once; null: it is done as often as it is asked for. */
  readonly key: string | null
  /** Only finds the result that an earlier write with this key left. */
  readonly lookup: boolean
}

export interface FailureData {
  readonly code: SqliteErrorCode
  readonly message: string
  readonly data?: Json
}

export type WorkResponse =
  { readonly id: number; readonly result: Json } | { readonly id: number; readonly failure: FailureData }

export interface SessionOptions {
  /** Absolute path, or `:memory:`. */
  readonly file: string
  readonly readOnly: boolean
  /** How long a lock of another process is waited for. */
  readonly busyMs: number
  readonly journalMode: string | null
  readonly pragmas: { readonly [name: string]: string | number | boolean }
}

export interface WorkerData {
  readonly options: SessionOptions
  /** Holds the id of the request that is to be interrupted. */
  readonly interrupt: Int32Array
}

/** An error on its way to the connection, where it becomes a `PlugworkError`. */
export class Failure extends Error {
  readonly failure: FailureData

  constructor(code: SqliteErrorCode, message: string, data?: Json) {
    super(message)
    this.failure = { code, message, ...(data === undefined ? null : { data }) }
  }
}
