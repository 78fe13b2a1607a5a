import {
  commonRefusal,
  createApiClient,
  firstOf,
  fixedPause,
  retryAfter,
  type ApiClient,
  type ApiReply,
  type AuthMethod,
  type ConnectContext,
  type Refusal,
} from '@plugwork/core/node'
import { z } from 'zod'
import { baseUrl, credentialOf, secret, timeout, timeoutMs } from '../api-action.ts'

/** Ways to authenticate with Airtable. */
export const auth = {
  token: {
    kind: 'bearer',
    title: 'Personal access token',
    help: 'Create one at airtable.com/create/tokens with the scopes `data.records:read`, `data.records:write` and `schema.bases:read`, and give it access to the bases.',
    fields: ['token'],
  },
  oauth: {
    // airtable.com/developers/web/api/oauth-reference: PKCE is required, refresh tokens rotate and live 60 days.
    kind: 'oauth2',
    title: 'Sign in with Airtable',
    help: 'Register an integration at airtable.com/create/oauth; its redirect URL is the one of this installation.',
    grant: 'authorization_code',
    authorizationUrl: 'https://airtable.com/oauth2/v1/authorize',
    tokenUrl: 'https://airtable.com/oauth2/v1/token',
    pkce: true,
    clientAuth: 'basic',
    defaultScopes: ['data.records:read', 'data.records:write', 'schema.bases:read'],
    keepAlive: '30d',
  },
} as const satisfies Record<string, AuthMethod>

export const config = z.strictObject({
  base_url: baseUrl('https://api.airtable.com/v0', 'Another one only for a proxy or for tests.'),
  token: secret('Personal access token (`pat…`).').optional(),
  timeout,
})

/** Opens a connection; nothing is sent. */
export function openAirtable(settings: z.output<typeof config>, context: ConnectContext): ApiClient {
  return createApiClient({
    service: 'airtable',
    title: 'Airtable',
    baseUrl: settings.base_url,
    egress: context.egress,
    auth,
    credentials: credentialOf(
      'airtable',
      settings.token,
      context,
      'Set `token`, or store the connection (`plugwork connection add airtable`) to sign in.',
    ),
    refusal,
    // "wait 30 seconds before subsequent requests will succeed": airtable.com/developers/web/api/rate-limits
    rateLimit: firstOf(retryAfter, fixedPause(30_000)),
    ...timeoutMs(settings.timeout),
  })
}

const severalErrors = z.object({
  errors: z.array(z.object({ error: z.string(), message: z.string().optional() })).min(1),
})

/** `{ error: { type, message } }`, `{ error: 'NOT_FOUND' }` or `{ errors: [...] }`: airtable.com/developers/web/api/errors */
function refusal(reply: ApiReply): Refusal | null {
  const common = commonRefusal(reply)
  if (common === null) return null
  const several = severalErrors.safeParse(reply.body)
  if (several.success) {
    const [first] = several.data.errors
    return { code: first!.error, message: several.data.errors.map(({ error, message }) => message ?? error).join('; ') }
  }
  const { message } = common
  return common.code === undefined && message !== undefined && /^[A-Z_]+$/.test(message) ? { code: message } : common
}
