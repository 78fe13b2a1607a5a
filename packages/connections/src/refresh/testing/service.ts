/** A connector with OAuth, and connections on it: what the tests of refresh share, in one process or several. */
import { PlugworkError } from '@plugwork/core'
import {
  createEgress,
  defineAction,
  defineConnector,
  type ActionContext,
  KeyRing,
  type Clock,
  type OAuth2Auth,
} from '@plugwork/core/node'
import { z } from 'zod'
import { Connections, type ConnectionsOptions } from '../../connection/connections.ts'
import { ringKeyProvider } from '../../keys/key-provider.ts'
import type { OAuthTokens, TokenSet } from '../../oauth/token-set.ts'
import type { ConnectionStore } from '../../store/connection-store.ts'
import { Vault } from '../../vault/vault.ts'

export const ACTOR = { tenant: 't1', user: 'ada' } as const

const oauth = {
  kind: 'oauth2',
  title: 'OAuth',
  help: 'For tests.',
  authorizationUrl: 'https://acme.example/authorize',
  tokenUrl: 'https://acme.example/token',
} as const
export const AUTHS = {
  oauth: { ...oauth, grant: 'authorization_code', keepAlive: '24h' },
  machine: { ...oauth, grant: 'client_credentials' },
  shop: {
    ...oauth,
    grant: 'authorization_code',
    connectionParameters: { shop: { title: 'Shop', pattern: '[a-z]+\\.shop\\.example' } },
  },
} as const satisfies Record<string, OAuth2Auth>

/** A service whose requests need a token or a key. */
export const acme = defineConnector({
  name: 'acme',
  title: 'Acme',
  description: 'A service for tests.',
  version: '1.0.0',
  prefixes: ['acme'],
  config: z.strictObject({
    region: z.string().default('eu').describe('Region.'),
    token: z.string().min(4).optional().describe('Key.').meta({ 'x-plugwork': 'secret' }),
    login: z
      .strictObject({ user: z.string(), password: z.string().meta({ 'x-plugwork': 'secret' }) })
      .optional()
      .describe('Login.'),
  }),
  auth: { ...AUTHS, key: { kind: 'api_key', title: 'API key', help: 'For tests.', fields: ['token'] } },
  async connect(config, { credentials, signal }) {
    const sent = credentials === undefined ? config.token : (await credentials.current(signal)).token
    return { sent, region: config.region }
  },
  async test({ sent }) {
    if (sent?.includes('bad')) throw new Error('401 unauthorized')
    return { message: `hello ${sent?.slice(0, 6)}` }
  },
  actions: {
    hello: defineAction({
      description: 'Says hello.',
      input: z.strictObject({}),
      output: z.strictObject({ sent: z.string() }),
      effect: 'read',
      idempotency: 'natural',
      run: async ({ client }: ActionContext<{ readonly sent: string | undefined }>) => ({ sent: client.sent ?? '' }),
    }),
  },
  scaffold: ({ name }) => `  ${name}: { type: acme }`,
  example: () => ({ fileName: 'acme.flow.yaml', source: '' }),
})

export function tokenSet(rest: Partial<TokenSet> = {}): TokenSet {
  return {
    accessToken: 'access-0',
    refreshToken: 'refresh-0',
    expiresAt: null,
    tokenType: 'bearer',
    metadata: {},
    ...rest,
  }
}

export interface ServiceOptions extends Partial<ConnectionsOptions> {
  readonly store: ConnectionStore
  readonly tokens: OAuthTokens
}

export async function openService(options: ServiceOptions): Promise<Connections> {
  const keys = new KeyRing([{ id: 'k1', key: new Uint8Array(32).fill(7) }])
  const vault = await Vault.open({ store: options.store, keys: ringKeyProvider(keys) })
  return new Connections({
    vault,
    connectors: [acme],
    client: () => ({ clientId: 'plugwork', clientSecret: 'client-secret' }),
    egress: createEgress({}),
    ...options,
  })
}

/** The token protocol, bare: form in, JSON out. `beforeAnswer` runs when the provider has answered. */
export function plainTokens(
  url: string,
  clock: Pick<Clock, 'now'>,
  beforeAnswer: () => void = () => undefined,
): OAuthTokens {
  return {
    async refresh({ refreshToken, signal }) {
      const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken })
      const response = await fetch(url, { method: 'POST', body, signal })
      if (response.status >= 500) throw new Error(`the token endpoint answered ${response.status}`)
      const answer = (await response.json()) as {
        readonly error?: string
        readonly access_token: string
        readonly refresh_token: string
        readonly expires_in: number
      }
      if (answer.error !== undefined) {
        throw new PlugworkError('oauth_refused', `The provider answered ${answer.error}.`, {
          data: { error: answer.error },
        })
      }
      beforeAnswer()
      return {
        accessToken: answer.access_token,
        refreshToken: answer.refresh_token,
        expiresAt: clock.now() + answer.expires_in * 1_000,
        tokenType: 'bearer',
        metadata: {},
      }
    },
    async obtain() {
      throw new Error('nobody obtains a token here')
    },
    async revoke() {
      throw new Error('nobody revokes here')
    },
  }
}
