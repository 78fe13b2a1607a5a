import { randomBytes } from 'node:crypto'
import { systemClock, type Clock, type Egress } from '@plugwork/core/node'
import type { IntrospectionResponse } from 'oauth4webapi'
import { jwtToken } from '../jwt/jwt-token.ts'
import { signJwt } from '../jwt/sign-jwt.ts'
import {
  finishAuthorization,
  refreshUrl,
  startAuthorization,
  type FinishAuthorization,
  type FinishedAuthorization,
  type StartAuthorization,
  type StartedAuthorization,
} from './authorization.ts'
import {
  checkDeviceCode,
  pollDeviceCode,
  requestDeviceCode,
  type DeviceCode,
  type DevicePoll,
  type PollDeviceCode,
  type RequestDeviceCode,
} from './device.ts'
import { openEndpoint } from './endpoint.ts'
import { oauthError } from './errors.ts'
import type { ReturnToRules } from './return-to.ts'
import type { AuthStateStore } from './state-store.ts'
import { introspect, requestRefresh, requestToken, revoke } from './token-requests.ts'
import type { OAuthTokens, ObtainTokenRequest, RevokeTokenRequest, TokenSet } from './token-set.ts'

export interface OAuthOptions {
  readonly egress: Egress
  readonly states: AuthStateStore
  /** Where somebody may be sent after an authorization. Default: nowhere. */
  readonly returnTo?: ReturnToRules
  readonly clock?: Clock
  /** Of a cryptographic source. */
  readonly randomBytes?: (size: number) => Uint8Array
}

/** OAuth 2 for providers that are data. Every method may throw the codes of `oauth/errors.ts` and of the egress. */
export interface OAuth extends OAuthTokens {
  /** Where to send the browser. Stores what the callback is checked against. */
  startAuthorization(input: StartAuthorization): Promise<StartedAuthorization>
  /** Checks a callback, then exchanges its code. A state is used up by its first callback. */
  finishAuthorization(input: FinishAuthorization): Promise<FinishedAuthorization>
  requestDeviceCode(input: RequestDeviceCode): Promise<DeviceCode>
  /** Asks once; for those who keep time themselves. */
  checkDeviceCode(input: PollDeviceCode): Promise<DevicePoll>
  /** Waits until somebody has agreed, or the code has expired. */
  pollDeviceCode(input: PollDeviceCode): Promise<TokenSet>
  clientCredentials(input: ObtainTokenRequest): Promise<TokenSet>
  /** What the provider says of a token (RFC 7662): whether it is active, until when, for whom. */
  introspect(input: Omit<RevokeTokenRequest, 'kind'>): Promise<IntrospectionResponse>
}

export function createOAuth(options: OAuthOptions): OAuth {
  const { egress, states, clock = systemClock } = options
  const now = (): number => clock.now()
  const parts = {
    egress,
    states,
    now,
    randomBytes: options.randomBytes ?? randomBytes,
    returnTo: options.returnTo ?? { base: 'https://invalid', allow: [] },
  }
  const devices = { egress, clock }

  const obtain = async ({ auth, client, settings, fields, scopes, signal }: ObtainTokenRequest): Promise<TokenSet> => {
    if (auth.kind === 'jwt') return jwtToken({ egress, auth, fields: { ...settings, ...fields }, now, signal })
    const endpoint = openEndpoint({ egress, auth, client, settings, signal, secrets: Object.values(fields) })
    const asked = (scopes ?? auth.defaultScopes ?? []).join(auth.scopeSeparator ?? ' ')
    switch (auth.grant) {
      case 'client_credentials':
        return requestToken(
          endpoint,
          'give a token to the client',
          { type: 'client_credentials', parameters: asked === '' ? {} : { [auth.scopeParameter ?? 'scope']: asked } },
          now,
        )
      case 'jwt_bearer': {
        if (auth.assertion === undefined) {
          throw oauthError(
            'oauth_provider_invalid',
            `The auth data of ${auth.title} has no assertion, which the grant jwt_bearer needs.`,
          )
        }
        const { jwt } = await signJwt({
          signing: auth.assertion,
          title: auth.title,
          fields: {
            ...endpoint.settings,
            ...fields,
            scopes: asked,
            ...(client === null ? {} : { client_id: client.clientId }),
          },
          now: now(),
        })
        return requestToken(
          endpoint,
          'accept the assertion',
          { type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', parameters: { assertion: jwt } },
          now,
        )
      }
      default:
        throw oauthError('oauth_provider_invalid', `${auth.title} uses the grant ${auth.grant}, which needs a person.`)
    }
  }

  return {
    startAuthorization: (input) => startAuthorization(parts, input),
    finishAuthorization: (input) => finishAuthorization(parts, input),
    requestDeviceCode: (input) => requestDeviceCode(devices, input),
    checkDeviceCode: (input) => checkDeviceCode(devices, input),
    pollDeviceCode: (input) => pollDeviceCode(devices, input),
    obtain,
    clientCredentials: obtain,
    async refresh({ auth, client, settings, refreshToken, signal }) {
      const endpoint = openEndpoint({ egress, auth, client, settings, signal, secrets: [refreshToken] })
      return requestRefresh(endpoint, refreshUrl(endpoint), refreshToken, now)
    },
    async revoke({ auth, client, settings, token, kind, signal }) {
      if (auth.revocationUrl === undefined) return
      await revoke(openEndpoint({ egress, auth, client, settings, signal, secrets: [token] }), token, kind)
    },
    async introspect({ auth, client, settings, token, signal }) {
      if (auth.introspectionUrl === undefined) {
        throw oauthError('oauth_provider_invalid', `The auth data of ${auth.title} has no introspectionUrl.`)
      }
      return introspect(openEndpoint({ egress, auth, client, settings, signal, secrets: [token] }), token)
    },
  }
}
