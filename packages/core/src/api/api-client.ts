import type { z } from 'zod'
import { PlugworkError } from '../error.ts'
import type { AuthMethod } from '../connector/auth.ts'
import type { Credential, CredentialSource } from '../connector/credential.ts'
import type { Cancellation, Egress, EgressResponse } from '../egress/egress.ts'
import type { Json } from '../json.ts'
import { apiError, commonRefusal, type Refusal } from './api-error.ts'
import { readBody, writeBody, type ApiContent } from './api-body.ts'
import type { ApiPath } from './api-path.ts'
import { authorize, withoutToken } from './authorize.ts'
import { nextLink } from './pages.ts'
import { retryAfter, type ApiReply, type RateLimit } from './rate-limit.ts'

export interface ApiClientOptions {
  /** Name of the connector: the prefix of error codes. */
  readonly service: string
  /** Name of the service, for messages. */
  readonly title: string
  /** `https://api.example.com/v1`. */
  readonly baseUrl: string
  readonly egress: Egress
  /** The connector's auth methods: each credential goes where its method's `send` says. */
  readonly auth?: Readonly<Record<string, AuthMethod>>
  /** Null: requests carry none. */
  readonly credentials: CredentialSource | null
  /** A first path segment with the credential (Telegram's `bot{token}`), instead of header and query. */
  readonly pathCredential?: string
  /** Sent with every request to the origin of `baseUrl`. */
  readonly headers?: Readonly<Record<string, string>>
  readonly timeoutMs?: number
  /** Reads an error out of a reply; null when it is none. Default: status 400 or more, and where services usually say why. */
  readonly refusal?: (reply: ApiReply) => Refusal | null
  /** Default: `Retry-After`. */
  readonly rateLimit?: RateLimit
}

export type QueryValue = string | number | boolean | null | undefined | readonly (string | number)[]

export interface ApiRequest extends ApiContent {
  /** Default `GET`. */
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: ApiPath
  /** Null and undefined are left out; lists repeat the name. */
  readonly query?: Readonly<Record<string, QueryValue>>
  /** A query that came from the service, such as that of a `next` link: its names win. */
  readonly cursor?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly timeoutMs?: number
  readonly signal: AbortSignal | Cancellation
}

export interface ApiResult<Data> {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly data: Data
  /** Query of the `Link` header's `next`, as `ApiRequest.cursor` takes it; null on the last page. */
  readonly next: string | null
}

export interface ApiClient {
  /**
   * Sends a request and checks the reply against what the service documents. Throws `<service>_…` for refusals, `api_reply` for
   * other surprises, `egress_…` for the network. Nothing is sent twice but after a refreshed credential.
   */
  read<Output extends z.ZodType>(output: Output, request: ApiRequest): Promise<ApiResult<z.output<Output>>>
  /** The same for replies whose body says nothing. */
  send(request: ApiRequest): Promise<ApiResult<Json>>
  /** Bytes to an address that the service named (an upload URL): without credential and headers of the connection. */
  upload(url: string, content: ApiContent, signal: AbortSignal | Cancellation): Promise<void>
}

/** Pattern of a base URL: https, or http on this machine; no user name, query or fragment. */
export const API_BASE_URL =
  /^(https:\/\/[a-z0-9.-]+(:\d{1,5})?|http:\/\/(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?)(\/[\w.~-]+)*\/?$/i

const MAX_HOPS = 3
/** Of these only GET and HEAD may be sent again without asking; a redirect of others must keep the method (RFC 9110, 15.4). */
const KEEPS_METHOD: ReadonlySet<number> = new Set([307, 308])

/** Opens a client; nothing is sent. Throws `api_target` for a base URL that does not fit `API_BASE_URL`. */
export function createApiClient(options: ApiClientOptions): ApiClient {
  if (!API_BASE_URL.test(options.baseUrl)) {
    throw new PlugworkError(
      'api_target',
      `The base URL of ${options.title} must be like https://api.example.com/v1, without user name, query and fragment.`,
    )
  }
  const base = new URL(options.baseUrl)
  const root = base.origin + base.pathname.replace(/\/$/, '')
  const refusalOf = options.refusal ?? commonRefusal

  async function exchange(
    request: ApiRequest,
  ): Promise<{ readonly response: EgressResponse; readonly reply: ApiReply }> {
    // Credential and body are prepared before the egress hears of the signal.
    if (request.signal.aborted) throw aborted(options, request)
    const signal = 'onAbort' in request.signal ? request.signal.signal : request.signal
    let credential = (await options.credentials?.current(signal)) ?? null
    for (let attempt = 1; ; attempt += 1) {
      const response = await once(request, credential)
      const reply = { status: response.status, headers: response.headers, body: readBody(response, whereOf(request)) }
      const refusal = refusalOf(reply)
      if (refusal === null) return { response, reply }
      const refused = refusal.kind === 'unauthorized' || (refusal.kind === undefined && reply.status === 401)
      if (refused && attempt === 1 && credential !== null && options.credentials !== null) {
        const next = await options.credentials.rejected(credential, signal)
        if (next !== null) {
          credential = next
          continue
        }
      }
      throw failure(request, credential, reply, refusal)
    }
  }

  async function once(request: ApiRequest, credential: Credential | null): Promise<EgressResponse> {
    const method = request.method ?? 'GET'
    const content = await writeBody(request)
    const headers: Record<string, string> = { accept: 'application/json' }
    for (const given of [options.headers, content === null ? {} : { 'content-type': content.type }, request.headers]) {
      for (const name in given) headers[name.toLowerCase()] = given[name]!
    }
    let url = target(request, credential)
    if (credential !== null && options.pathCredential === undefined) {
      authorize(credential, options.auth ?? {}, { url, headers })
    }
    for (let hop = 0; ; hop += 1) {
      const response = await scrubbed(credential, () =>
        options.egress.request({
          method,
          url: url.href,
          headers,
          signal: request.signal,
          redirect: method === 'GET' ? 'follow' : 'manual',
          ...(content === null ? {} : { body: content.body }),
          ...timeoutOf(request.timeoutMs ?? options.timeoutMs),
        }),
      )
      if (method === 'GET' || response.status < 300 || response.status >= 400) return response
      const location = URL.parse(response.headers['location'] ?? '', url)
      const follows = location?.origin === base.origin && KEEPS_METHOD.has(response.status) && hop < MAX_HOPS
      if (!follows) {
        const message = 'the thing has moved; use its new name or address'
        const reply = { status: response.status, headers: response.headers, body: null }
        throw failure(request, credential, reply, { kind: 'redirected', message })
      }
      url = location
    }
  }

  function target(request: ApiRequest, credential: Credential | null): URL {
    const prefix =
      options.pathCredential === undefined || credential === null
        ? ''
        : `/${options.pathCredential.replaceAll('{token}', () => credential.token)}`
    const url = new URL(`${root}${prefix}${request.path.encoded}`)
    for (const [name, value] of Object.entries(request.query ?? {})) {
      if (value === null || value === undefined) continue
      for (const one of Array.isArray(value) ? (value as readonly unknown[]) : [value])
        url.searchParams.append(name, String(one))
    }
    if (request.cursor !== undefined) {
      const pairs = [...new URLSearchParams(request.cursor)]
      for (const [name] of pairs) url.searchParams.delete(name)
      for (const [name, value] of pairs) url.searchParams.append(name, value)
    }
    return url
  }

  /** Method and address as messages say them. */
  const whereOf = (request: ApiRequest): string =>
    `${request.method ?? 'GET'} ${root}${options.pathCredential === undefined ? '' : `/${options.pathCredential.replaceAll('{token}', '***')}`}${request.path.encoded}`

  function failure(
    request: ApiRequest,
    credential: Credential | null,
    reply: ApiReply,
    refusal: Refusal,
  ): PlugworkError {
    const { service, title, rateLimit = retryAfter } = options
    const error = apiError(reply, refusal, { service, title, where: whereOf(request), rateLimit, now: Date.now() })
    return withoutSecret(error, credential)
  }

  return {
    async read(output, request) {
      const { response, reply } = await exchange(request)
      const parsed = output.safeParse(reply.body)
      if (!parsed.success) {
        const [issue] = parsed.error.issues
        const place = issue?.path.join('.') ?? ''
        throw new PlugworkError(
          'api_reply',
          `${whereOf(request)} answered something else than ${options.title} documents${place === '' ? '' : `, at ${place}`}: ${issue?.message ?? ''}. Please report it with the version of Plugwork.`,
          { data: { status: reply.status, path: place } },
        )
      }
      return {
        status: reply.status,
        headers: reply.headers,
        data: parsed.data,
        next: nextLink(response.headers['link']),
      }
    },
    async send(request) {
      const { response, reply } = await exchange(request)
      return {
        status: reply.status,
        headers: reply.headers,
        data: reply.body,
        next: nextLink(response.headers['link']),
      }
    },
    async upload(url, content, signal) {
      const address = URL.parse(url)
      // A local server in tests speaks http; whatever has an https base gets no plain upload.
      if (address === null || (address.protocol !== 'https:' && base.protocol === 'https:')) {
        throw new PlugworkError('api_target', `${options.title} named an upload address that is no https URL.`)
      }
      const written = await writeBody(content)
      const response = await options.egress.request({
        method: 'POST',
        url: address.href,
        signal,
        redirect: 'manual',
        ...(written === null ? {} : { body: written.body, headers: { 'content-type': written.type } }),
        ...timeoutOf(options.timeoutMs),
      })
      if (response.status >= 300) {
        const { service, title } = options
        const where = `the upload to ${address.origin}`
        const reply = { status: response.status, headers: response.headers, body: null }
        throw apiError(reply, {}, { service, title, where, rateLimit: retryAfter, now: Date.now() })
      }
    },
  }
}

const timeoutOf = (timeoutMs: number | undefined): { timeoutMs?: number } =>
  timeoutMs === undefined ? {} : { timeoutMs }

function aborted(options: ApiClientOptions, { signal }: ApiRequest): PlugworkError {
  return new PlugworkError('egress_aborted', `The request to ${options.title} was aborted.`, { cause: signal.reason })
}

/** Errors of the egress name the address; a credential in its path is taken out. */
async function scrubbed<Result>(credential: Credential | null, body: () => Promise<Result>): Promise<Result> {
  try {
    return await body()
  } catch (error) {
    throw error instanceof PlugworkError ? withoutSecret(error, credential) : error
  }
}

function withoutSecret(error: PlugworkError, credential: Credential | null): PlugworkError {
  const message = withoutToken(error.message, credential)
  const data = error.data === undefined ? undefined : JSON.stringify(error.data)
  const clean = data === undefined ? undefined : withoutToken(data, credential)
  if (message === error.message && clean === data) return error
  // Without its cause, which may name the address too.
  return new PlugworkError(error.code, message, {
    retryable: error.retryable,
    ...(clean === undefined ? {} : { data: JSON.parse(clean) as Json }),
  })
}
