/** What the connectors of hosted services share: settings of a connection, and requests of an action. */
import { parseDuration, PlugworkError, type Json } from '@plugwork/core'
import {
  API_BASE_URL,
  staticCredential,
  type ActionContext,
  type ApiClient,
  type ApiRequest,
  type ApiResult,
  type ConnectContext,
  type CredentialSource,
} from '@plugwork/core/node'
import { z } from 'zod'

export type ApiContext = ActionContext<ApiClient>

const MAX_TIMEOUT_MS = 15 * 60_000

/** Setting `base_url`, with the address of the service as its default. */
export const baseUrl = (standard: string, purpose: string): z.ZodDefault<z.ZodString> =>
  z
    .string()
    .regex(API_BASE_URL, 'must be an https URL without user name, query and fragment')
    .default(standard)
    .describe(`Where the API is. ${purpose}`)

/** Setting `timeout`. */
export const timeout = z
  .union([z.number().positive(), z.string()])
  .refine((value) => {
    const ms = parseDuration(value)
    return ms !== null && ms > 0 && ms <= MAX_TIMEOUT_MS
  }, 'must be a duration of at most 15 minutes, such as 10s, or a number of seconds')
  .optional()
  .describe('Limit of a request: `10s`, or seconds. Default 30 s, at most 15 minutes.')

/** A setting that is a secret. */
export const secret = (description: string): z.ZodString =>
  z.string().min(1).meta({ 'x-plugwork': 'secret', description })

/** `timeoutMs` of a client, out of the setting. */
export const timeoutMs = (value: string | number | undefined): { readonly timeoutMs?: number } => {
  const ms = parseDuration(value)
  return ms === null ? {} : { timeoutMs: ms }
}

/**
 * The credential of a connection: that of a stored connection, or the token of its settings. Throws `<service>_config` when
 * there is neither.
 */
export function credentialOf(
  service: string,
  token: string | undefined,
  { credentials, name }: ConnectContext,
  remedy: string,
): CredentialSource {
  if (credentials !== undefined) return credentials
  if (token !== undefined) return staticCredential('token', token)
  throw new PlugworkError(`${service}_config`, `The connection "${name}" has no credential. ${remedy}`)
}

type Request = Omit<ApiRequest, 'signal'>

/** A request of an action, its reply checked against `output`. */
export function read<Output extends z.ZodType>(
  { client, cancellation, signal }: ApiContext,
  output: Output,
  request: Request,
): Promise<ApiResult<z.output<Output>>> {
  return client.read(output, { ...request, signal: cancellation ?? signal })
}

/** A request of an action whose reply says nothing but that it was done. */
export function send({ client, cancellation, signal }: ApiContext, request: Request): Promise<ApiResult<Json>> {
  return client.send({ ...request, signal: cancellation ?? signal })
}
