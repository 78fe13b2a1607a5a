/** A writer's answers as the outcomes of the store's contract; the PostgreSQL store answers in the same form. */
import type { JsonObject } from '../../json.ts'
import type { AcceptOutcome, AppendOutcome, StoredMessage } from '../store.ts'
import { COMMITTED, FENCED, type AcceptAnswer, type CommittedWith } from './messages.ts'
import { toRunRow } from './rows.ts'

const COMMITTED_ALONE: AppendOutcome = { kind: 'committed', children: [] }
export const IS_FENCED: AppendOutcome = { kind: 'fenced' }

/** What an append came to. */
export function toAppendOutcome(answer: number | CommittedWith): AppendOutcome {
  if (answer === COMMITTED) return COMMITTED_ALONE
  if (answer === FENCED || typeof answer === 'number') return IS_FENCED
  const messages = answer.messages.map(toStoredMessage)
  const { children } = answer
  return messages.length === 0 ? { kind: 'committed', children } : { kind: 'committed', children, messages }
}

function toStoredMessage({ dedupe, payload, ...message }: CommittedWith['messages'][number]): StoredMessage {
  const parsed = JSON.parse(payload) as JsonObject
  return dedupe === null ? { ...message, payload: parsed } : { ...message, dedupe, payload: parsed }
}

/** What an acceptance came to. */
export function toAcceptOutcome(answer: AcceptAnswer, epoch: number): AcceptOutcome {
  if (typeof answer === 'number') {
    return { kind: 'created', rid: answer, status: 'running', cancelled: [], epoch }
  }
  switch (answer.kind) {
    case 'created': {
      const { messages, ...created } = answer
      return messages.length === 0
        ? { ...created, epoch }
        : { ...created, epoch, messages: messages.map(toStoredMessage) }
    }
    case 'existing':
      return { kind: 'existing', row: toRunRow(answer.row) }
    case 'concurrency_full':
      return answer
  }
}
