/**
 * The one declaration of every key of the language: where it may stand, what kind of value it has, and what it means.
 * `read.ts` reads documents by it, `json-schema.ts` publishes it, and the words that ids may not be come from it.
 * The `satisfies` clauses tie it to the types of `document.ts`: a key that is in one and not in the other does not compile.
 */
import type * as doc from './document.ts'

/**
 * Kinds of values. `text` is fixed text, `note` text that nobody reads but people; `template` may hold `${…}` anywhere; `expression` is an expression position;
 * `templates` is a map of names to templates; `steps`, `schema` and `part` are read by whoever asked for them.
 */
export type FieldKind =
  | 'text'
  | 'name'
  | 'integer'
  | 'number'
  | 'boolean'
  | 'note'
  | 'duration'
  | 'duration_template'
  | 'size'
  | 'names'
  | 'choice'
  | 'template'
  | 'templates'
  | 'expression'
  | 'condition'
  | 'steps'
  | 'schema'
  | 'part'

export interface Field {
  readonly kind: FieldKind
  readonly doc: string
  readonly required?: boolean
  readonly values?: readonly string[]
  readonly min?: number
  readonly max?: number
  /** Of `part`: the definition of the published schema that describes it. */
  readonly ref?: string
}

export type Shape = { readonly [key: string]: Field }
type Keys<T> = { readonly [K in Exclude<keyof Required<T>, `${string}.${string}`>]: Field }

const of = <const K extends FieldKind>(kind: K, text: string) => ({ kind, doc: text })
const need = <const F extends Field>(field: F) => ({ ...field, required: true as const })
const integer = (text: string, min: number, max?: number) => ({ kind: 'integer' as const, doc: text, min, max })
const number = (text: string, min: number) => ({ kind: 'number' as const, doc: text, min })
const choice = <const V extends readonly string[]>(values: V, text: string) => ({
  kind: 'choice' as const,
  values,
  doc: text,
})
const part = (ref: string, text: string) => ({ kind: 'part' as const, ref, doc: text })

export const FLOW = {
  flow: need(of('text', 'Name of the flow: a letter, then letters, digits, underscores. Unique per tenant.')),
  description: of('note', 'What the flow is for.'),
  connections: part('connections', 'Connections of the flow: a name, and a connector `type` with its settings.'),
  triggers: part('triggers', 'What starts the flow.'),
  inputs: part('inputs', 'What a run is given. Checked before the run is accepted.'),
  steps: need(of('steps', 'What the flow does, in order.')),
  outputs: part('outputs', 'What a run answers: a list of `{ name, value }`.'),
  on_error: of('steps', 'Runs once when the run is about to fail.'),
  on_cancel: of('steps', 'Compensation when the run is cancelled.'),
  settings: part('settings', 'Time-outs, concurrency, priority, retention.'),
} satisfies Keys<doc.FlowDocument>

export const INPUT = {
  name: need(of('name', 'Name of the input, read as `inputs.NAME`.')),
  type: choice(
    ['string', 'int', 'integer', 'number', 'float', 'boolean', 'bool', 'object', 'array', 'list', 'any', 'secret'],
    'Type of the value; `any` when absent.',
  ),
  required: of('boolean', 'A run without this input is refused. Default: false; the value is then null.'),
  default: of('part', 'Value when none is given.'),
  description: of('note', 'What the input is.'),
} satisfies Shape

export const OUTPUT = {
  name: need(of('name', 'Name of the output.')),
  value: need(of('template', 'Its value, computed when the last step has ended.')),
  description: of('note', 'What the output is.'),
} satisfies Keys<doc.OutputDocument>

export const SETTINGS = {
  timeout: of('duration', 'Of the whole run, from its first start; waits included, queueing not.'),
  cancel_grace: of('duration', 'How long running steps may take to end when their block is left early. Default: 30s.'),
  concurrency: part('concurrency', 'How many runs with the same key may exist at once.'),
  priority: integer('1 to 10; higher runs first. Default: 5.', 1, 10),
  retention: of('duration', 'How long ended runs are kept.'),
} satisfies Keys<doc.SettingsDocument>

export const CONCURRENCY = {
  key: need(of('template', 'Runs with the same key share a limit. Sees `inputs`, `trigger`, `flow`, `env`.')),
  limit: integer('How many at once. Default: 1.', 1),
  when_full: choice(['queue', 'skip', 'cancel_running'], 'What happens to a run that finds no slot. Default: queue.'),
  hold_while_waiting: of('boolean', 'Whether a waiting run keeps its slot. Default: true.'),
} satisfies Keys<doc.ConcurrencyDocument>

export const RETRY = {
  max_attempts: integer('Attempts, the first included. Default: 3.', 1, 1000),
  delay: of('duration', 'Wait before the second attempt. Default: 1s.'),
  delay_seconds: number('Accepted spelling of `delay`, in seconds.', 0),
  backoff: number('Each further wait is this many times longer. Default: 2.', 1),
  backoff_multiplier: number('Accepted spelling of `backoff`.', 1),
  max_delay: of('duration', 'Longest wait. Default: 1m, or `delay` if that is longer.'),
  jitter: of('boolean', 'Spreads the waits at random. Default: true.'),
  on: of('names', 'Error codes that are retried. Default: every error that is not final.'),
} satisfies Keys<doc.RetryDocument>

/** Keys that every step has. */
export const COMMON = {
  id: part('id', 'Name under which later steps see the value of this step.'),
  description: of('note', 'What the step is for.'),
  if: of('condition', 'The step is skipped unless this is true.'),
  timeout: of('duration', 'Per attempt for steps with an effect, of the whole for blocks.'),
  on_error: of('steps', 'Runs when the step has failed; the step then counts as handled and its value is null.'),
  depends_on: of('names', 'Steps that come before; in `parallel` it orders branches.'),
} satisfies Keys<doc.StepBase>

const OWN_EFFECT = {
  retry: part('retry', 'Tries a failed attempt again.'),
  on_interrupt: choice(
    ['retry', 'check', 'hold', 'fail'],
    'What happens to a step that was running when its process died.',
  ),
  run: choice(['at_most_once'], 'Accepted spelling of `on_interrupt: fail`.'),
} satisfies Shape

/** Keys of every step with an effect. They may stand beside an action's name, or inside it. */
export const EFFECT = { ...COMMON, ...OWN_EFFECT } satisfies Keys<doc.EffectBase>

/** Keys that stand inside an action, beside its parameters. */
export const ACTION = {
  ...EFFECT,
  connection: of('text', 'Name of a connection of the flow.'),
  outputs: of('names', 'The outputs that are kept. Default: all.'),
  with: part('templated', 'The parameters of the action, where one of them has the name of a step key.'),
} satisfies Shape

/** The kinds of steps, by the key that says so. A condition is recognised by `then` and `else`. */
export const STEPS = {
  task: {
    ...EFFECT,
    task: need(of('text', 'Name of an exported function of `tasks.ts` beside the flow.')),
    inputs: of('template', 'What the function is given.'),
    outputs: of('names', 'The properties of its result that are kept. Default: all.'),
  } satisfies Keys<doc.TaskStep>,
  subflow: {
    ...EFFECT,
    subflow: need(of('text', 'Name of a flow, which runs as a child.')),
    inputs: of('template', 'Its inputs.'),
    outputs: of('names', 'The outputs that are kept. Default: all.'),
  } satisfies Keys<doc.SubflowStep>,
  // oxlint-disable-next-line unicorn/no-thenable -- the word of the language; no step is ever awaited
  then: {
    ...COMMON,
    if: need(of('condition', 'Which branch is taken.')),
    // oxlint-disable-next-line unicorn/no-thenable -- as above
    then: need(of('steps', 'Steps when the condition is true.')),
    else: of('steps', 'Steps when it is false.'),
  } satisfies Keys<doc.ConditionStep>,
  switch: {
    ...COMMON,
    switch: need(of('expression', 'The value that is compared.')),
    cases: need(part('cases', 'A list of `{ when, do }`; the first whose value is equal is taken.')),
    default: of('steps', 'Steps when no case is equal.'),
  } satisfies Keys<doc.SwitchStep>,
  for_each: {
    ...COMMON,
    for_each: need(of('expression', 'The list.')),
    as: need(of('name', 'Name of the item inside.')),
    index_as: of('name', 'Name of the position inside, from 0.'),
    do: need(of('steps', 'Steps for each item.')),
    concurrency: integer('Items at once. Default: 1.', 1, 10_000),
    collect: of('expression', 'Value of an item in `results`. Default: that of the last step.'),
    on_item_error: choice(['fail', 'continue'], 'Whether the failure of one item fails the loop. Default: fail.'),
  } satisfies Keys<doc.LoopStep>,
  repeat: {
    ...COMMON,
    repeat: need(part('repeat', 'Steps that run again until a condition holds.')),
  } satisfies Keys<doc.RepeatStep>,
  parallel: {
    ...COMMON,
    parallel: need(part('branches', 'A list of branches: a step, or a list of steps.')),
    on_branch_error: choice(['cancel', 'wait'], 'What the first failure does to the other branches. Default: cancel.'),
  } satisfies Keys<doc.ParallelStep>,
  try: {
    ...COMMON,
    try: need(of('steps', 'Steps whose errors are caught.')),
    catch: of('steps', 'Steps that handle an error; `error` is in scope.'),
    finally: of('steps', 'Steps that run in any case.'),
  } satisfies Keys<doc.TryStep>,
  fail: {
    ...COMMON,
    fail: need(part('fail', 'Raises an error.')),
  } satisfies Keys<doc.FailStep>,
  wait: {
    ...COMMON,
    wait: need(part('wait', 'Parks the run.')),
  } satisfies Keys<doc.WaitStep>,
  set: {
    ...COMMON,
    set: need(of('templates', 'Names values.')),
  } satisfies Keys<doc.SetStep>,
  emit: {
    ...COMMON,
    emit: need(part('emit', 'Publishes an event.')),
  } satisfies Keys<doc.EmitStep>,
  exit: {
    ...COMMON,
    exit: need(part('exit', 'Ends the run.')),
  } satisfies Keys<doc.ExitStep>,
} as const

export type StepKind = keyof typeof STEPS

/** Steps of the language that this build cannot run. */
export const UNAVAILABLE_STEPS: readonly string[] = ['code']

export const REPEAT = {
  vars: of('templates', 'Values that live from iteration to iteration; in scope inside.'),
  do: need(of('steps', 'Steps of an iteration.')),
  next: of('templates', 'New values of the `vars`, computed after each iteration.'),
  until: of('expression', 'Ends the repetition when true; sees the steps of the iteration.'),
  collect: of('expression', 'Value of an iteration in `results`. Default: that of the last step.'),
  max: integer('Iterations after which the step fails with `repeat_exhausted`. Default: 100.', 1, 1_000_000),
  delay: of('duration', 'Wait between iterations. Default: none.'),
} satisfies Keys<doc.RepeatDocument>

export const CASE = {
  when: need(part('when', 'The value, or a list of values.')),
  do: need(of('steps', 'Steps of the case.')),
} satisfies Shape

export const DEFAULT_CASE = {
  default: need(of('steps', 'Steps when no other case is equal.')),
} satisfies Shape

export const FAIL = {
  message: of('template', 'What happened.'),
  code: of('template', 'A stable code. Default: `failed`.'),
  data: of('template', 'Anything that handlers may want.'),
  rethrow: of('boolean', 'Raises the error that is being caught again.'),
} satisfies Shape

export const WAIT_UNTIL = {
  until: need(of('template', 'A time: ISO 8601 text, or milliseconds since 1970.')),
} satisfies Shape

export const WAIT_EVENT = {
  event: need(of('template', 'Name of an event.')),
  match: of('expression', 'Which events count; the event is `event`.'),
  timeout: of('duration_template', 'A duration after which the outcome is `timeout`.'),
  since: choice(['run', 'wait'], 'Whether events since the start of the run count, or only later ones. Default: run.'),
} satisfies Shape

export const WAIT_APPROVAL = {
  approval: need(part('approval', 'Asks people for a decision.')),
  timeout: of('duration_template', 'A duration after which the outcome is `timeout`.'),
} satisfies Shape

export const APPROVAL = {
  title: of('template', 'What is asked.'),
  assignees: of('template', 'Who is asked.'),
  form: of('schema', 'JSON Schema of what is filled in.'),
  timeout: of('duration_template', 'A duration after which the outcome is `timeout`.'),
} satisfies Keys<doc.ApprovalDocument>

export const WAIT_WEBHOOK = {
  webhook: need(part('wait_webhook', 'Waits for a call of `wait_url(id)`.')),
  timeout: of('duration_template', 'A duration after which the outcome is `timeout`.'),
} satisfies Shape

export const WEBHOOK_WAIT = {
  schema: of('schema', 'JSON Schema that the body of a call must meet.'),
  timeout: of('duration_template', 'A duration after which the outcome is `timeout`.'),
} satisfies Keys<doc.WebhookWaitDocument>

export const EMIT = {
  event: need(of('template', 'Name of the event.')),
  data: of('template', 'What it carries. Default: null.'),
} satisfies Shape

export const EXIT = {
  reason: of('template', 'Why.'),
  outputs: of('templates', 'The outputs of the run: exactly these.'),
  status: choice(['success', 'failure'], 'How the run ends. Default: success.'),
} satisfies Keys<doc.ExitDocument>

export const WEBHOOK = {
  path: need(of('text', 'Served as written when it begins with `/webhooks/`, else below that prefix.')),
  method: choice(['GET', 'POST', 'PUT', 'PATCH', 'DELETE'], 'Default: POST.'),
  auth: part('webhook_auth', 'Who may call it. Without it the webhook is public.'),
  input_mapping: part('input_mapping', 'Where inputs come from.'),
  respond: part('respond', 'What the caller is answered. Default: when_accepted.'),
  async: of('boolean', 'Accepted spelling: `false` is `respond: when_finished`.'),
  max_body: of('size', 'Largest body: bytes, or `256kb`, `1mb`.'),
} satisfies Keys<doc.WebhookDocument>

/** Services whose way of signing webhooks is known; `standard_webhooks` is Svix and whoever follows that specification. */
export const SIGNATURE_PROVIDERS = [
  'bitbucket',
  'discord',
  'github',
  'gitlab',
  'hubspot',
  'hubspot_legacy',
  'intercom',
  'jira',
  'linear',
  'mailgun',
  'meta',
  'microsoft_graph',
  'notion',
  'paypal',
  'sendgrid',
  'shopify',
  'slack',
  'square',
  'standard_webhooks',
  'stripe',
  'telegram',
  'twilio',
  'typeform',
  'zendesk',
] as const satisfies readonly doc.SignatureProvider[]

export const WEBHOOK_AUTH = {
  none: {},
  api_key: {
    header: of('text', 'Name of the header. Default: X-API-Key.'),
    key: need(of('template', 'The key; use `${env.NAME}` or `${secrets.NAME}`.')),
  } satisfies Keys<doc.ApiKeyAuthDocument>,
  bearer: {
    token: need(of('template', 'The token; use `${env.NAME}` or `${secrets.NAME}`.')),
  } satisfies Keys<doc.BearerAuthDocument>,
  basic: {
    username: need(of('template', 'The name.')),
    password: need(of('template', 'The password; use `${env.NAME}` or `${secrets.NAME}`.')),
  } satisfies Keys<doc.BasicAuthDocument>,
  hmac: {
    header: need(of('text', 'Name of the header that carries the signature of the body.')),
    secret: need(of('template', 'The shared secret; use `${env.NAME}` or `${secrets.NAME}`.')),
    algorithm: choice(['sha1', 'sha256', 'sha512'], 'Default: sha256.'),
    encoding: choice(['hex', 'base64'], 'Default: hex.'),
    prefix: of('text', 'Text before the signature, such as `sha256=`.'),
    timestamp_header: of('text', 'Name of the header with the time of signing: requests of another time are refused.'),
    tolerance: of('duration', 'How far that time may be from now. Default: 5m.'),
    signed: of('text', 'What is signed with a `timestamp_header`. Default: `{timestamp}.{body}`.'),
  } satisfies Keys<doc.HmacAuthDocument>,
  signature: {
    provider: need(choice(SIGNATURE_PROVIDERS, 'Whose scheme.')),
    secret: need(of('template', 'What the service signs with, its public key, or its token; use `${env.NAME}`.')),
    previous_secret: of('template', 'An earlier secret, accepted as well while it is replaced.'),
    tolerance: of('duration', "How old a signed time may be. Default: the service's own, mostly 5m."),
    url: of(
      'text',
      'Address that the service was given, where it signs it. Default: the public address of the server.',
    ),
  } satisfies Keys<doc.SignatureAuthDocument>,
} as const

const { provider, ...signatureOptions } = WEBHOOK_AUTH.signature

/** `{ signature: github, secret: … }`. */
export const SHORT_SIGNATURE = { signature: provider, ...signatureOptions } as const

export const SCHEDULE = {
  cron: need(of('text', 'Five fields, or six with seconds first.')),
  timezone: of('text', 'IANA name. Default: UTC.'),
  catch_up: choice(['none', 'last', 'all'], 'What becomes of ticks missed while nothing ran. Default: none.'),
  max_instances: integer('Runs of this trigger at once; a tick past it is skipped. Default: no limit.', 1),
  jitter: of('duration', 'Each tick is delayed by up to this, at random. Default: none.'),
  inputs: of('templates', 'Inputs of the runs; `trigger` and `now` are in scope.'),
} satisfies Keys<doc.ScheduleDocument>

export const EVENT_TRIGGER = {
  event: need(of('text', 'Name of an event; `*` stands for one segment, `**` for the rest.')),
  match: of('expression', 'Which events count; the event is `event`.'),
  input_mapping: part('input_mapping', 'Where inputs come from. Default: the data of the event.'),
} satisfies Keys<doc.EventTriggerDocument>

export const TRIGGERS = { webhook: WEBHOOK, schedule: SCHEDULE, event: EVENT_TRIGGER, manual: {} } as const
export type TriggerKind = keyof typeof TRIGGERS

/** Triggers of the language that this build cannot serve. */
export const UNAVAILABLE_TRIGGERS: readonly string[] = ['poll', 'queue', 'email', 'file', 'database']

/** The option that a trigger's own key may carry directly: `- schedule: "0 9 * * *"`. */
export const TRIGGER_MAIN: { readonly [kind: string]: string } = { webhook: 'path', schedule: 'cron', event: 'event' }

/** Names that are in scope everywhere; no id, input of a loop or variable may be one of them. */
export const SCOPE_NAMES: readonly string[] = [
  'inputs',
  'steps',
  'env',
  'secrets',
  'run',
  'flow',
  'trigger',
  'error',
  'event',
  'now',
  'context',
]

/** Segments of paths that stand where an id can; no id may be one. Words of the expression grammar are in `expression/words.ts`. */
export const PATH_WORDS: readonly string[] = ['on_error', 'on_cancel']
