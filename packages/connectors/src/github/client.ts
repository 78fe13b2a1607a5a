import {
  commonRefusal,
  createApiClient,
  githubLimit,
  type ApiClient,
  type ApiReply,
  type ConnectContext,
  type Refusal,
} from '@plugwork/core/node'
import { z } from 'zod'
import { baseUrl, credentialOf, secret, timeout, timeoutMs } from '../api-action.ts'
import { auth } from './auth.ts'

export const config = z.strictObject({
  base_url: baseUrl('https://api.github.com', 'GitHub Enterprise Server: `https://HOST/api/v3`.'),
  token: secret('Personal access token, classic or fine-grained.').optional(),
  app_id: z
    .string()
    .regex(/^[\w.]+$/)
    .optional()
    .describe('Id or client id of a GitHub App.'),
  installation_id: z
    .string()
    .regex(/^\d+$/)
    .optional()
    .describe('Installation of the GitHub App: the number in the address of its settings.'),
  private_key: secret('Private key of the GitHub App, PEM.').optional(),
  timeout,
})

/** Opens a connection; nothing is sent. */
export function openGithub(settings: z.output<typeof config>, context: ConnectContext): ApiClient {
  return createApiClient({
    service: 'github',
    title: 'GitHub',
    baseUrl: settings.base_url,
    egress: context.egress,
    auth,
    credentials: credentialOf(
      'github',
      settings.token,
      context,
      'Set `token`, or store the connection (`plugwork connection add github`) to sign in or to use a GitHub App.',
    ),
    // docs.github.com/en/rest/about-the-rest-api/api-versions
    headers: { accept: 'application/vnd.github+json', 'x-github-api-version': '2022-11-28', 'user-agent': 'plugwork' },
    refusal,
    rateLimit: githubLimit,
    ...timeoutMs(settings.timeout),
  })
}

/** GitHub says which fields are wrong: docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#validation-failed */
function refusal(reply: ApiReply): Refusal | null {
  const common = commonRefusal(reply)
  if (common === null) return null
  const parsed = problems.safeParse(reply.body)
  const wrong = parsed.success ? parsed.data.errors : []
  if (wrong.length === 0) return common
  const said = wrong.map((one) =>
    typeof one === 'string'
      ? one
      : (one.message ?? [one.resource, one.field, one.code].filter((part) => part !== undefined).join(' ')),
  )
  const first = wrong.find((one) => typeof one !== 'string')
  return {
    ...common,
    message: `${common.message ?? 'Validation Failed'}: ${said.join('; ')}`,
    ...(first === undefined ? {} : { code: first.code }),
    details: { errors: wrong },
  }
}

const problems = z.object({
  errors: z.array(
    z.union([
      z.string(),
      z.object({
        resource: z.string().optional(),
        field: z.string().optional(),
        code: z.string(),
        message: z.string().optional(),
      }),
    ]),
  ),
})
