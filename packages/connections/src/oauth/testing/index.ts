/** Test support for other packages of this repository; not published. */
export { startAuthorizationServer, type AuthorizationServer } from './authorization-server.ts'
export { UserAgent } from './user-agent.ts'
