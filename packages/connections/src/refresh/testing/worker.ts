/**
 * A process of an application, for tests: opens the store of connections and asks many times at once for one token. Told
 * by messages of its parent; it may be told to die (SIGKILL) between the provider's answer and the write of the tokens.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { PlugworkError } from '@plugwork/core'
import { systemClock, type Clock, type CredentialSource } from '@plugwork/core/node'
import type { ConnectionStore } from '../../store/connection-store.ts'
import { openPostgresConnectionStore } from '../../store/postgres-connection-store.ts'
import { openSqliteConnectionStore } from '../../store/sqlite-connection-store.ts'
import { ACTOR, openService, plainTokens } from './service.ts'

export interface WorkerSetup {
  readonly store: { readonly file: string } | { readonly url: string; readonly schema: string }
  readonly provider: string
  readonly connection: string
}

export interface WorkerOrder {
  readonly calls: number
  /** How far the worker's clock is ahead, ms. */
  readonly offset: number
  /** Die when the provider has answered. */
  readonly die?: boolean
}

export interface WorkerReport {
  readonly tokens: readonly string[]
  readonly errors: readonly string[]
}

/** Short, so that a test does not wait for a minute; in the proportions of the real ones. */
export const FAST = { leaseMs: 2_000, requestMs: 700, cooldownMs: 300, waitMs: 4_000 }

/** How often a call that may be retried is. */
const TRIES = 20

export async function openStore(store: WorkerSetup['store']): Promise<ConnectionStore> {
  return 'file' in store ? openSqliteConnectionStore(store) : openPostgresConnectionStore(store)
}

async function work(setup: WorkerSetup): Promise<void> {
  let order: WorkerOrder = { calls: 0, offset: 0 }
  const clock: Clock = {
    now: () => Date.now() + order.offset,
    at: (at, callback) => systemClock.at(at - order.offset, callback),
  }
  const tokens = plainTokens(setup.provider, clock, () => {
    if (order.die) process.kill(process.pid, 'SIGKILL')
  })
  const connections = await openService({ store: await openStore(setup.store), tokens, clock, timing: FAST })
  process.on('message', (message) => {
    order = message as WorkerOrder
    void (async () => {
      // As an application does that opens the connection per request.
      const reports = await Promise.all(
        Array.from({ length: order.calls }, async () => {
          try {
            const { credentials } = await connections.open(ACTOR, setup.connection)
            return { token: await ask(credentials!) }
          } catch (error) {
            return { error: error instanceof PlugworkError ? error.code : String(error) }
          }
        }),
      )
      const report: WorkerReport = {
        tokens: reports.flatMap(({ token }) => token ?? []),
        errors: reports.flatMap(({ error }) => error ?? []),
      }
      process.send!(report)
    })()
  })
  process.send!('ready')
}

async function ask(source: CredentialSource): Promise<string> {
  for (let tries = 1; ; tries += 1) {
    try {
      return (await source.current(new AbortController().signal)).token
    } catch (error) {
      if (!(error instanceof PlugworkError && error.retryable) || tries >= TRIES) throw error
      await delay(100 + Math.random() * 200)
    }
  }
}

if (process.argv[1] === import.meta.filename) await work(JSON.parse(process.argv[2]!) as WorkerSetup)
