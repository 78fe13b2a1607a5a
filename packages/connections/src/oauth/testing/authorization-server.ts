/** A real authorization server (oidc-provider) on loopback, with its login and consent pages. */
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { generateKeyPairSync } from 'node:crypto'
import type { OAuth2Auth } from '@plugwork/core/node'
import { Provider } from 'oidc-provider'
import type { OAuthClient } from '../token-set.ts'

export interface AuthorizationServer {
  readonly issuer: string
  /** A confidential client with every grant. */
  readonly client: OAuthClient
  /** Provider data for it. */
  readonly auth: OAuth2Auth
  close(): Promise<void>
}

export async function startAuthorizationServer(redirectUris: readonly string[]): Promise<AuthorizationServer> {
  let handle: RequestListener = (_, response) => void response.writeHead(503).end()
  const server = createServer((request, response) => handle(request, response))
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const client = { clientId: 'plugwork-tests', clientSecret: 'sssh+/=&of the tests' }
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: client.clientId,
        client_secret: client.clientSecret,
        grant_types: [
          'authorization_code',
          'refresh_token',
          'client_credentials',
          'urn:ietf:params:oauth:grant-type:device_code',
        ],
        response_types: ['code'],
        redirect_uris: redirectUris,
        token_endpoint_auth_method: 'client_secret_basic',
      },
    ],
    cookies: { keys: ['of the tests'] },
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'k1', use: 'sig', alg: 'RS256' }] },
    scopes: ['openid', 'offline_access', 'notes:read'],
    features: {
      devInteractions: { enabled: true },
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      revocation: { enabled: true },
    },
    // Left to the client, so that a downgrade is the client's to notice.
    pkce: { required: () => false },
    issueRefreshToken: () => true,
    rotateRefreshToken: () => true,
    findAccount: (_: unknown, id: string) => ({ accountId: id, claims: () => ({ sub: id }) }),
    ttl: { AccessToken: 3600, RefreshToken: 86_400, DeviceCode: 600, Interaction: 600, Session: 600, Grant: 600 },
  })
  handle = provider.callback()
  return {
    issuer,
    client,
    auth: {
      kind: 'oauth2',
      title: 'Notes',
      help: 'A local authorization server.',
      grant: 'authorization_code',
      authorizationUrl: `${issuer}/auth`,
      tokenUrl: `${issuer}/token`,
      revocationUrl: `${issuer}/token/revocation`,
      introspectionUrl: `${issuer}/token/introspection`,
      deviceAuthorizationUrl: `${issuer}/device/auth`,
      issuer,
      issRequired: true,
      clientAuth: 'basic',
      // Asks for consent again, which oidc-provider wants for offline access.
      authorizationParameters: { prompt: 'consent' },
      defaultScopes: ['openid', 'offline_access', 'notes:read'],
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}
