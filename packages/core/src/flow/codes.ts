/**
 * Every code of the checker. Codes are stable: a meaning is never reused. PW10xx belong to the flow language, PW11xx and
 * PW12xx to expressions (`expression/error.ts`).
 */
import type { FlowProblem } from './problem.ts'
import type { SourceRange } from './source-map.ts'

export interface CheckCode {
  readonly severity: 'error' | 'warning'
  /** What the code means. */
  readonly summary: string
  /** What the author does about it. */
  readonly remedy: string
  /** The remedy stands beside every problem of the code that has no suggestion of its own. */
  readonly always?: boolean
}

const error = (summary: string, remedy: string): CheckCode => ({ severity: 'error', summary, remedy })
const always = (code: CheckCode): CheckCode => ({ ...code, always: true })
const warning = (summary: string, remedy: string): CheckCode => ({ severity: 'warning', summary, remedy })

export const CHECK_CODES: { readonly [code: string]: CheckCode } = {
  PW1001: error('The text is not YAML.', 'Correct the syntax at the place named.'),
  PW1002: error('The document is too large, nested too deeply, or an alias cannot be resolved.', 'Split the flow.'),
  PW1003: error('A key stands twice in one map, or is not allowed at all.', 'Remove or rename one of the two.'),
  PW1004: error('A value is not a JSON value, or is an integer beyond 2^53.', 'Write it as text, in quotes.'),
  PW1005: error('The document is not a flow.', 'Begin with `flow: Name` and `steps:`.'),

  PW1010: error('A key is not known here.', 'Use the suggested key, or remove it.'),
  PW1011: error('A required key is missing.', 'Add it.'),
  PW1012: error('A value has the wrong kind (a map where a list is needed, …).', 'Write the kind that is named.'),
  PW1013: error('A value is not among those allowed, or out of range.', 'Use one of the allowed values.'),
  PW1014: error(
    'A duration or size is not readable.',
    'Write `250ms`, `10s`, `5m`, `2h`, `30d`, or a number of seconds.',
  ),
  PW1015: error('A name has characters that names cannot have.', 'Use letters, digits and underscores.'),
  PW1016: always(error('An expression stands where the value has to be fixed.', 'Write the value itself.')),
  PW1017: error('An expression stands in a key.', 'Use an object literal: `${{ [name]: value }}`.'),
  PW1018: error('Two keys say the same thing.', 'Keep one of the two.'),
  PW1019: error('A schema of an input, form or body is not valid.', 'Use the types of the language or JSON Schema.'),
  PW1020: error('The construct is not available in this build.', 'Use another construct, or another build.'),

  PW1030: error('The step is of no known kind, and names no known action.', 'Use the suggested name.'),
  PW1031: always(error('The step is of more than one kind.', 'Make two steps of it.')),
  PW1032: error('`retry` stands on a step that has no effect to retry.', 'Put `retry` on the steps inside.'),
  PW1034: error('A key is both a step key and a parameter of the action.', 'Write the parameters under `with:`.'),
  PW1035: always(error('`on_interrupt: check` needs an action with a look-up.', 'Use `retry`, `hold` or `fail`.')),
  PW1036: error('`fail` has no error to raise.', 'Give a `message`, or use `rethrow: true` inside `catch`.'),
  PW1037: always(
    error('`exit` stands in a handler, in `finally` or in `on_cancel`.', 'Let the block end, or use `fail`.'),
  ),
  PW1038: always(error('A step cannot be reached.', 'Remove it, or move it before the `exit` or `fail`.')),
  PW1039: always(
    error('`depends_on` names no step that can come before.', 'Name an earlier step, or one of a sibling branch.'),
  ),
  PW1040: always(error('Two steps that can both run have the same id.', 'Rename one of the two.')),
  PW1041: error('An id or name is a word of the language, or hides a name in scope.', 'Choose another name.'),
  PW1042: error('A step is asked for an output that it does not have.', 'Use one of the outputs that are named.'),

  PW1050: error('A connector is not known.', 'Use the suggested name, or install the connector.'),
  PW1051: error('A connection is not declared.', 'Declare it under `connections:`.'),
  PW1052: error('A connection is of another connector than the action.', 'Name a connection of the right type.'),
  PW1053: error('An action needs a connection.', 'Add `connection: NAME`.'),
  PW1054: error('A connector has no such action.', 'Use the suggested name.'),
  PW1055: error('A task is not known.', 'Export a function of that name from `tasks.ts` beside the flow.'),
  PW1056: error('A sub-flow is not known.', 'Use the suggested name, or add the flow to the project.'),
  PW1057: error('A stored connection is not known.', 'Add it with `plugwork connection add`.'),
  PW1058: error('No step of the needed kind has the id that is named.', 'Name an existing step.'),
  PW1059: warning('Something is not known here and was not checked.', 'Check the flow where its project is at hand.'),

  PW1060: error('A required parameter or input is missing.', 'Add it.'),
  PW1061: error('A parameter or input does not exist.', 'Use the suggested name, or remove it.'),
  PW1062: error('A value has the wrong type for its parameter or input.', 'Give a value of the type that is named.'),
  PW1063: always(error('A setting stands beside `use`.', 'Remove it, and change the stored connection instead.')),
  PW1064: always(
    error('`for_each` is given something that is no list.', 'Give a list, or `Object.entries(…)` of a map.'),
  ),
  PW1065: error('The default of an input does not meet its own schema.', 'Correct the default or the schema.'),
  PW1066: error('A step is referred to where it cannot have run or cannot be seen.', 'Move the reference or the step.'),
  PW1067: always(
    error('A secret would be stored.', 'Pass secrets only to connectors and to inputs of `type: secret`.'),
  ),
  PW1068: warning('A value may be null where null is not accepted.', 'Give a value for null: `${x ?? "none"}`.'),

  PW1070: error(
    'An expression stands inside quotes, a comment or an identifier of an SQL text.',
    'Bind the whole value.',
  ),
  PW1071: always(error('SQL placeholders and `params` do not match.', 'Give one value for each placeholder.')),
  PW1072: error('A list stands in an SQL text outside `in (…)`.', 'Write `in (${list})`.'),

  PW1080: error('A cron expression is not valid, or never comes due.', 'Correct the field that is named.'),
  PW1081: error('A time zone is not known.', 'Use an IANA name such as `Europe/Berlin`.'),
  PW1082: error('The path of a webhook is not valid.', 'Write `/orders/{id}`.'),
  PW1083: warning('A webhook is public.', 'Add `auth`, or write `auth: none`.'),
  PW1084: always(warning('A secret stands in the file.', 'Use `${secrets.NAME}` or `${env.NAME}`.')),
  PW1085: always(error('Two triggers of the flow are the same.', 'Remove one of the two.')),

  PW1090: always(
    warning(
      'A write that may happen twice is retried.',
      'Set `on_interrupt: hold`, use an action with a key or a look-up, or leave out `retry`.',
    ),
  ),
}

export interface ProblemOptions {
  readonly suggestion?: string
  /** JSON pointer of the place in the document. */
  readonly pointer?: string
  /** Where it is not that of the code. */
  readonly severity?: 'error' | 'warning'
}

/** A problem with the severity of its code. */
export function problem(code: string, message: string, range: SourceRange, options: ProblemOptions = {}): FlowProblem {
  const entry = CHECK_CODES[code]
  const suggestion = entry?.always === true ? { suggestion: asSuggestion(entry.remedy) } : {}
  return { code, severity: entry?.severity ?? 'error', message, ...range, ...suggestion, ...options }
}

const asSuggestion = (remedy: string): string => remedy.charAt(0).toLowerCase() + remedy.slice(1).replace(/\.$/, '')
