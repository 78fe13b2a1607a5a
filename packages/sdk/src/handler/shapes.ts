/** What answers show, in the spelling of the HTTP API. */
import type { Connection } from '@plugwork/connections'
import type { JsonObject } from '@plugwork/core'
import type { ProviderInfo } from '../providers.ts'
import type { Workflow } from '../workflows/workflow.ts'
import type { WorkflowRun, WorkflowStats } from '../workflows/workflows-api.ts'

/** A connection as its user sees it: no secret is in it, and no other user's name. */
export function connectionShape(connection: Connection): JsonObject {
  const { id, connector, name, method, settings, secrets, metadata, scopes, status, reason } = connection
  return {
    id,
    connector,
    name,
    method,
    settings,
    secrets: [...secrets],
    metadata,
    scopes: scopes === null ? null : [...scopes],
    status,
    reason: reason === null ? null : { ...reason },
    expires_at: time(connection.expiresAt),
    created_at: time(connection.createdAt),
    updated_at: time(connection.updatedAt),
    checked_at: time(connection.checkedAt),
  }
}

export function providerShape({ methods, actions, triggers, ...provider }: ProviderInfo): JsonObject {
  return {
    ...provider,
    methods: methods.map(({ fields, ...method }) => ({ ...method, fields: [...fields] })),
    actions: [...actions],
    triggers: [...triggers],
  }
}

export function workflowShape({ id, name, description, enabled, createdAt, updatedAt }: Workflow): JsonObject {
  return { id, name, description, enabled, created_at: time(createdAt), updated_at: time(updatedAt) }
}

export function runShape({ runId, workflow, status, outputs, error, startedAt, finishedAt }: WorkflowRun): JsonObject {
  return {
    id: runId,
    workflow,
    status,
    outputs,
    error: error === null ? null : { code: error.code, message: error.message, step: error.step ?? null },
    started_at: time(startedAt),
    finished_at: time(finishedAt),
  }
}

export function statsShape({ runs, byStatus, averageMs, lastRun }: WorkflowStats): JsonObject {
  return {
    runs,
    by_status: byStatus,
    average_ms: averageMs,
    last_run: lastRun === null ? null : runShape(lastRun),
  }
}

const time = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString())
