/**
 * `@plugwork/core/authoring`: what the files of a project import, and nothing that is slow to load. Most see it as
 * `plugwork`.
 */
export { PlugworkError } from './error.ts'
export { defineFlow } from './flow/define-flow.ts'
export { defineTask, type DeclaredTask, type TaskOptions } from './project/define-task.ts'
export type { StandardSchema } from './project/standard-schema.ts'
export type { TaskConnection, TaskContext } from './runtime/runtime.ts'
export { defineFlowTest, type FlowTest, type FlowTestCase, type FlowTestOptions } from './testing/define-flow-test.ts'
export type { CaseResult, FakeCall, FakeFunction } from './testing/test-file.ts'
