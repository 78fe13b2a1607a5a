/** What the actions of all SQL connectors ask a connection to do. Plain data: for sqlite it crosses to a worker. */
import { hash } from 'node:crypto'
import type { Json } from '@plugwork/core'

export interface Statement {
  readonly text: string
  readonly params: readonly Json[] | { readonly [name: string]: Json }
}

export type Row = { [column: string]: Json }

export type Operation =
  | { readonly kind: 'query'; readonly statement: Statement; readonly maxRows: number }
  | { readonly kind: 'execute'; readonly statement: Statement }
  | { readonly kind: 'transaction'; readonly statements: readonly Statement[] }
  | {
      readonly kind: 'batch_insert'
      readonly table: string
      readonly records: readonly Row[]
      readonly batchSize: number
      readonly onConflict: 'error' | 'ignore' | 'replace'
    }
  | {
      readonly kind: 'batch_update'
      readonly table: string
      readonly keyField: string
      readonly updates: readonly Row[]
      readonly batchSize: number
    }

export interface RunOptions {
  readonly signal: AbortSignal
  /** Idempotency key of a write that is to be done exactly once. */
  readonly key?: string
  /** Only finds the result that an earlier write with this key left; null when there is none. */
  readonly lookup?: boolean
}

/** An open connection to a database, as the actions use it. */
export interface SqlClient {
  /** Whether writes leave their idempotency key in the database. */
  readonly exactlyOnce: boolean
  run(operation: Operation, options: RunOptions): Promise<Json>
}

/** A key belongs to one operation: another one under the same key is another effect. */
export function appliedKey(key: string, operation: Operation): string {
  return `${key}:${hash('sha256', JSON.stringify(operation), 'base64url').slice(0, 16)}`
}
