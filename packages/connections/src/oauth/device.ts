/** The device authorization grant (RFC 8628): a code that somebody enters in a browser elsewhere. */
import type { Clock, Egress, OAuth2Auth } from '@plugwork/core/node'
import { PlugworkError } from '@plugwork/core/error'
import * as oauth from 'oauth4webapi'
import { openEndpoint } from './endpoint.ts'
import { oauthError } from './errors.ts'
import { fillAll, isProtected, type Settings } from './settings.ts'
import { requestToken } from './token-requests.ts'
import type { OAuthClient, TokenSet } from './token-set.ts'

export interface DeviceParts {
  readonly egress: Egress
  readonly clock: Clock
}

export interface DeviceRequest {
  readonly auth: OAuth2Auth
  readonly client: OAuthClient
  readonly settings: Settings
  readonly signal: AbortSignal
}

export interface RequestDeviceCode extends DeviceRequest {
  /** Default: `auth.defaultScopes`. */
  readonly scopes?: readonly string[]
}

/** What is shown to somebody, and `deviceCode`, which is a secret. */
export interface DeviceCode {
  readonly deviceCode: string
  readonly userCode: string
  readonly verificationUri: string
  /** The same with the code in it, for a QR code. */
  readonly verificationUriComplete?: string
  /** Epoch ms. */
  readonly expiresAt: number
  readonly intervalMs: number
}

export interface PollDeviceCode extends DeviceRequest {
  readonly device: DeviceCode
}

export type DevicePoll =
  { readonly status: 'pending' | 'slow_down' } | { readonly status: 'done'; readonly tokens: TokenSet }

const GRANT = 'urn:ietf:params:oauth:grant-type:device_code'
/** RFC 8628, 3.2 and 3.5. */
const DEFAULT_INTERVAL_S = 5
const SLOW_DOWN_MS = 5_000
const LONGEST_INTERVAL_MS = 60_000

export async function requestDeviceCode({ egress, clock }: DeviceParts, input: RequestDeviceCode): Promise<DeviceCode> {
  const { auth, client, settings, signal, scopes = auth.defaultScopes ?? [] } = input
  if (auth.deviceAuthorizationUrl === undefined) {
    throw oauthError(
      'oauth_provider_invalid',
      `The auth data of ${auth.title} has no deviceAuthorizationUrl, which the device grant needs.`,
    )
  }
  const endpoint = openEndpoint({ egress, auth, client, settings, signal })
  const sent = clock.now()
  const answer = await endpoint.attempt('give a device code', async () =>
    oauth.processDeviceAuthorizationResponse(
      endpoint.server,
      endpoint.client,
      await oauth.deviceAuthorizationRequest(
        endpoint.server,
        endpoint.client,
        endpoint.authentication,
        {
          ...fillAll(auth, auth.authorizationParameters, endpoint.settings),
          ...(scopes.length === 0 ? {} : { [auth.scopeParameter ?? 'scope']: scopes.join(auth.scopeSeparator ?? ' ') }),
        },
        endpoint.request('device'),
      ),
    ),
  )
  const complete = answer.verification_uri_complete
  for (const uri of [answer.verification_uri, complete]) {
    const url = uri === undefined ? undefined : URL.parse(uri)
    if (url === null || (url !== undefined && !isProtected(url))) {
      throw oauthError(
        'oauth_response_invalid',
        `${auth.title} names a page for the device code that is not an https URL.`,
      )
    }
  }
  return {
    deviceCode: answer.device_code,
    userCode: answer.user_code,
    verificationUri: answer.verification_uri,
    ...(complete === undefined ? {} : { verificationUriComplete: complete }),
    expiresAt: sent + answer.expires_in * 1000,
    intervalMs: Math.min((answer.interval ?? DEFAULT_INTERVAL_S) * 1000, LONGEST_INTERVAL_MS),
  }
}

/** Asks once whether somebody has entered the code. Throws `oauth_denied` and `oauth_device_expired`. */
export async function checkDeviceCode({ egress, clock }: DeviceParts, input: PollDeviceCode): Promise<DevicePoll> {
  const { auth, client, settings, signal, device } = input
  if (clock.now() >= device.expiresAt) throw expired(auth)
  const endpoint = openEndpoint({ egress, auth, client, settings, signal, secrets: [device.deviceCode] })
  try {
    const tokens = await requestToken(
      endpoint,
      'give a token for the device code',
      { type: GRANT, parameters: { device_code: device.deviceCode } },
      () => clock.now(),
    )
    return { status: 'done', tokens }
  } catch (error) {
    switch (refusalCode(error)) {
      case 'authorization_pending':
        return { status: 'pending' }
      case 'slow_down':
        return { status: 'slow_down' }
      case 'access_denied':
        throw oauthError('oauth_denied', `Access to ${auth.title} was not granted. Nothing was stored.`, {
          data: { error: 'access_denied' },
        })
      case 'expired_token':
        throw expired(auth)
      default:
        throw error
    }
  }
}

/**
 * Waits until somebody has entered the code and agreed. Asks at the provider's interval, 5 s slower after each `slow_down`, and
 * at twice the interval after a network failure (RFC 8628, 3.5). Ends when the code expires or `signal` aborts.
 */
export async function pollDeviceCode(parts: DeviceParts, input: PollDeviceCode): Promise<TokenSet> {
  let interval = input.device.intervalMs
  for (;;) {
    await sleep(parts.clock, interval, input.signal)
    let poll: DevicePoll
    try {
      poll = await checkDeviceCode(parts, input)
    } catch (error) {
      if (input.signal.aborted || !(error instanceof PlugworkError) || !error.retryable) throw error
      interval = Math.min(interval * 2, LONGEST_INTERVAL_MS)
      continue
    }
    if (poll.status === 'done') return poll.tokens
    if (poll.status === 'slow_down') interval = Math.min(interval + SLOW_DOWN_MS, LONGEST_INTERVAL_MS)
  }
}

function expired(auth: OAuth2Auth): PlugworkError {
  return oauthError(
    'oauth_device_expired',
    `The code for ${auth.title} expired before somebody entered it. Ask for another one.`,
  )
}

function refusalCode(error: unknown): unknown {
  if (!(error instanceof PlugworkError) || error.code !== 'oauth_refused') return undefined
  return (error.data as { readonly error?: unknown }).error
}

function sleep(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      cancel()
      reject(signal.reason as Error)
    }
    const cancel = clock.at(clock.now() + ms, () => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    })
    signal.addEventListener('abort', onAbort, { once: true })
  })
}
