/** `tasks.ts` beside a flow: its exported functions and `defineTask` values become task definitions. */
import { relative, sep } from 'node:path'
import { PlugworkError } from '../error.ts'
import type { CatalogTask } from '../flow/catalog.ts'
import type { JsonObject } from '../json.ts'
import type { TaskContext, TaskDefinition } from '../runtime/runtime.ts'
import { isDeclaredTask, type DeclaredTask } from './define-task.ts'
import type { ModuleLoader } from './module-loader.ts'
import { acceptResult, jsonSchemaOf } from './standard-schema.ts'

/** A loaded file of tasks. */
export interface TasksFile {
  /** Absolute path. */
  readonly file: string
  readonly hash: string
  /** The file and all it imports relatively: what to watch. */
  readonly files: readonly string[]
  readonly tasks: ReadonlyMap<string, TaskDefinition>
  /** What the schemas tell. Plain functions have no types here; `task-types.ts` reads them where they are needed. */
  readonly catalog: readonly CatalogTask[]
}

/** Loads a file of tasks; throws what its import throws. Exports that are no functions are left alone. */
export async function loadTasksFile(file: string, loader: ModuleLoader): Promise<TasksFile> {
  const { graph, exports } = await loader.load(file)
  return { file, hash: graph.hash, files: graph.files, ...tasksOf(exports, graph.hash) }
}

/** Functions and `defineTask` values by name, as tasks; `code` says in traces which code it was. */
export function tasksOf(
  exports: { readonly [name: string]: unknown },
  code: string,
): Pick<TasksFile, 'tasks' | 'catalog'> {
  const tasks = new Map<string, TaskDefinition>()
  const catalog: CatalogTask[] = []
  for (const [name, value] of Object.entries(exports)) {
    if (name === 'default') continue
    if (isDeclaredTask(value)) {
      tasks.set(name, declaredTask(name, value, code))
      catalog.push(declaredTypes(name, value))
    } else if (isPlainFunction(value)) {
      tasks.set(name, { code, run: value })
      catalog.push({ name })
    }
  }
  return { tasks, catalog }
}

type PlainTask = (inputs: JsonObject, context: TaskContext) => unknown

function isPlainFunction(value: unknown): value is PlainTask {
  return typeof value === 'function' && !Function.prototype.toString.call(value).startsWith('class')
}

function declaredTask(name: string, task: DeclaredTask, code: string): TaskDefinition {
  return {
    code,
    validate(inputs) {
      const result = task.input['~standard'].validate(inputs)
      if (result instanceof Promise) {
        throw new PlugworkError(
          'task_schema_async',
          `The input schema of task ${name} validates asynchronously; move what it awaits into \`run\`.`,
        )
      }
      return acceptResult(
        result,
        'task_input_invalid',
        `The inputs of task ${name} do not fit its schema`,
      ) as JsonObject
    },
    async run(inputs, context) {
      const output = await task.run(inputs, context)
      const result = await task.output['~standard'].validate(output)
      return acceptResult(result, 'task_output_invalid', `What task ${name} returned does not fit its schema`)
    },
  }
}

function declaredTypes(name: string, task: DeclaredTask): CatalogTask {
  const input = jsonSchemaOf(task.input, 'input')
  const output = jsonSchemaOf(task.output, 'output')
  return {
    name,
    ...(input === undefined ? {} : { input }),
    ...(output === undefined ? {} : { output }),
    ...(task.description === undefined ? {} : { description: task.description }),
  }
}

/** `/`-separated path from the project folder, as problems name files. */
export function projectPath(directory: string, file: string): string {
  return relative(directory, file).split(sep).join('/')
}
