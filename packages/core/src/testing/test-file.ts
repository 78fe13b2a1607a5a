/**
 * What a flow test says. YAML files are exactly this; TypeScript files may use functions besides (`define-flow-test.ts`).
 * Strings are templates, as in flows: `${fixtures.order}` gives the fixture, in fakes `${input.amount}` what was asked.
 */
import { z } from 'zod'
import type { ErrorInfo } from '../error.ts'
import type { Json, JsonObject } from '../json.ts'
import type { StepTrace } from '../engine/step-trace.ts'

const json: z.ZodType<Json> = z.json()
const duration = z
  .union([z.number().min(0), z.string().regex(/^\d+(\.\d+)?(ms|s|m|h|d)$/, 'must be a duration such as 2h')])
  .describe('A duration: `250ms`, `10s`, `5m`, `2h`, `30d`, or seconds.')

const fakeError = z.union([
  z.string(),
  z.strictObject({
    code: z.string(),
    message: z.string().optional(),
    data: json.optional(),
    retryable: z.boolean().optional(),
  }),
])

/** A fake answer; in TypeScript also a function. */
const answer = z
  .strictObject({
    when: z.string().optional().describe('A condition on `input`, `attempt`, `path`, `fixtures`.'),
    returns: json.optional().describe('The output.'),
    error: fakeError.optional().describe('The code of an error, or the error.'),
    sequence: z
      .array(z.strictObject({ returns: json.optional(), error: fakeError.optional(), delay: duration.optional() }))
      .min(1)
      .optional()
      .describe('One answer for each call; the last one stays.'),
    delay: duration.optional().describe('Virtual time that passes before the answer.'),
    real: z.literal(true).optional().describe('Runs the real one.'),
  })
  .refine(
    (value) =>
      [value.returns, value.error, value.sequence, value.real].filter((part) => part !== undefined).length === 1,
    'needs exactly one of `returns`, `error`, `sequence`, `real`',
  )

export type FakeAnswer = z.infer<typeof answer>
export type FakeError = z.infer<typeof fakeError>

const calledWith = z.union([
  z.string(),
  z
    .record(z.string(), z.union([json]))
    .refine((value) => Object.keys(value).length === 1, 'is the name of a task, action or step, or `name: arguments`'),
])

const message = z.union([
  z.strictObject({ approve: z.string(), data: json.optional(), as: z.string().optional(), after: duration.optional() }),
  z.strictObject({ reject: z.string(), data: json.optional(), as: z.string().optional(), after: duration.optional() }),
  z.strictObject({ signal: z.string(), data: json.optional(), as: z.string().optional(), after: duration.optional() }),
  z.strictObject({ event: z.string(), data: json.optional(), after: duration.optional() }),
  z.strictObject({ cancel: z.union([z.literal(true), z.string()]), after: duration.optional() }),
])

export type TestMessage = z.infer<typeof message>

const expectation = z.strictObject({
  status: z.enum(['succeeded', 'failed', 'cancelled', 'waiting']).optional(),
  outputs: z.record(z.string(), json).optional().describe('Outputs that must be equal; others are not looked at.'),
  error: z
    .union([
      z.string(),
      z.strictObject({ code: z.string().optional(), message: z.string().optional(), step: z.string().optional() }),
    ])
    .optional()
    .describe('The code, or parts of the error; `message` need only be contained.'),
  called: z.array(calledWith).optional().describe('Calls that must have happened; arguments need only be contained.'),
  not_called: z.array(z.string()).optional(),
  calls: z
    .record(z.string(), z.number().int().min(0))
    .optional()
    .describe('How often each was called, attempts included.'),
  events: z
    .array(z.union([z.string(), z.record(z.string(), json)]))
    .optional()
    .describe('Events that the run published.'),
  assert: z
    .array(z.string())
    .optional()
    .describe('Conditions on `outputs`, `steps`, `error`, `status`, `inputs`, `fixtures`.'),
  snapshot: z.boolean().optional().describe('Compares the trace of all steps with the stored one.'),
  takes: duration.optional().describe('Virtual time that the run may take at most.'),
})

export type Expectation = z.infer<typeof expectation>

const shared = {
  fakes: z.record(z.string(), z.union([answer, z.array(answer).min(1)])).optional(),
  allow: z
    .array(z.string())
    .optional()
    .describe('Actions that run for real: `sqlite.*`, `http.get`, a step path; `network:host`.'),
  recording: z
    .string()
    .min(1)
    .optional()
    .describe('File of recorded HTTP traffic, relative to this one, that answers what real actions and tasks send.'),
  env: z.record(z.string(), z.string()).optional(),
  secrets: z.record(z.string(), z.string()).optional(),
  now: z.iso.datetime({ offset: true }).optional().describe('When the run starts.'),
}

const testCase = z.strictObject({
  name: z.string().min(1),
  skip: z.union([z.boolean(), z.string()]).optional(),
  only: z.boolean().optional(),
  inputs: z.union([z.record(z.string(), json), z.string()]).optional(),
  send: z.array(message).optional(),
  expect: expectation.optional(),
  ...shared,
})

export const TEST_FILE_SCHEMA = z.strictObject({
  flow: z.string().optional().describe('Name of the flow; not needed beside a single flow file.'),
  fixtures: z
    .record(z.string(), z.union([json, z.strictObject({ file: z.string() })]))
    .optional()
    .describe('Values for `${fixtures.NAME}`; `{ file: order.json }` reads one.'),
  ...shared,
  cases: z.array(testCase).min(1),
})

export type TestFileDocument = z.infer<typeof TEST_FILE_SCHEMA>
export type TestCaseDocument = z.infer<typeof testCase>

/** A call that a fake answers. */
export interface FakeCall {
  readonly kind: 'task' | 'action'
  readonly name: string
  /** Path of the step with its iterations: `loop[2]/send`. */
  readonly path: string
  readonly attempt: number
  readonly input: Json
  /** Calls before this one: of the same step, and for a fake those that it answered. */
  readonly previous: number
}

/** What a test may look at when a run has come to rest. */
export interface CaseResult {
  readonly status: string
  readonly reason: string | null
  readonly inputs: JsonObject
  readonly outputs: JsonObject | null
  readonly error: ErrorInfo | null
  /** Every step of the run, and of its sub-flows with `<step>/` before their paths. */
  readonly trace: readonly StepTrace[]
  readonly calls: readonly FakeCall[]
  readonly events: readonly { readonly name: string; readonly data: Json }[]
  /** Virtual milliseconds from start to rest. */
  readonly elapsedMs: number
}

/** A fake as a function (TypeScript). */
export type FakeFunction = (call: FakeCall) => Json | undefined | Promise<Json | undefined>

export type Fakes = { readonly [target: string]: FakeAnswer | readonly FakeAnswer[] | FakeFunction }

/** A case as the runner takes it, wherever it was written. */
export interface TestCase extends Omit<TestCaseDocument, 'fakes'> {
  readonly fakes?: Fakes
  /** Looks at the result; throws when something is wrong. */
  readonly check?: (result: CaseResult) => void | Promise<void>
  /** Where it stands in its file; 1 where that is not known. */
  readonly line: number
}

export interface TestFile extends Omit<TestFileDocument, 'cases' | 'fakes'> {
  readonly fakes?: Fakes
  readonly cases: readonly TestCase[]
}
