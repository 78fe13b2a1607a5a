/** Where a request carries its credential. */
import type { AuthMethod, SendCredential } from '../connector/auth.ts'
import type { Credential, CredentialSource } from '../connector/credential.ts'

const BEARER: SendCredential = { in: 'header', name: 'authorization', template: 'Bearer {token}' }

/** A credential that stays as it is: a token of the connection's config. */
export function staticCredential(method: string, token: string): CredentialSource {
  const credential: Credential = { method, token, metadata: {}, expiresAt: null }
  return { current: () => Promise.resolve(credential), rejected: () => Promise.resolve(null) }
}

/** Puts the credential into the request as its auth method says. */
export function authorize(
  credential: Credential,
  methods: Readonly<Record<string, AuthMethod>>,
  request: { readonly url: URL; readonly headers: Record<string, string> },
): void {
  const send = methods[credential.method]?.send ?? BEARER
  const value = send.template.replaceAll('{token}', () => credential.token)
  if (send.in === 'query') request.url.searchParams.set(send.name, value)
  else request.headers[send.name.toLowerCase()] = value
}

/** Takes the credential out of a text that leaves the client: some services want it in the URL. */
export function withoutToken(text: string, credential: Credential | null): string {
  if (credential === null || credential.token === '') return text
  const { token } = credential
  return text.replaceAll(token, '***').replaceAll(encodeURIComponent(token), '***')
}
