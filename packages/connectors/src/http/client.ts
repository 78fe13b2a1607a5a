import { parseDuration, PlugworkError } from '@plugwork/core'
import type { Cancellation, Egress, EgressRequest } from '@plugwork/core/node'
import { decodeBody, failWithStatus } from './response.ts'
import type { HttpConfig, HttpRequest, HttpResult } from './schemas.ts'

/** An open http connection: where it points, what it sends there, and the egress it goes through. */
export interface HttpClient {
  readonly base: URL | null
  /** Headers and credentials; for the origin of `base` only. */
  readonly ownHeaders: Readonly<Record<string, string>>
  readonly timeoutMs: number | undefined
  readonly failOnStatus: boolean
  readonly idempotencyHeader: string
  readonly egress: Egress
}

/** What stands in for a connection where a step has none. */
export function withoutConnection(egress: Egress): HttpClient {
  return {
    base: null,
    ownHeaders: {},
    timeoutMs: undefined,
    failOnStatus: true,
    idempotencyHeader: 'Idempotency-Key',
    egress,
  }
}

/** Opens a connection; nothing is sent. Throws `http_config` for headers or `auth` that have no origin to go to. */
export function openClient(config: HttpConfig, egress: Egress, name: string): HttpClient {
  const base = config.base_url === undefined ? null : new URL(config.base_url)
  if (base === null && (config.auth !== undefined || config.headers !== undefined)) {
    throw new PlugworkError(
      'http_config',
      `The connection "${name}" has headers or auth but no base_url. They are sent to the origin of base_url only; add it.`,
    )
  }
  if (base !== null && (base.username !== '' || base.password !== '' || base.search !== '' || base.hash !== '')) {
    throw new PlugworkError(
      'http_config',
      `The base_url of connection "${name}" has a user name, query or fragment. Use auth: { type: basic } and the query of each request.`,
    )
  }
  return {
    base,
    ownHeaders: { ...config.headers, ...authorization(config.auth) },
    timeoutMs: parseDuration(config.timeout) ?? undefined,
    failOnStatus: config.fail_on_status,
    idempotencyHeader: config.idempotency_header,
    egress: egress.restrict({
      maxResponseBytes: config.max_response_bytes,
      ...(config.allow_hosts === undefined
        ? {}
        : { onlyHosts: [...config.allow_hosts, ...(base === null ? [] : [base.host])] }),
    }),
  }
}

function authorization(auth: HttpConfig['auth']): Record<string, string> {
  switch (auth?.type) {
    case undefined:
      return {}
    case 'bearer':
      return { authorization: `Bearer ${auth.token}` }
    case 'basic':
      return { authorization: `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString('base64')}` }
    case 'api_key':
      return { [auth.header]: auth.key }
  }
}

export interface SendOptions {
  readonly method: string
  readonly signal: AbortSignal | Cancellation
  /** Given for methods that a service may recognise as repeated. */
  readonly idempotencyKey?: string
}

/** Sends one request and reads its response. Throws `http_…` and `egress_…`. */
export async function send(
  client: HttpClient,
  request: Omit<HttpRequest, 'method'>,
  options: SendOptions,
): Promise<HttpResult> {
  const url = targetUrl(client, request)
  const content = contentOf(request)
  const headers = mergeHeaders(
    { accept: 'application/json, text/*;q=0.9, */*;q=0.8' },
    content?.type === undefined ? {} : { 'content-type': content.type },
    options.idempotencyKey === undefined ? {} : { [client.idempotencyHeader]: options.idempotencyKey },
    url.origin === client.base?.origin ? client.ownHeaders : {},
    request.headers ?? {},
  )
  const timeoutMs = parseDuration(request.timeout) ?? client.timeoutMs
  const outgoing: EgressRequest = {
    method: options.method,
    url: url.href,
    headers,
    signal: options.signal,
    ...(content === null ? null : { body: content.body }),
    ...(timeoutMs === undefined ? null : { timeoutMs }),
  }
  const response = await client.egress.request(outgoing)
  if (response.status >= 400 && (request.fail_on_status ?? client.failOnStatus)) {
    throw failWithStatus(options.method, url, response)
  }
  return { status: response.status, headers: { ...response.headers }, ...decodeBody(url, response) }
}

function targetUrl(client: HttpClient, request: Omit<HttpRequest, 'method'>): URL {
  const url = request.url === undefined ? belowBase(client.base, request.path ?? '') : absolute(request.url)
  for (const [name, value] of pairs(request.query)) url.searchParams.append(name, value)
  return url
}

function absolute(text: string): URL {
  const url = URL.parse(text)
  if (url !== null) return url
  const hint = text.startsWith('/') ? " Use `path` for a path below the connection's base_url." : ''
  throw new PlugworkError('http_target', `The url is not a full URL such as https://api.example.com/path.${hint}`)
}

function belowBase(base: URL | null, path: string): URL {
  if (base === null) {
    throw new PlugworkError('http_target', '`path` needs a connection with a base_url; name one, or use `url`.')
  }
  const [before = ''] = path.split(/[?#]/, 1)
  // WHATWG URLs resolve these, encoded or not, and would leave what base_url says.
  if (before.split(/[/\\]/).some((segment) => /^(\.|%2e){1,2}$/i.test(segment))) {
    throw new PlugworkError('http_target', 'The path has a segment `.` or `..`, which could leave base_url; remove it.')
  }
  const joined = `${base.origin}${base.pathname.replace(/\/$/, '')}${path.startsWith('/') || path === '' ? '' : '/'}${path}`
  return new URL(joined)
}

/** Later ones win, whatever their spelling. */
function mergeHeaders(...sources: readonly Readonly<Record<string, string>>[]): Record<string, string> {
  const merged: Record<string, string> = {}
  for (const source of sources) for (const name in source) merged[name.toLowerCase()] = source[name]!
  return merged
}

function contentOf(
  request: Omit<HttpRequest, 'method'>,
): { readonly body: string | Uint8Array; readonly type: string | undefined } | null {
  if (request.json !== undefined) return { body: JSON.stringify(request.json), type: 'application/json' }
  if (request.form !== undefined) {
    return { body: new URLSearchParams(pairs(request.form)).toString(), type: 'application/x-www-form-urlencoded' }
  }
  if (request.body === undefined) return null
  return typeof request.body === 'string'
    ? { body: request.body, type: 'text/plain; charset=utf-8' }
    : { body: Buffer.from(request.body.base64, 'base64'), type: 'application/octet-stream' }
}

function pairs(values: HttpRequest['query']): [string, string][] {
  if (values === undefined) return []
  return Object.entries(values).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value])
      .filter((one) => one !== null)
      .map((one): [string, string] => [name, String(one)]),
  )
}
