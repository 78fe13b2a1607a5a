/** `@plugwork/sdk`: connect to services once, and call them from an application. */
export { connectorFactory } from './connectable.ts'
export type {
  Connectable,
  ConnectorFactory,
  ConnectorOf,
  ConnectorOptions,
  RegisteredConnector,
} from './connectable.ts'
export { createPlugwork, type Plugwork, type PlugworkApi } from './create-plugwork.ts'
export type { ActionCall, ActionsApi, BatchCall } from './actions.ts'
export type {
  Connected,
  ConnectionEventName,
  ConnectionId,
  CreateConnectionInput,
  Credentials,
  GetAuthUrl,
  ListConnectionsInput,
  ReconnectInput,
} from './connections-api.ts'
export { ERRORS as SDK_ERRORS, type SdkErrorCode } from './errors.ts'
export type { AuthorizeRequest, LogLevel, PlugworkOptions, Session, WorkflowOptions } from './options.ts'
export type { ActionMethod, CallOptions, DryRun, Methods, OnBehalf } from './plugwork-types.ts'
export type { ProviderInfo, ProviderMethod } from './providers.ts'
export type { Workflow } from './workflows/workflow.ts'
export type {
  CreateWorkflow,
  ExecuteWorkflow,
  WorkflowId,
  WorkflowRun,
  WorkflowStats,
} from './workflows/workflows-api.ts'
