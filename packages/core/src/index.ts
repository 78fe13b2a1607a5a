/**
 * `@plugwork/core`: the flow language and the engine's pure core. Runs in the browser too. What needs Node (stores,
 * runtime, egress, projects) is in `@plugwork/core/node`.
 */
export type { Json, JsonObject, JsonSchema } from './json.ts'
export { PlugworkError, assertNever } from './error.ts'
export type { ErrorInfo, ErrorSpec, PlugworkErrorOptions } from './error.ts'

export type {
  InputMapping,
  Plan,
  PlanInput,
  PlanNode,
  PlanTrigger,
  Template,
  WaitNode,
  WebhookAuth,
} from './flow/plan.ts'
export type { Catalog, CatalogAction, CatalogConnector, CatalogFlow, CatalogTask } from './flow/catalog.ts'
export type { FlowProblem } from './flow/problem.ts'
export type { FlowDocument, SignatureProvider, StepDocument } from './flow/document.ts'
export { checkFlow, type CheckedFlow } from './flow/check.ts'
export { compileFlow, type CompiledFlow, type FlowSource } from './flow/compile.ts'
export { parseFlow, type ParsedFlow } from './flow/parse.ts'
export { planHash } from './flow/hash.ts'
export { defineFlow } from './flow/define-flow.ts'
export { printFlow } from './flow/print.ts'
export { flowJsonSchema } from './flow/json-schema.ts'
export {
  inputValidator,
  validateInputs,
  valueValidator,
  type InputProblem,
  type InputValidator,
  type ValidatedInputs,
  type ValueValidator,
} from './flow/input.ts'
export { parseDuration } from './flow/duration.ts'
export { CHECK_CODES, type CheckCode } from './flow/codes.ts'

export type { Command } from './engine/command.ts'
export { decide, type Decision } from './engine/decide.ts'
export { ENGINE_ERRORS, type EngineErrorCode } from './engine/errors.ts'
export type { LogLine, RunEvent, StartFacts } from './engine/event.ts'
export { prefixFor, type ForkOptions, type Prefix } from './engine/fork.ts'
export { idempotencyKey, waitToken, waitUrl } from './engine/key.ts'
export { loadProgram, type LoadOptions, type Program } from './engine/program.ts'
export { decodeRecord, encodeRecord, type EncodedRecord } from './engine/record.ts'
export { replay, type Nondeterminism, type Replayed, type Snapshot } from './engine/replay.ts'
export { deserialize, serialize, type RunState } from './engine/state.ts'
export { traceRun } from './engine/trace.ts'
export type { StepTrace } from './engine/step-trace.ts'

export { compile, compileTemplate, type Evaluator, type Scope } from './expression/compile.ts'
export { parseCondition, parseExpression, parseTemplate, references } from './expression/parse.ts'
export { ExpressionError } from './expression/error.ts'
export { SecretText, isObject, type SecretReference, type Value, type ValueObject } from './expression/value.ts'
export { closest } from './expression/suggest.ts'
