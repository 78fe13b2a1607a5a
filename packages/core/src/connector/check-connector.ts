/** Checks a connector's definition: what the types cannot say. */
import { parseDuration } from '../flow/duration.ts'
import { checkAuth } from './check-auth.ts'
import type { Action, Connector } from './connector.ts'

const NAME = /^[a-z][a-z0-9_]*$/
/** Dotted below the connector: `get`, `issues.create`, `batch_insert`. */
const ACTION_NAME = /^[a-z][a-zA-Z0-9_]*(\.[a-z][a-zA-Z0-9_]*)*$/
const VERSION = /^\d+\.\d+\.\d+(-[\w.]+)?$/
/** Names that `type:`, `use:` and steps mean otherwise. */
const RESERVED: ReadonlySet<string> = new Set([
  'code',
  'emit',
  'exit',
  'fail',
  'for_each',
  'if',
  'parallel',
  'repeat',
  'set',
  'subflow',
  'switch',
  'task',
  'try',
  'wait',
])

/** Everything that is wrong with a definition, as sentences; empty for a valid one. */
export function checkConnector(connector: Connector): readonly string[] {
  const problems: string[] = []
  const { name, prefixes, actions } = connector
  if (!NAME.test(name)) problems.push(`The name "${name}" must match ${NAME.source}.`)
  if (RESERVED.has(name)) problems.push(`The name "${name}" is a word of the flow language.`)
  for (const key of ['title', 'description'] as const) {
    if (connector[key].trim() === '') problems.push(`It has no ${key}.`)
  }
  if (!VERSION.test(connector.version)) problems.push(`The version "${connector.version}" is not like 1.2.3.`)
  for (const prefix of prefixes) {
    if (!NAME.test(prefix) || prefix.endsWith('_')) {
      problems.push(`The prefix "${prefix}" must match ${NAME.source} and leave out the last underscore.`)
    }
  }
  const names = Object.keys(actions)
  if (names.length === 0) problems.push('It has no actions.')
  const spellings = new Map<string, string>()
  for (const action of names) {
    if (!ACTION_NAME.test(action)) problems.push(`The action name "${action}" must match ${ACTION_NAME.source}.`)
    const spelling = action.replaceAll('.', '_')
    const other = spellings.get(spelling)
    if (other !== undefined) problems.push(`The actions "${other}" and "${action}" have the same spelling ${spelling}.`)
    spellings.set(spelling, action)
    problems.push(...checkAction(action, actions[action]!))
  }
  problems.push(...checkLimits(connector.limits))
  const fields = new Set(Object.keys(connector.config.shape))
  for (const [method, auth] of Object.entries(connector.auth ?? {})) problems.push(...checkAuth(method, auth, fields))
  return problems
}

function checkLimits(limits: Connector['limits']): string[] {
  if (limits === undefined) return []
  const { requests, per, burst = 1 } = limits
  const problems: string[] = []
  if (!(requests > 0)) problems.push(`Its limits allow ${requests} requests; that must be more than 0.`)
  if (!((parseDuration(per) ?? 0) > 0)) problems.push(`Its limits are per "${per}", which is no duration such as 1m.`)
  if (!(burst >= 1)) problems.push(`Its limits have a burst of ${burst}; that must be 1 or more.`)
  return problems
}

function checkAction(name: string, action: Action): string[] {
  const problems: string[] = []
  if (action.description.trim() === '') problems.push(`The action "${name}" has no description.`)
  if (action.idempotency === 'lookup' && action.lookup === undefined) {
    problems.push(`The action "${name}" says idempotency: lookup, but has no lookup function.`)
  }
  if (action.lookup !== undefined && action.idempotency !== 'lookup') {
    problems.push(`The action "${name}" has a lookup function; say idempotency: lookup.`)
  }
  if (action.effect === 'read' && action.idempotency !== 'natural') {
    problems.push(`The action "${name}" only reads, so its idempotency is natural, not ${action.idempotency}.`)
  }
  if (action.cache !== undefined && action.effect !== 'read') {
    problems.push(`The action "${name}" has a cache time; only answers of reads can be served again.`)
  }
  if (action.cache !== undefined && parseDuration(action.cache) === null) {
    problems.push(`The cache time "${action.cache}" of the action "${name}" is no duration such as 30s.`)
  }
  return problems
}
