import type { TaskContext } from '../runtime/runtime.ts'
import type { InferIn, InferOut, StandardSchema } from './standard-schema.ts'

/** What `defineTask` takes. Schemas are of zod or of any library that implements Standard Schema. */
export interface TaskOptions<Input extends StandardSchema, Output extends StandardSchema> {
  readonly description?: string
  /** An object schema: one property per input of the step. */
  readonly input: Input
  /** An object schema: one property per output. */
  readonly output: Output
  /** Does the work. It may run again after a failure or a crash; `context.idempotencyKey` stays the same. */
  readonly run: (inputs: InferOut<Input>, context: TaskContext) => InferIn<Output> | Promise<InferIn<Output>>
}

/** A task with schemas, as a `tasks.ts` exports it. */
export interface DeclaredTask<
  Input extends StandardSchema = StandardSchema,
  Output extends StandardSchema = StandardSchema,
> extends TaskOptions<Input, Output> {
  readonly [TASK]: true
}

/** Marks declared tasks across copies of this package: a project may have its own. */
const TASK = Symbol.for('plugwork.task')

/**
 * Declares a task with schemas: inputs are validated before it runs, outputs before they enter the journal, and
 * `plugwork check` knows both types without TypeScript.
 *
 * ```ts
 * export const Greet = defineTask({
 *   input: z.object({ name: z.string() }),
 *   output: z.object({ greeting: z.string() }),
 *   run: ({ name }) => ({ greeting: `Hello, ${name}!` }),
 * })
 * ```
 */
export function defineTask<Input extends StandardSchema, Output extends StandardSchema>(
  options: TaskOptions<Input, Output>,
): DeclaredTask<Input, Output> {
  return { ...options, [TASK]: true }
}

export function isDeclaredTask(value: unknown): value is DeclaredTask {
  return typeof value === 'object' && value !== null && TASK in value
}
