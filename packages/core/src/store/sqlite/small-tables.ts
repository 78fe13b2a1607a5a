/** Changes of flows, schedules, tokens and settings, inside a transaction of the writer. Deletions answer whether a row was there. */
import type { Put } from './messages.ts'
import type { Prepared } from './prepared.ts'
import { WRITE } from './statements.ts'

export function applyPut(db: Prepared, put: Put): boolean {
  switch (put.kind) {
    case 'flow_version': {
      const { hash, flow, plan, createdAt } = put.row
      return db.run(WRITE.putFlowVersion, hash, flow, plan, createdAt) > 0
    }
    case 'flow': {
      const { tenant, name, hash, source, enabled, updatedAt } = put.row
      return db.run(WRITE.putFlow, tenant, name, hash, source, enabled ? 1 : 0, updatedAt) > 0
    }
    case 'delete_flow':
      return db.run(WRITE.deleteFlow, put.tenant, put.name) > 0
    case 'schedule': {
      const { tenant, flow, trigger, spec, lastAt, nextAt } = put.row
      return db.run(WRITE.putSchedule, tenant, flow, trigger, spec, lastAt, nextAt) > 0
    }
    case 'delete_schedule':
      return db.run(WRITE.deleteSchedule, put.tenant, put.flow, put.trigger) > 0
    case 'meta':
      return db.run(WRITE.setMeta, put.key, put.value) > 0
    case 'token': {
      const { id, tenant, name, hash, permissions, createdAt, expiresAt } = put.row
      return db.run(WRITE.putToken, id, tenant, name, hash, permissions, createdAt, expiresAt) > 0
    }
    case 'delete_token':
      return db.run(WRITE.deleteToken, put.tenant, put.id) > 0
  }
}
