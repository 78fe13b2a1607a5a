/** Steps that park, fail or end a run: `wait`, `fail`, `exit`. */
import { canonical, type Compilation } from './compilation.ts'
import { APPROVAL, EXIT, FAIL, WAIT_APPROVAL, WAIT_EVENT, WAIT_UNTIL, WAIT_WEBHOOK, WEBHOOK_WAIT } from './grammar.ts'
import { reportTwice } from './effects.ts'
import { childPlace, describeValue, isPlainMap, type Place } from './place.ts'
import type { ExitNode, FailNode, Template, WaitNode } from './plan.ts'
import { readDurationTemplate, readFields } from './read.ts'
import { checkSchema } from './schema-types.ts'
import type { StepBase } from './step-base.ts'
import { broken, foldMap } from './template.ts'

type Wait = WaitNode['wait']

const WAITS = ['until', 'event', 'approval', 'webhook'] as const

export function compileWait(c: Compilation, base: StepBase, place: Place | undefined): WaitNode {
  const wait: Wait =
    place === undefined ? { kind: 'delay', duration: broken(c) } : (readWait(c, place) ?? brokenWait(c))
  return { ...base, kind: 'wait', wait }
}

const brokenWait = (c: Compilation): Wait => ({ kind: 'delay', duration: broken(c) })

function readWait(c: Compilation, place: Place): Wait | undefined {
  const { value } = place
  if (typeof value === 'string' || typeof value === 'number') {
    return { kind: 'delay', duration: readDurationTemplate(c, place, 'wait') }
  }
  const kinds = WAITS.filter((kind) => childPlace(place, kind) !== undefined)
  const [kind] = kinds
  if (!isPlainMap(value) || kind === undefined) {
    const found = isPlainMap(value) ? 'a map with none of them' : describeValue(value)
    c.report(
      'PW1012',
      place,
      `\`wait\` is a duration, or a map with \`until\`, \`event\`, \`approval\` or \`webhook\`, not ${found}.`,
    )
    return undefined
  }
  if (kinds.length > 1) {
    c.report(
      'PW1031',
      place,
      `\`wait\` is for one thing, not for ${kinds.map((name) => `\`${name}\``).join(' and ')} at once.`,
    )
  }
  switch (kind) {
    case 'until': {
      const { until } = readFields(c, place, WAIT_UNTIL, '`wait`')
      return { kind: 'until', until: until ?? broken(c) }
    }
    case 'event':
      return readEventWait(c, place)
    case 'approval':
      return readApproval(c, place)
    case 'webhook':
      return readWebhookWait(c, place)
  }
}

function readEventWait(c: Compilation, place: Place): Wait {
  const fields = readFields(c, place, WAIT_EVENT, '`wait`')
  const wait: Wait = {
    kind: 'event',
    event: fields.event ?? broken(c),
    ...(fields.match === undefined ? {} : { match: canonical(fields.match.expression) }),
    ...(fields.timeout === undefined ? {} : { timeout: fields.timeout }),
    since: fields.since ?? 'run',
  }
  if (fields.match !== undefined) c.bind(wait, 'match', fields.match)
  return wait
}

function readApproval(c: Compilation, place: Place): Wait {
  const outer = readFields(c, place, WAIT_APPROVAL, '`wait`')
  const inner = outer.approval
  const fields = inner === undefined || inner.value === null ? {} : readFields(c, inner, APPROVAL, '`approval`')
  const timeout = oneTimeout(c, place, inner, outer.timeout, fields.timeout)
  if (fields.form !== undefined && inner !== undefined) checkSchema(c, childPlace(inner, 'form') ?? inner)
  return {
    kind: 'approval',
    ...(fields.title === undefined ? {} : { title: fields.title }),
    ...(fields.assignees === undefined ? {} : { assignees: fields.assignees }),
    ...(fields.form === undefined ? {} : { form: fields.form }),
    ...(timeout === undefined ? {} : { timeout }),
  }
}

function readWebhookWait(c: Compilation, place: Place): Wait {
  const outer = readFields(c, place, WAIT_WEBHOOK, '`wait`')
  const inner = outer.webhook
  const fields = inner === undefined || inner.value === null ? {} : readFields(c, inner, WEBHOOK_WAIT, '`webhook`')
  const timeout = oneTimeout(c, place, inner, outer.timeout, fields.timeout)
  if (fields.schema !== undefined && inner !== undefined) checkSchema(c, childPlace(inner, 'schema') ?? inner)
  return {
    kind: 'webhook',
    ...(fields.schema === undefined ? {} : { schema: fields.schema }),
    ...(timeout === undefined ? {} : { timeout }),
  }
}

/** The time-out may stand inside or beside the thing that is waited for, not both. */
function oneTimeout(
  c: Compilation,
  place: Place,
  inner: Place | undefined,
  outside: Template | undefined,
  inside: Template | undefined,
): Template | undefined {
  if (outside !== undefined && inside !== undefined) {
    c.report(
      'PW1018',
      childPlace(place, 'timeout') ?? inner ?? place,
      '`timeout` stands inside and outside; keep one.',
      {
        key: true,
      },
    )
  }
  return inside ?? outside
}

export function compileFail(c: Compilation, base: StepBase, place: Place | undefined): FailNode {
  if (place === undefined) return { ...base, kind: 'fail', rethrow: false }
  const fields = readFields(c, place, FAIL, '`fail`')
  const unreadable = fields.rethrow === undefined && childPlace(place, 'rethrow') !== undefined
  if (fields.rethrow === true) {
    for (const key of ['message', 'code', 'data']) reportTwice(c, place, 'rethrow', key)
  } else if (isPlainMap(place.value) && childPlace(place, 'message') === undefined && !unreadable) {
    c.report('PW1036', place, '`fail` needs a `message` that says what happened.', {
      key: true,
      suggestion: "write `fail: { message: '…' }`, or `fail: { rethrow: true }` in a handler",
    })
  }
  return {
    ...base,
    kind: 'fail',
    rethrow: fields.rethrow ?? false,
    ...(fields.message === undefined ? {} : { message: fields.message }),
    ...(fields.code === undefined ? {} : { code: fields.code }),
    ...(fields.data === undefined ? {} : { data: fields.data }),
  }
}

export function compileExit(c: Compilation, base: StepBase, place: Place | undefined): ExitNode {
  const fields = place === undefined || place.value === null ? {} : readFields(c, place, EXIT, '`exit`')
  const outputs = fields.outputs === undefined ? undefined : foldMap(fields.outputs)
  if (outputs !== undefined && place !== undefined) c.origins.setPlace(outputs, childPlace(place, 'outputs') ?? place)
  return {
    ...base,
    kind: 'exit',
    status: fields.status ?? 'success',
    ...(fields.reason === undefined ? {} : { reason: fields.reason }),
    ...(outputs === undefined ? {} : { outputs }),
  }
}
