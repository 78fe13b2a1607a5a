/**
 * `plugwork`: what the files of a project import, and the SDK for applications. Nothing heavy is loaded before it is used.
 */
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
export { connectorFactory, createPlugwork } from '@plugwork/sdk'
export type {
  ActionCall,
  AuthorizeRequest,
  CallOptions,
  Connectable,
  Connected,
  ConnectorFactory,
  ConnectorOptions,
  Plugwork,
  PlugworkOptions,
  ProviderInfo,
  RegisteredConnector,
  Session,
} from '@plugwork/sdk'
