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
