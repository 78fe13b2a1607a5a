/** Triggers of a document to those of a plan. */
import { closest } from '../expression/suggest.ts'
import { canonical, type Compilation } from './compilation.ts'
import { checkCron, checkTimeZone } from './cron.ts'
import { reportTwice } from './effects.ts'
import {
  EVENT_TRIGGER,
  SCHEDULE,
  SHORT_SIGNATURE,
  TRIGGER_MAIN,
  TRIGGERS,
  UNAVAILABLE_TRIGGERS,
  WEBHOOK,
  WEBHOOK_AUTH,
  type Shape,
  type TriggerKind,
} from './grammar.ts'
import { childPlace, describeValue, isPlainMap, mapEntries, wordOf, type Place } from './place.ts'
import type { InputMapping, PlanTrigger, Template, WebhookAuth } from './plan.ts'
import { list, readFields, type Fields } from './read.ts'
import { broken, checkKey, compileTemplate, foldMap } from './template.ts'

const KINDS = Object.keys(TRIGGERS) as TriggerKind[]

/** A trigger's kind, and the map in which its options stand. */
interface RecognisedTrigger {
  readonly kind: TriggerKind
  readonly options: Place
  /**
   * How it was written: `webhook: { path }` (inside), `type: webhook` with the options beside it (beside), or
   * `webhook: /path` with further options beside it (short).
   */
  readonly form: 'inside' | 'beside' | 'short'
}

/** Compiles the trigger at a place; undefined when it is none, which is reported. */
export function compileTrigger(c: Compilation, place: Place): PlanTrigger | undefined {
  if (place.value === 'manual') return { kind: 'manual' }
  const trigger = recognise(c, place)
  if (trigger === undefined) return undefined
  const compiled = compileKind(c, trigger)
  c.origins.setPlace(compiled, place)
  return compiled
}

function compileKind(c: Compilation, trigger: RecognisedTrigger): PlanTrigger {
  switch (trigger.kind) {
    case 'webhook':
      return compileWebhook(c, trigger)
    case 'schedule':
      return compileSchedule(c, trigger)
    case 'event':
      return compileEvent(c, trigger)
    case 'manual':
      readOptions(c, trigger, TRIGGERS.manual)
      return { kind: 'manual' }
  }
}

function recognise(c: Compilation, place: Place): RecognisedTrigger | undefined {
  if (!isPlainMap(place.value)) {
    c.report(
      'PW1012',
      place,
      `A trigger is a map such as \`schedule: { cron: … }\`, not ${describeValue(place.value)}.`,
    )
    return undefined
  }
  const type = childPlace(place, 'type')
  if (type !== undefined) {
    const kind = checkKind(c, type, wordOf(type.value), false)
    return kind === undefined ? undefined : { kind, options: place, form: 'beside' }
  }
  const entries = mapEntries(place)
  const [key, value] = entries.find(([name]) => Object.hasOwn(TRIGGERS, name)) ?? entries[0] ?? []
  if (key === undefined || value === undefined) {
    c.report('PW1012', place, `A trigger is one of ${list(KINDS)}.`)
    return undefined
  }
  const kind = checkKind(c, value, key, true)
  if (kind === undefined) return undefined
  if (!isPlainMap(value.value)) return { kind, options: place, form: 'short' }
  for (const [other, at] of entries) {
    if (other !== key) c.report('PW1010', at, `\`${other}\` stands beside \`${key}\`; move it inside.`, { key: true })
  }
  return { kind, options: value, form: 'inside' }
}

function checkKind(c: Compilation, place: Place, name: string, key: boolean): TriggerKind | undefined {
  const kind = KINDS.find((candidate) => candidate === name)
  if (kind !== undefined) return kind
  if (UNAVAILABLE_TRIGGERS.includes(name)) {
    c.report('PW1020', place, `\`${name}\` triggers are not available in this build.`, {
      key,
      suggestion:
        name === 'poll' || name === 'file' || name === 'database'
          ? 'let a `schedule` start the flow, and look for what is new'
          : 'let a `webhook` or an `event` start the flow',
    })
    return undefined
  }
  const near = closest(name, KINDS)
  const suggestion = near === undefined ? undefined : `did you mean \`${near}\`?`
  c.report('PW1013', place, `There is no trigger \`${name}\`; the triggers are ${list(KINDS)}.`, { key, suggestion })
  return undefined
}

/** Reads a trigger's options. In the short form the main option stands under the trigger's own name. */
function readOptions<const S extends Shape>(c: Compilation, trigger: RecognisedTrigger, shape: S): Fields<S> {
  const { kind, options, form } = trigger
  const what = kind === 'event' ? 'an event trigger' : `a ${kind} trigger`
  if (form === 'inside') return readFields(c, options, shape, what)
  if (form === 'beside') return readFields(c, options, shape, what, { ignore: (key) => key === 'type' })
  const main = TRIGGER_MAIN[kind]
  const field = main === undefined ? undefined : shape[main]
  if (main === undefined || field === undefined)
    return readFields(c, options, shape, what, { ignore: (key) => key === kind })
  const { [main]: _, ...rest } = shape
  const { [kind]: value, ...fields } = readFields<Shape>(c, options, { ...rest, [kind]: field }, what)
  // The same fields as of `shape`: one of them was read under another name.
  return { ...fields, [main]: value } as Fields<S>
}

/** The place of an option, for messages. */
function optionPlace({ kind, options, form }: RecognisedTrigger, key: string): Place {
  return childPlace(options, form === 'short' && key === TRIGGER_MAIN[kind] ? kind : key) ?? options
}

function compileWebhook(c: Compilation, trigger: RecognisedTrigger): PlanTrigger {
  const fields = readOptions(c, trigger, WEBHOOK)
  const method = fields.method ?? 'POST'
  const path = fields.path === undefined ? '/webhooks/' : readPath(c, optionPlace(trigger, 'path'), fields.path)
  const auth = fields.auth === undefined ? undefined : readAuth(c, fields.auth)
  if (fields.auth === undefined) {
    c.report('PW1083', optionPlace(trigger, 'path'), `The webhook \`${path}\` is public: anyone can start the flow.`, {
      suggestion: 'add `auth`, or write `auth: none` to say that this is meant',
    })
  }
  return {
    kind: 'webhook',
    path,
    method,
    ...(auth === undefined ? {} : { auth }),
    inputMapping:
      fields.input_mapping === undefined ? defaultMapping(method, path) : readMapping(c, fields.input_mapping),
    respond: readRespond(c, trigger, fields),
    ...(fields.max_body === undefined ? {} : { maxBodyBytes: fields.max_body }),
  }
}

/** Path parameters have to reach the inputs; a GET has no body. */
function defaultMapping(method: string, path: string): InputMapping {
  if (path.includes('{')) return 'all'
  return method === 'GET' ? 'query' : 'body'
}

const PREFIX = '/webhooks/'

function readPath(c: Compilation, place: Place, written: string): string {
  const path = written.startsWith(PREFIX) ? written : `${PREFIX}${written.replace(/^\//, '')}`
  const names = new Set<string>()
  for (const segment of path.slice(PREFIX.length).split('/')) {
    const name = /^\{([A-Za-z_][A-Za-z0-9_]*)\}$/.exec(segment)?.[1]
    if (name === undefined && !/^[A-Za-z0-9._~!$&'()*+,;=:@-]+$/.test(segment)) {
      const what = segment === '' ? 'an empty segment' : `the segment \`${segment}\``
      c.report('PW1082', place, `The path \`${written}\` has ${what}; segments are plain text or \`{name}\`.`)
    } else if (segment === '.' || segment === '..') {
      c.report('PW1082', place, `The path \`${written}\` has the segment \`${segment}\`, which no client sends.`)
    }
    if (name !== undefined && names.has(name)) {
      c.report('PW1082', place, `The path \`${written}\` has two parameters \`{${name}}\`.`)
    }
    if (name !== undefined) names.add(name)
  }
  return path
}

function readRespond(
  c: Compilation,
  trigger: RecognisedTrigger,
  fields: Fields<typeof WEBHOOK>,
): 'when_accepted' | 'when_finished' | { readonly withStep: string } {
  reportTwice(c, trigger.options, 'respond', 'async')
  if (fields.respond === undefined) return fields.async === false ? 'when_finished' : 'when_accepted'
  const { value } = fields.respond
  if (value === 'when_accepted' || value === 'when_finished') return value
  const step = childPlace(fields.respond, 'with_step')
  if (typeof step?.value === 'string') {
    readFields(c, fields.respond, { with_step: { kind: 'text', doc: 'Id of a step.' } }, '`respond`')
    return { withStep: step.value }
  }
  const message = '`respond` is `when_accepted`, `when_finished`, or `{ with_step: ID }`.'
  c.report('PW1013', fields.respond, message)
  return 'when_accepted'
}

const MAPPINGS = ['body', 'query', 'headers', 'path', 'all'] as const

function readMapping(c: Compilation, place: Place): InputMapping {
  const { value } = place
  const named = MAPPINGS.find((mapping) => mapping === value)
  if (named !== undefined) return named
  if (isPlainMap(value)) {
    return Object.fromEntries(
      mapEntries(place).map(([key, child]) => [checkKey(c, key, child), compileTemplate(c, child)]),
    )
  }
  c.report('PW1013', place, `\`input_mapping\` is one of ${list(MAPPINGS)}, or a map of inputs to values.`)
  return 'all'
}

type AuthType = keyof typeof WEBHOOK_AUTH
const AUTH_TYPES = Object.keys(WEBHOOK_AUTH) as AuthType[]

function readAuth(c: Compilation, place: Place): WebhookAuth | undefined {
  if (place.value === 'none') return { type: 'none' }
  const type = childPlace(place, 'type')
  const provider = childPlace(place, 'signature')
  if (type === undefined && typeof provider?.value === 'string') return readShortSignature(c, place)
  const [key, inner] = type === undefined ? (mapEntries(place)[0] ?? []) : [wordOf(type.value), place]
  if (!isPlainMap(place.value) || key === undefined || inner === undefined) {
    const message = `\`auth\` is \`none\`, or a map with a \`type\`: ${list(AUTH_TYPES)}.`
    c.report('PW1012', place, message)
    return undefined
  }
  const known = AUTH_TYPES.find((candidate) => candidate === key)
  if (known === undefined) {
    reportAuthType(c, type ?? inner, key, type === undefined)
    return undefined
  }
  return readAuthOptions(c, inner, known, type !== undefined)
}

function reportAuthType(c: Compilation, place: Place, name: string, key: boolean): void {
  const near = closest(name, AUTH_TYPES)
  const suggestion = near === undefined ? undefined : `did you mean \`${near}\`?`
  c.report('PW1013', place, `There is no authentication \`${name}\`; there are ${list(AUTH_TYPES)}.`, {
    key,
    suggestion,
  })
}

function readAuthOptions(c: Compilation, place: Place, type: AuthType, beside: boolean): WebhookAuth {
  const options = { ignore: (key: string) => beside && key === 'type' }
  const what = `\`${type}\` authentication`
  switch (type) {
    case 'none':
      readFields(c, place, WEBHOOK_AUTH.none, what, options)
      return { type }
    case 'api_key': {
      const { header = 'X-API-Key', key } = readFields(c, place, WEBHOOK_AUTH.api_key, what, options)
      return { type, header, key: secretTemplate(c, key) }
    }
    case 'bearer':
      return { type, token: secretTemplate(c, readFields(c, place, WEBHOOK_AUTH.bearer, what, options).token) }
    case 'basic': {
      const { username, password } = readFields(c, place, WEBHOOK_AUTH.basic, what, options)
      return { type, username: username ?? broken(c), password: secretTemplate(c, password) }
    }
    case 'hmac': {
      const fields = readFields(c, place, WEBHOOK_AUTH.hmac, what, options)
      return {
        type,
        header: fields.header ?? '',
        secret: secretTemplate(c, fields.secret),
        algorithm: fields.algorithm ?? 'sha256',
        encoding: fields.encoding ?? 'hex',
        ...(fields.prefix === undefined ? {} : { prefix: fields.prefix }),
        ...signedTime(c, place, fields),
      }
    }
    case 'signature':
      return signatureAuth(c, readFields(c, place, WEBHOOK_AUTH.signature, what, options))
  }
}

/** The replay window of `hmac`. Without the time among what is signed, anybody could write another one. */
function signedTime(
  c: Compilation,
  place: Place,
  { timestamp_header: header, tolerance, signed }: Fields<typeof WEBHOOK_AUTH.hmac>,
): Pick<Extract<WebhookAuth, { readonly type: 'hmac' }>, 'timestamp'> {
  if (header === undefined) {
    const useless = tolerance !== undefined ? 'tolerance' : signed !== undefined ? 'signed' : undefined
    if (useless !== undefined) {
      const message = `\`${useless}\` of \`hmac\` needs a \`timestamp_header\`.`
      c.report('PW1013', childPlace(place, useless) ?? place, message)
    }
    return {}
  }
  const text = signed ?? '{timestamp}.{body}'
  if (text.split('{timestamp}').length !== 2 || text.split('{body}').length !== 2) {
    const message = '`signed` names `{timestamp}` and `{body}` once each, such as `{timestamp}.{body}`.'
    c.report('PW1013', childPlace(place, 'signed') ?? place, message)
  }
  return { timestamp: { header, toleranceMs: tolerance ?? 5 * 60_000, signed: text } }
}

/** `{ signature: github, secret: … }`. */
function readShortSignature(c: Compilation, place: Place): WebhookAuth {
  const { signature, ...fields } = readFields(c, place, SHORT_SIGNATURE, '`signature` authentication')
  return signatureAuth(c, { ...fields, ...(signature === undefined ? null : { provider: signature }) })
}

function signatureAuth(c: Compilation, fields: Fields<typeof WEBHOOK_AUTH.signature>): WebhookAuth {
  const { provider = 'standard_webhooks', previous_secret: previous, tolerance, url } = fields
  return {
    type: 'signature',
    provider,
    secret: secretTemplate(c, fields.secret),
    ...(previous === undefined ? {} : { previousSecret: secretTemplate(c, previous) }),
    ...(tolerance === undefined ? {} : { toleranceMs: tolerance }),
    ...(url === undefined ? {} : { url }),
  }
}

function secretTemplate(c: Compilation, template: Template | undefined): Template {
  if (template === undefined) return broken(c)
  const place = c.origins.place(template)
  if (template.kind === 'literal' && place !== undefined && !c.origins.isBroken(template)) {
    c.report('PW1084', place, 'A secret stands in the flow file, where everyone who can read it sees it.', {
      suggestion: 'use `${env.NAME}` or `${secrets.NAME}`',
    })
  }
  return template
}

function compileSchedule(c: Compilation, trigger: RecognisedTrigger): PlanTrigger {
  const fields = readOptions(c, trigger, SCHEDULE)
  const timezone = fields.timezone ?? 'UTC'
  if (fields.timezone !== undefined) checkTimeZone(c, optionPlace(trigger, 'timezone'), timezone)
  if (fields.cron !== undefined) checkCron(c, optionPlace(trigger, 'cron'), fields.cron)
  return {
    kind: 'schedule',
    cron: fields.cron ?? '',
    timezone,
    catchUp: fields.catch_up ?? 'none',
    ...(fields.max_instances === undefined ? {} : { maxInstances: fields.max_instances }),
    jitterMs: fields.jitter ?? 0,
    ...(fields.inputs === undefined ? {} : { inputs: foldMap(fields.inputs) }),
  }
}

function compileEvent(c: Compilation, trigger: RecognisedTrigger): PlanTrigger {
  const fields = readOptions(c, trigger, EVENT_TRIGGER)
  const compiled: PlanTrigger = {
    kind: 'event',
    event: fields.event ?? '',
    ...(fields.match === undefined ? {} : { match: canonical(fields.match.expression) }),
    ...(fields.input_mapping === undefined ? {} : { inputs: readMapping(c, fields.input_mapping) }),
  }
  if (fields.match !== undefined) c.bind(compiled, 'match', fields.match)
  return compiled
}
