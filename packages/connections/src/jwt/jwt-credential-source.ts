import type { Credential, CredentialSource } from '@plugwork/core/node'
import type { TokenSet } from '../oauth/token-set.ts'
import { jwtToken, type JwtTokenInput } from './jwt-token.ts'

export interface JwtCredentialOptions extends Omit<JwtTokenInput, 'signal'> {
  /** Name of the connector's auth method. */
  readonly method: string
}

/** A token is replaced this long before it expires, or in its last fifth where it lives shorter. */
const MARGIN_MS = 60_000

/**
 * Credentials of a `JwtAuth`, made in this process: signed (and exchanged) when first asked for, kept until shortly before they
 * expire. Calls at the same time share one exchange.
 */
export function createJwtCredentialSource(options: JwtCredentialOptions): CredentialSource {
  const { method, now } = options
  let kept: { readonly credential: Credential; readonly renewAt: number } | null = null
  let making: Promise<Credential> | null = null

  const make = async (): Promise<Credential> => {
    const from = now()
    // Not the signal of one caller: others wait for the same exchange. Its own time limit ends it.
    const tokens = await jwtToken({ ...options, signal: new AbortController().signal })
    const credential = credentialOf(method, tokens)
    kept = { credential, renewAt: renewAt(from, tokens.expiresAt) }
    return credential
  }
  const renewed = (signal: AbortSignal): Promise<Credential> => {
    making ??= make().finally(() => {
      making = null
    })
    return abortable(making, signal)
  }
  return {
    current: async (signal) => (kept !== null && now() < kept.renewAt ? kept.credential : renewed(signal)),
    rejected: async (credential, signal) => {
      // Somebody else had it renewed since: theirs has not been tried with this request yet.
      if (kept !== null && kept.credential.token !== credential.token && now() < kept.renewAt) return kept.credential
      kept = null
      return renewed(signal)
    },
  }
}

function credentialOf(method: string, { accessToken, metadata, expiresAt }: TokenSet): Credential {
  return { method, token: accessToken, metadata, expiresAt }
}

function renewAt(from: number, expiresAt: number | null): number {
  if (expiresAt === null) return Number.POSITIVE_INFINITY
  return expiresAt - Math.min(MARGIN_MS, (expiresAt - from) / 5)
}

function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) return Promise.reject(signal.reason as Error)
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error)
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
