import type { RunRow } from '../store/store.ts'
import type { RunActor } from './run-actor.ts'
import type { RunSummary } from './runtime.ts'

/** Reasons for which only somebody outside moves a run on. */
const HUMAN: ReadonlySet<string> = new Set(['approval', 'webhook', 'needs_attention', 'nondeterminism'])

/** Where a stored run stands. */
export function rowSummary(row: RunRow): RunSummary {
  const { id, flow, status, reason, outputs, error, createdAt, startedAt, finishedAt } = row
  return { id, flow, status, reason, outputs, error, createdAt, startedAt, finishedAt }
}

/** How a run in memory has ended; its last record is durable. */
export function endSummary(run: RunActor): RunSummary {
  const { state } = run
  return {
    id: run.runId,
    flow: run.flow,
    status: run.row.status,
    reason: null,
    outputs: state?.outputs ?? null,
    error: state?.error ?? null,
    createdAt: run.identity.createdAt,
    startedAt: run.startedAt,
    finishedAt: run.finishedAt,
  }
}

/** Whether a waiter is told: the run has ended, or goes on only when somebody does something. */
export function isResting(status: string, reason: string | null): boolean {
  if (status === 'waiting') return reason !== null && HUMAN.has(reason)
  return status !== 'queued' && status !== 'running'
}
