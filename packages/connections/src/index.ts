/** `@plugwork/connections`: stored connections, their credentials, and OAuth for providers that are data. */
export {
  STATE_LIFETIME_MS,
  type AuthorizationContext,
  type FinishAuthorization,
  type FinishedAuthorization,
  type StartAuthorization,
  type StartedAuthorization,
} from './oauth/authorization.ts'
export { createOAuth, type OAuth, type OAuthOptions } from './oauth/create-oauth.ts'
export type { DeviceCode, DevicePoll, PollDeviceCode, RequestDeviceCode } from './oauth/device.ts'
export { ERRORS as OAUTH_ERRORS, type OAuthErrorCode } from './oauth/errors.ts'
export * as providers from './oauth/providers.ts'
export type { ReturnToRules } from './oauth/return-to.ts'
export type { OAuthSession } from './oauth/session.ts'
export { createMemoryAuthStateStore, type AuthState, type AuthStateStore } from './oauth/state-store.ts'
export type {
  OAuthClient,
  OAuthTokens,
  ObtainTokenRequest,
  OtherToken,
  RefreshTokenRequest,
  RevokeTokenRequest,
  TokenSet,
} from './oauth/token-set.ts'
export { ERRORS as JWT_ERRORS, type JwtErrorCode } from './jwt/errors.ts'
export { createJwtCredentialSource, type JwtCredentialOptions } from './jwt/jwt-credential-source.ts'
export { signJwt, type SignedJwt, type SignJwtInput } from './jwt/sign-jwt.ts'

export type { AccessRequest, Actor, Authorize, ConnectionOperation } from './connection/access.ts'
export type { Connection, ConnectionStatus, StatusReason, StatusReasonCode } from './connection/connection.ts'
export type { ConnectionFields } from './connection/connection-input.ts'
export type { FindClient } from './connection/connection-tokens.ts'
export type {
  CreateConnection,
  FindConnection,
  ListConnections,
  OpenConnection,
  ReconnectConnection,
  UpdateConnection,
} from './connection/connection-requests.ts'
export { Connections, type ConnectionsOptions } from './connection/connections.ts'
export { storedConnections, type StoredConnectionsOptions } from './connection/stored-connections.ts'
export { ERRORS as CONNECTION_ERRORS, type ConnectionErrorCode } from './connection/errors.ts'
export type { ConnectionEvent, ConnectionListener } from './connection/events.ts'
export { ringKeyProvider, type KeyProvider, type WrapContext, type WrappedKey } from './keys/key-provider.ts'
export { openKeyRing } from './keys/open-key-ring.ts'
export type { RefreshTiming } from './refresh/refresher.ts'
export {
  CONNECTION_TABLES,
  type ConnectionStore,
  type ConnectionTable,
  type NewRow,
  type Replaced,
  type RowQuery,
  type StoredRow,
} from './store/connection-store.ts'
export { ERRORS as CONNECTION_STORE_ERRORS, type ConnectionStoreErrorCode } from './store/errors.ts'
export { createMemoryConnectionStore } from './store/memory-connection-store.ts'
export {
  openPostgresConnectionStore,
  type PostgresConnectionStoreOptions,
  type PostgresPool,
  type PostgresPoolClient,
} from './store/postgres-connection-store.ts'
export { openSqliteConnectionStore, type SqliteConnectionStoreOptions } from './store/sqlite-connection-store.ts'
export { createStoredAuthStates, type StoredAuthStatesOptions } from './store/stored-auth-states.ts'
export { DELIVERY_TIMING, type DeliveryTiming } from './webhook/deliveries.ts'
export type { CreateEndpoint, WebhookEndpoint, WebhookEndpoints } from './webhook/endpoints.ts'
export { ERRORS as WEBHOOK_ERRORS, type WebhookErrorCode } from './webhook/errors.ts'
export type { EventHandler, HandlerContext, HandlerOptions } from './webhook/handlers.ts'
export type { WebhookRequest } from './webhook/read-request.ts'
export type { DeliveryState, EventConnection, EventState, ReceivedEvent } from './webhook/service-event.ts'
export type { ServiceReply } from './webhook/service-reply.ts'
export {
  ServiceWebhooks,
  type ApplicationWebhook,
  type ListEvents,
  type ReceiveWebhook,
  type ServiceWebhooksOptions,
  type TriggerPayload,
} from './webhook/service-webhooks.ts'
export type { ConnectorMetrics, RejectReason, WebhookMetrics } from './webhook/webhook-metrics.ts'
export { ERRORS as VAULT_ERRORS, type VaultErrorCode } from './vault/errors.ts'
export { Secret } from './vault/secret.ts'
export { Vault, type RewrapOptions, type SecretPlace, type VaultOptions, type VaultStatus } from './vault/vault.ts'
