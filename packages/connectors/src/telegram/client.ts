import {
  createApiClient,
  firstOf,
  path,
  pauseInBody,
  retryAfter,
  type ApiClient,
  type ApiContent,
  type ApiErrorKind,
  type ApiReply,
  type AuthMethod,
  type ConnectContext,
  type Refusal,
} from '@plugwork/core/node'
import { z } from 'zod'
import { baseUrl, credentialOf, read, secret, timeout, timeoutMs, type ApiContext } from '../api-action.ts'

/** Ways to authenticate with Telegram. The token goes into the path of each request, which `client.ts` does. */
export const auth = {
  token: {
    kind: 'custom',
    title: 'Bot token',
    help: 'Talk to @BotFather on Telegram, create a bot with `/newbot`, and copy its token (`110201543:AAH…`).',
    fields: ['token'],
  },
} as const satisfies Record<string, AuthMethod>

export const config = z.strictObject({
  base_url: baseUrl('https://api.telegram.org', 'Another one for a Bot API server of your own.'),
  token: secret('Token of the bot, from @BotFather.')
    .regex(/^\d{1,20}:[\w-]{20,100}$/, 'must be a bot token, such as 110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw')
    .optional(),
  timeout,
})

/** Opens a connection; nothing is sent. The client takes the token out of every error. */
export function openTelegram(settings: z.output<typeof config>, context: ConnectContext): ApiClient {
  return createApiClient({
    service: 'telegram',
    title: 'Telegram',
    baseUrl: settings.base_url,
    egress: context.egress,
    credentials: credentialOf('telegram', settings.token, context, 'Set `token` to the one that @BotFather gave.'),
    // core.telegram.org/bots/api#making-requests
    pathCredential: 'bot{token}',
    refusal,
    rateLimit: firstOf(pauseInBody('parameters', 'retry_after'), retryAfter),
    ...timeoutMs(settings.timeout),
  })
}

const refused = z.object({
  ok: z.literal(false),
  error_code: z.int(),
  description: z.string(),
  parameters: z.object({ migrate_to_chat_id: z.union([z.int(), z.string()]).optional() }).optional(),
})

/** `ok`, `error_code`, `description`, `parameters`: core.telegram.org/bots/api#making-requests */
function refusal({ status, body }: ApiReply): Refusal | null {
  const parsed = refused.safeParse(body)
  if (!parsed.success) return status < 400 ? null : {}
  const { error_code: code, description, parameters } = parsed.data
  const moved = parameters?.migrate_to_chat_id
  return {
    code: String(code),
    message: description,
    ...kindOf(description),
    ...(moved === undefined ? {} : { details: { migrate_to_chat_id: moved } }),
  }
}

/** Telegram says 400 also of what is not there, and 404 of a token that does not have the form of one. */
function kindOf(description: string): { readonly kind?: ApiErrorKind } {
  if (description === 'Not Found') return { kind: 'unauthorized' }
  return /^Bad Request: .*not found$/.test(description) ? { kind: 'not_found' } : {}
}

/** Calls a method; its result. */
export async function call<Result extends z.ZodType>(
  context: ApiContext,
  method: string,
  result: Result,
  content: ApiContent & { readonly timeoutMs?: number },
): Promise<z.output<Result>> {
  const answer = z.object({ ok: z.literal(true), result })
  const { data } = await read(context, answer, { method: 'POST', path: path`/${method}`, ...content })
  // The schema of the answer has exactly this member; inference through the type parameter loses it.
  return (data as { readonly result: z.output<Result> }).result
}
