/** `@plugwork/server`: the HTTP API, webhooks, schedules, event triggers and the control socket around one runtime. */
export { createServer, DEFAULT_TENANT } from './create-server.ts'
export type { Server, ServerOptions, ServerSettings } from './create-server.ts'
export type { ServerConnections } from './connections.ts'
export type { ServiceWebhooksSource } from './trigger/service-hooks.ts'
export { createLog, silentLog } from './log.ts'
export type { Log, LogOptions } from './log.ts'
export { connectControl } from './control/client.ts'
export type { ControlClient } from './control/client.ts'
export type {
  ControlOperations,
  Decision,
  ServerInfo,
  SignalRequest,
  StartFile,
  StartFileOutcome,
} from './control/operations.ts'
export { controlSocketPath } from './control/socket-path.ts'
export { PERMISSIONS } from './auth/permission.ts'
export type { Permission } from './auth/permission.ts'
export { ERRORS, ServerError } from './errors.ts'
