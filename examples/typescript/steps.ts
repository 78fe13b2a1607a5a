/** Steps that are typed by their tasks: what a task does not take or give is a compile error. */

/** A function of `tasks.ts`: its first parameter holds the inputs. */
type Task = (inputs: never) => object

/** A step of a flow that also knows what its task gives. */
export interface TypedStep<Output> {
  readonly id: string
  readonly task: string
  readonly inputs: { readonly [name: string]: string | number | boolean }
  /** Only a type: nothing stands here. */
  readonly gives?: Output
}

/** Calls a task: each of its inputs is given as a value or as text with `${…}`, and no other. */
export function call<T extends Task>(
  id: string,
  task: T,
  inputs: { readonly [Name in keyof Parameters<T>[0]]: string | number | boolean },
): TypedStep<Awaited<ReturnType<T>>> {
  return { id, task: task.name, inputs }
}

/** Refers to what a step gives: `output(quote, 'total')` is `${quote.total}`. */
export function output<Output>(step: TypedStep<Output>, name: keyof Output & string): string {
  return `\${${step.id}.${name}}`
}
