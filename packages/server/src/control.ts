/** `@plugwork/server/control`: the control socket alone, for commands that talk to a server or stand in for one. */
export { connectControl } from './control/client.ts'
export type { ControlClient } from './control/client.ts'
export type { ControlOperations, ServerInfo } from './control/operations.ts'
export { controlSocketPath } from './control/socket-path.ts'
export { serveControl, type ServeControlOptions } from './control/serve-control.ts'
