/** Changes of flows, schedules, tokens and settings, inside a transaction. Deletions answer whether a row was there. */
import type { Put } from '../sqlite/messages.ts'
import type { Queryable } from './database.ts'
import { WRITE } from './statements.ts'

/** Changes of one row come in the order of the calls; those of different rows side by side. */
export function laneOfPut(put: Put): string {
  switch (put.kind) {
    case 'flow_version':
      return `version ${put.row.hash}`
    case 'flow':
      return `flow ${put.row.tenant}/${put.row.name}`
    case 'delete_flow':
      return `flow ${put.tenant}/${put.name}`
    case 'schedule':
      return `schedule ${put.row.tenant}/${put.row.flow}/${put.row.trigger}`
    case 'delete_schedule':
      return `schedule ${put.tenant}/${put.flow}/${put.trigger}`
    case 'meta':
      return `meta ${put.key}`
    case 'token':
      return `token ${put.row.id}`
    case 'delete_token':
      return `token ${put.id}`
  }
}

export async function applyPut(tx: Queryable, put: Put): Promise<boolean> {
  const run = async (text: string, ...values: readonly unknown[]): Promise<boolean> =>
    (await tx.query(text, values)).count > 0
  switch (put.kind) {
    case 'flow_version': {
      const { hash, flow, plan, createdAt } = put.row
      return run(WRITE.putFlowVersion, hash, flow, plan, createdAt)
    }
    case 'flow': {
      const { tenant, name, hash, source, enabled, updatedAt } = put.row
      return run(WRITE.putFlow, tenant, name, hash, source, enabled, updatedAt)
    }
    case 'delete_flow':
      return run(WRITE.deleteFlow, put.tenant, put.name)
    case 'schedule': {
      const { tenant, flow, trigger, spec, lastAt, nextAt } = put.row
      return run(WRITE.putSchedule, tenant, flow, trigger, spec, lastAt, nextAt)
    }
    case 'delete_schedule':
      return run(WRITE.deleteSchedule, put.tenant, put.flow, put.trigger)
    case 'meta':
      return run(WRITE.setMeta, put.key, put.value)
    case 'token': {
      const { id, tenant, name, hash, permissions, createdAt, expiresAt } = put.row
      return run(WRITE.putToken, id, tenant, name, hash, permissions, createdAt, expiresAt)
    }
    case 'delete_token':
      return run(WRITE.deleteToken, put.tenant, put.id)
  }
}
