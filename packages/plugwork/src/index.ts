/** `plugwork`: what the files of a project import. */
export { defineFlow, defineFlowTest, defineTask, PlugworkError } from '@plugwork/core/authoring'
export type {
  CaseResult,
  DeclaredTask,
  FakeCall,
  FakeFunction,
  FlowTest,
  FlowTestCase,
  FlowTestOptions,
  StandardSchema,
  TaskConnection,
  TaskContext,
  TaskOptions,
} from '@plugwork/core/authoring'
