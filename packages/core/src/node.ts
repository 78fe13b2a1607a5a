/** `@plugwork/core/node`: what the core has that needs Node. */
export {
  API_BASE_URL,
  createApiClient,
  type ApiClient,
  type ApiClientOptions,
  type ApiRequest,
  type ApiResult,
  type QueryValue,
} from './api/api-client.ts'
export type { ApiContent, ApiFile } from './api/api-body.ts'
export { commonRefusal, type ApiErrorKind, type Refusal } from './api/api-error.ts'
export { path, type ApiPath } from './api/api-path.ts'
export { staticCredential } from './api/authorize.ts'
export { cursorPages, nextLink, offsetPages } from './api/pages.ts'
export {
  firstOf,
  fixedPause,
  githubLimit,
  pauseInBody,
  rateLimitReset,
  retryAfter,
  type ApiReply,
  type RateLimit,
} from './api/rate-limit.ts'
export { ERRORS as API_ERRORS } from './api/errors.ts'
export type { BlobStore } from './blob/blob-store.ts'
export { createFileBlobStore } from './blob/file-blob-store.ts'
export { createMemoryBlobStore } from './blob/memory-blob-store.ts'
export { ERRORS as BLOB_ERRORS } from './blob/errors.ts'
export type { Action, ActionContext, Connector, ConnectorSpec, ConnectContext } from './connector/connector.ts'
export type { Effect, Idempotency, PackageNeed } from './connector/connector.ts'
export type {
  AuthMethod,
  ConnectionParameter,
  JwtAuth,
  JwtSigning,
  OAuth2Auth,
  SendCredential,
  StaticAuth,
} from './connector/auth.ts'
export type { Credential, CredentialSource } from './connector/credential.ts'
export type { ServiceEvent, ServiceRequest, Trigger, WebhookSource } from './connector/trigger.ts'
export {
  defineAction,
  defineConnector,
  type ActionInput,
  type ActionOutput,
  type Actions,
  type DefinedConnector,
  type Triggers,
} from './connector/define-connector.ts'
export { describeConnector, describeLazily } from './connector/describe-connector.ts'
export { renderReference } from './connector/reference.ts'
export { recordEgress, type RecordingEgress, type RecordOptions } from './egress/record-egress.ts'
export { replayEgress, type ReplayEgress, type ReplayOptions } from './egress/replay-egress.ts'
export { createEgress, DEFAULT_POLICY, type EgressOptions } from './egress/guarded-egress.ts'
export type {
  Cancellation,
  Egress,
  EgressConnect,
  EgressPolicy,
  EgressRequest,
  EgressResponse,
} from './egress/egress.ts'
export type {
  ControlOutcome,
  Definitions,
  ReplayRequest,
  RunDetail,
  RunNotice,
  RunSummary,
  Runtime,
  RuntimeOptions,
  StartOutcome,
  StartRun,
  TaskContext,
  TaskDefinition,
} from './runtime/runtime.ts'
export type {
  BlobRow,
  FlowRow,
  FlowVersion,
  JournalRecord,
  RunQuery,
  RunRow,
  RunStatus,
  ScheduleRow,
  Store,
  StoredEvent,
  StoreStats,
  TokenRow,
} from './store/store.ts'
export { TERMINAL } from './store/store.ts'
export { StoreOwnedError } from './store/errors.ts'
export { createMemoryStore, MemoryDisk } from './store/memory/memory-store.ts'
export { openSqliteStore, type SqliteStoreOptions } from './store/sqlite/sqlite-store.ts'
export { parseAddress } from './store/postgres/address.ts'
export { readOwner, type Lease, type OwnerStatus } from './store/sqlite/owner.ts'
export { fromSqlite, migrate } from './store/sqlite/open-database.ts'
export { SCHEMA_VERSION } from './store/sqlite/migrations.ts'
export {
  findInstalled,
  importInstalled,
  isVersionRange,
  readManifest,
  versionFits,
  type InstalledPackage,
} from './project/installed-package.ts'
export { loadConnectorPackages, type LoadedPackages, type ProjectPackage } from './project/connector-packages.ts'
export type { FileProblem, Project, ProjectFlow } from './project/project.ts'
export { flowSignature } from './project/snapshot.ts'
export { tasksOf } from './project/tasks-file.ts'
export { readEnv, type EnvRules } from './project/env.ts'
export { loadProject, type LoadProjectOptions } from './project/load-project.ts'
export { addKey, openKeys, parseKeys, KEYS_FILE, SALTS_FILE, type Keys, type ReadSalt } from './project/keys.ts'
export { KeyRing, type KeyPurpose, type RingKey } from './runtime/key-ring.ts'
export { Redactor } from './runtime/redact.ts'
export { openSecrets, SECRETS_FILE, type SecretSource } from './project/secrets.ts'
export { readSettings, SETTINGS_FILE, type ReadSettings, type SettingOrigin } from './project/settings.ts'
export { findOAuthClient, type FoundOAuthClient, type OAuthClientSettings } from './project/oauth-clients.ts'
export { SETTINGS, settingNames, type SettingName, type Settings } from './project/setting-table.ts'
export { ERRORS as CONNECTOR_ERRORS } from './connector/errors.ts'
export { ERRORS as EGRESS_ERRORS } from './egress/errors.ts'
export { ERRORS as PROJECT_ERRORS } from './project/errors.ts'
export { ERRORS as RUNTIME_ERRORS } from './runtime/errors.ts'
export { ERRORS as STORE_ERRORS } from './store/errors.ts'
export { systemClock, type Clock } from './clock.ts'
export type { StoredConnection, StoredConnectionRequest, StoredConnections } from './runtime/stored-connections.ts'
export { createExecutor, type Executor, type ExecutorOptions } from './action/executor.ts'
export type { ActionConnection, ActionLease, ActionOutcome, ActionRequest, RetryOptions } from './action/execute.ts'
export type { ActionScope } from './action/call.ts'
export type { ConnectionUse, GuardedCall } from './action/guard.ts'
export type { BatchOptions, BatchResult } from './action/batch.ts'
export type { ActionPages, PagesOptions } from './action/pages.ts'
export type { ActionMetrics } from './action/meters.ts'
export type { ActionLogEntry } from './action/action-log.ts'
export type { ActionCache } from './action/cache.ts'
export { MemoryCache, type MemoryCacheOptions } from './action/memory-cache.ts'
export { createRedisCache, type RedisCacheOptions } from './action/redis-cache.ts'
export { createPostgresCache, type PostgresCacheOptions } from './action/postgres-cache.ts'
export { SqliteCache, type SqliteCacheOptions } from './action/sqlite-cache.ts'
export type { LimitRule, LimitSpec, LimitStore } from './action/limit-store.ts'
export { MemoryLimitStore } from './action/memory-limit-store.ts'
export { createRedisLimitStore, type RedisLimitStoreOptions } from './action/redis-limit-store.ts'
export { ERRORS as ACTION_ERRORS } from './action/errors.ts'
export { Slots } from './slots.ts'
export { createRuntime } from './runtime/create-runtime.ts'
