/** Parameters that are more than text: SQL with bound values, and URL paths whose expressions are single segments. */
import type { Scope } from '../expression/compile.ts'
import { SecretText, concatSecret, describeKind } from '../expression/value.ts'
import type { Value } from '../expression/value.ts'
import { PlugworkError } from '../error.ts'

type Code = (scope: Scope) => Value
type Dialect = 'sqlite' | 'postgres' | 'mysql'

export interface SqlCode {
  readonly dialect: Dialect
  readonly parts: readonly (string | { readonly code: Code; readonly spread: boolean })[]
}

/** Renders a statement to `{ text, params }`: each expression is one bound value, a list inside `in (…)` one for each item. */
export function renderSql(scope: Scope, { dialect, parts }: SqlCode): Value {
  const params: Value[] = []
  let text = ''
  const bind = (value: Value): string => {
    params.push(value)
    return dialect === 'postgres' ? `$${params.length}` : '?'
  }
  for (const [index, part] of parts.entries()) {
    if (typeof part === 'string') {
      text += part
      continue
    }
    const value = part.code(scope)
    if (!part.spread || !Array.isArray(value)) text += bind(value)
    else if (value.length > 0) text += value.map(bind).join(', ')
    else text += emptyList(dialect, text, parts[index + 1])
  }
  return { text, params }
}

/** `in ()` is no SQL, and `in (null)` is wrong under `not`: an empty list is a query without rows. */
function emptyList(dialect: Dialect, before: string, after: SqlCode['parts'][number] | undefined): string {
  if (!/\(\s*$/.test(before) || typeof after !== 'string' || !/^\s*\)/.test(after)) {
    throw new PlugworkError(
      'sql_empty_list',
      'An empty list stands beside other values in `in (…)`. Put all values into one list.',
    )
  }
  return dialect === 'mysql' ? 'select null from dual where 1 = 0' : 'select null where 1 = 0'
}

/** Renders a URL path. What an expression gives is percent-encoded, so that it cannot leave its segment. */
export function renderPath(scope: Scope, parts: readonly (string | Code)[]): Value {
  let path: string | SecretText = ''
  for (const part of parts) {
    const piece = typeof part === 'string' ? part : segment(part(scope))
    path = typeof path === 'string' && typeof piece === 'string' ? path + piece : concatSecret(path, piece)
  }
  const shown = typeof path === 'string' ? path : ''
  if (
    shown
      .split(/[?#]/, 1)[0]!
      .split('/')
      .some((part) => part === '.' || part === '..')
  ) {
    throw new PlugworkError(
      'path_segment',
      `The path ${JSON.stringify(shown)} has \`.\` or \`..\` as a segment, which would lead elsewhere.`,
    )
  }
  return path
}

function segment(value: Value): string | SecretText {
  if (value instanceof SecretText) return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (typeof value !== 'string' || value === '') {
    const what = value === '' ? 'the empty text' : describeKind(value)
    throw new PlugworkError('path_segment', `A segment of a URL path must be text or a number, not ${what}.`)
  }
  return encodeURIComponent(value)
}
