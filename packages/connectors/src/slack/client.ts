import {
  createApiClient,
  path,
  type ApiClient,
  type ApiErrorKind,
  type ApiReply,
  type ConnectContext,
  type Refusal,
} from '@plugwork/core/node'
import { z } from 'zod'
import { baseUrl, credentialOf, read, secret, timeout, timeoutMs, type ApiContext } from '../api-action.ts'
import { auth } from './auth.ts'

export const config = z.strictObject({
  base_url: baseUrl('https://slack.com/api', 'GovSlack: `https://slack-gov.com/api`.'),
  token: secret('Token of a bot (`xoxb-…`) or of a user (`xoxp-…`).').optional(),
  timeout,
})

/** Opens a connection; nothing is sent. */
export function openSlack(settings: z.output<typeof config>, context: ConnectContext): ApiClient {
  return createApiClient({
    service: 'slack',
    title: 'Slack',
    baseUrl: settings.base_url,
    egress: context.egress,
    auth,
    credentials: credentialOf(
      'slack',
      settings.token,
      context,
      'Set `token`, or store the connection (`plugwork connection add slack`) to install the app.',
    ),
    refusal,
    ...timeoutMs(settings.timeout),
  })
}

type Arguments = Readonly<Record<string, string | number | boolean | undefined>>

/** Methods that read take their arguments in the query; Slack does not accept JSON for all of them. */
export async function get<Output extends z.ZodType>(
  context: ApiContext,
  method: string,
  output: Output,
  query: Arguments,
): Promise<z.output<Output>> {
  return (await read(context, output, { path: path`/${method}`, query })).data
}

/** Methods that write take JSON, which keeps blocks and views as they are. */
export async function post<Output extends z.ZodType>(
  context: ApiContext,
  method: string,
  output: Output,
  json: Readonly<Record<string, unknown>>,
): Promise<z.output<Output>> {
  return (await read(context, output, { method: 'POST', path: path`/${method}`, json })).data
}

const said = z.looseObject({
  error: z.string(),
  needed: z.string().optional(),
  provided: z.string().optional(),
  errors: z.array(z.string()).optional(),
  response_metadata: z.looseObject({ messages: z.array(z.string()).optional() }).optional(),
})

/** Errors that mean the same for every method: docs.slack.dev/reference/methods/chat.postMessage#errors */
const KINDS: Readonly<Record<string, ApiErrorKind>> = {
  invalid_auth: 'unauthorized',
  not_authed: 'unauthorized',
  account_inactive: 'unauthorized',
  token_expired: 'unauthorized',
  token_revoked: 'unauthorized',
  ratelimited: 'rate_limited',
  rate_limited: 'rate_limited',
  internal_error: 'unavailable',
  fatal_error: 'unavailable',
  service_unavailable: 'unavailable',
  request_timeout: 'unavailable',
}

/** Slack answers 200 with `ok: false`: docs.slack.dev/apis/web-api/#responses */
function refusal({ status, body }: ApiReply): Refusal | null {
  const parsed = said.safeParse(body)
  const refused = typeof body === 'object' && body !== null && !Array.isArray(body) && body['ok'] === false
  if (status < 400 && !refused) return null
  if (!parsed.success) return {}
  const { error, needed, provided, errors, response_metadata: metadata } = parsed.data
  const kind = KINDS[error]
  const more = [...(errors ?? []), ...(metadata?.messages ?? [])]
  const scopes = needed === undefined ? '' : ` (needed: ${needed}; the token has: ${provided ?? 'none'})`
  return {
    code: error,
    message: `${error}${scopes}${more.length === 0 ? '' : `: ${more.join('; ')}`}`,
    ...(kind === undefined ? nameOf(error, status) : { kind }),
    ...(needed === undefined ? {} : { details: { needed, provided: provided ?? '' } }),
  }
}

function nameOf(error: string, status: number): { readonly name?: string; readonly kind?: ApiErrorKind } {
  return status >= 400 || !/^[a-z][a-z0-9_]{1,60}$/.test(error) ? {} : { name: error, kind: 'failed' }
}
