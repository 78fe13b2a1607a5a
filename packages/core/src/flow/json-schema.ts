/**
 * The JSON Schema of flow files, for editors and for anybody who writes flows by program. It is derived from the grammar;
 * the parameters of actions stay open, because they belong to connectors. What it cannot say (types, visibility) the
 * checker does.
 */
import type { JsonSchema } from '../json.ts'
import {
  ACTION,
  APPROVAL,
  CASE,
  CONCURRENCY,
  DEFAULT_CASE,
  EFFECT,
  EMIT,
  EVENT_TRIGGER,
  EXIT,
  FAIL,
  FLOW,
  INPUT,
  OUTPUT,
  REPEAT,
  RETRY,
  SCHEDULE,
  SETTINGS,
  STEPS,
  WAIT_APPROVAL,
  WAIT_EVENT,
  WAIT_UNTIL,
  WAIT_WEBHOOK,
  WEBHOOK,
  SHORT_SIGNATURE,
  WEBHOOK_AUTH,
  WEBHOOK_WAIT,
  type Field,
  type Shape,
} from './grammar.ts'

const ref = (name: string): JsonSchema => ({ $ref: `#/$defs/${name}` })
const anyOf = (...schemas: readonly JsonSchema[]): JsonSchema => ({ anyOf: schemas })
const list = (items: JsonSchema): JsonSchema => ({ type: 'array', items })
const mapOf = (values: JsonSchema): JsonSchema => ({ type: 'object', additionalProperties: values })

const NAME = { type: 'string', pattern: '^[A-Za-z_][A-Za-z0-9_]*$' }
const DURATION = '^\\s*(\\d+(\\.\\d+)?\\s*(ms|s|m|h|d)\\s*)+$|^\\s*\\d+(\\.\\d+)?\\s*$'

/** The schema as it is published at `docs/flow.schema.json`. */
export function flowJsonSchema(): JsonSchema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Plugwork flow',
    description: 'A flow of Plugwork: see docs/flow-language.md.',
    ...shapeSchema(FLOW),
    $defs: definitions(),
  }
}

function definitions(): { readonly [name: string]: JsonSchema } {
  return {
    id: { type: 'string', description: 'Letters, digits and underscores; with ${…} in it, a label.' },
    templated: { description: 'Any value; its texts may hold ${…}.' },
    duration: {
      description: '250ms, 10s, 5m, 2h, 30d, or a number of seconds.',
      ...anyOf({ type: 'string', pattern: DURATION }, { type: 'number', minimum: 0 }),
    },
    duration_template: anyOf(ref('duration'), { type: 'string', pattern: '\\$\\{' }),
    expression: { description: 'An expression; ${x} in it is a sub-expression.' },
    condition: {
      description: 'An expression, or one of all, any, none.',
      ...anyOf(
        { type: ['string', 'boolean'] },
        ...['all', 'any', 'none'].map((kind) => ({
          type: 'object',
          properties: { [kind]: { ...list(ref('condition')), minItems: 1 } },
          required: [kind],
          additionalProperties: false,
        })),
      ),
    },
    steps: anyOf(ref('step'), list(ref('step'))),
    step: anyOf(...Object.values(STEPS).map((shape) => shapeSchema(shape)), actionStep()),
    action: anyOf({ type: 'null' }, { ...shapeSchema(ACTION), additionalProperties: true }),
    connections: mapOf({
      type: 'object',
      properties: {
        type: { type: 'string', description: 'Name of a connector.' },
        use: { type: 'string', description: 'Name of a stored connection.' },
      },
      required: ['type'],
    }),
    inputs: list({ ...shapeSchema(INPUT), additionalProperties: true }),
    outputs: list(shapeSchema(OUTPUT)),
    settings: shapeSchema(SETTINGS),
    concurrency: shapeSchema(CONCURRENCY),
    retry: shapeSchema(RETRY),
    repeat: shapeSchema(REPEAT),
    cases: list(anyOf(shapeSchema(CASE), shapeSchema(DEFAULT_CASE))),
    when: ref('templated'),
    branches: list(ref('steps')),
    fail: { ...shapeSchema(FAIL), anyOf: [{ required: ['message'] }, { required: ['rethrow'] }] },
    emit: shapeSchema(EMIT),
    exit: anyOf({ type: 'null' }, shapeSchema(EXIT)),
    wait: anyOf(
      ref('duration_template'),
      ...[WAIT_UNTIL, WAIT_EVENT, WAIT_APPROVAL, WAIT_WEBHOOK].map((shape) => shapeSchema(shape)),
    ),
    approval: anyOf({ type: 'null' }, shapeSchema(APPROVAL)),
    wait_webhook: anyOf({ type: 'null' }, shapeSchema(WEBHOOK_WAIT)),
    ...triggerDefinitions(),
  }
}

/** `http.get`, `sqlite_query`; keys of steps that have an underscore are no actions. */
const ACTION_NAME = `^(?!(${Object.keys(EFFECT).join('|')})$)[a-z][a-z0-9_]*[._][A-Za-z0-9_.]*[A-Za-z0-9]$`

/** `http.get: { … }`, with the keys of effects beside it or inside. */
function actionStep(): JsonSchema {
  return {
    ...shapeSchema(EFFECT),
    description: 'An action of a connector.',
    patternProperties: { [ACTION_NAME]: ref('action') },
    not: anyOf(...[...Object.keys(STEPS), 'code'].map((kind) => ({ required: [kind] }))),
    minProperties: 1,
  }
}

function triggerDefinitions(): { readonly [name: string]: JsonSchema } {
  const kinds: readonly (readonly [string, Shape, string])[] = [
    ['webhook', WEBHOOK, 'path'],
    ['schedule', SCHEDULE, 'cron'],
    ['event', EVENT_TRIGGER, 'event'],
  ]
  return {
    triggers: list(
      anyOf(
        { const: 'manual' },
        closed({ manual: anyOf({ type: 'null' }, closed({}, [])) }, ['manual']),
        closed({ type: { const: 'manual' } }, ['type']),
        ...kinds.flatMap(([kind, shape, main]) => triggerForms(kind, shape, main)),
      ),
    ),
    webhook_auth: anyOf(
      { const: 'none' },
      ...Object.entries(WEBHOOK_AUTH).flatMap(([type, shape]) => [
        closed({ [type]: shapeSchema(shape) }, [type]),
        withProperty(shapeSchema(shape), 'type', { const: type }),
      ]),
      shapeSchema(SHORT_SIGNATURE),
    ),
    input_mapping: anyOf({ enum: ['body', 'query', 'headers', 'path', 'all'] }, { type: 'object' }),
    respond: anyOf(
      { enum: ['when_accepted', 'when_finished'] },
      closed({ with_step: { type: 'string' } }, ['with_step']),
    ),
  }
}

/** The three ways in which a trigger may be written. */
function triggerForms(kind: string, shape: Shape, main: string): readonly JsonSchema[] {
  const { [main]: field, ...rest } = shape
  const short = field === undefined ? [] : [shapeSchema({ ...rest, [kind]: field })]
  return [
    closed({ [kind]: shapeSchema(shape) }, [kind]),
    withProperty(shapeSchema(shape), 'type', { const: kind }),
    ...short,
  ]
}

const closed = (properties: { readonly [key: string]: JsonSchema }, required: readonly string[]): JsonSchema => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
})

function withProperty(schema: JsonSchema, name: string, property: JsonSchema): JsonSchema {
  const { properties, required } = schema
  return {
    ...schema,
    properties: { [name]: property, ...(properties as { readonly [key: string]: JsonSchema }) },
    required: [name, ...(Array.isArray(required) ? required.map(String) : [])],
  }
}

function shapeSchema(shape: Shape): JsonSchema {
  const properties = Object.fromEntries(Object.entries(shape).map(([key, field]) => [key, fieldSchema(field)]))
  const required = Object.keys(shape).filter((key) => shape[key]?.required === true)
  return closed(properties, required)
}

function fieldSchema(field: Field): JsonSchema {
  return { description: field.doc, ...kindSchema(field) }
}

function kindSchema(field: Field): JsonSchema {
  switch (field.kind) {
    case 'text':
      return { type: 'string', minLength: 1 }
    case 'note':
      return { type: 'string' }
    case 'name':
      return NAME
    case 'integer':
    case 'number':
      return {
        type: field.kind,
        ...(field.min === undefined ? {} : { minimum: field.min }),
        ...(field.max === undefined ? {} : { maximum: field.max }),
      }
    case 'boolean':
      return { type: 'boolean' }
    case 'duration':
    case 'duration_template':
    case 'expression':
    case 'condition':
    case 'steps':
      return ref(field.kind)
    case 'size':
      return anyOf(
        { type: 'integer', minimum: 0 },
        { type: 'string', pattern: '^\\s*\\d+(\\.\\d+)?\\s*([kKmMgG]?[bB])?\\s*$' },
      )
    case 'names':
      return anyOf({ type: 'string' }, list({ type: 'string' }))
    case 'choice':
      return { enum: field.values ?? [] }
    case 'template':
      return ref('templated')
    case 'templates':
      return mapOf(ref('templated'))
    case 'schema':
      return { type: 'object' }
    case 'part':
      return field.ref === undefined ? {} : ref(field.ref)
  }
}
