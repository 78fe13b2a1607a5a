/** The AWS client's requests through the guarded egress: what the client calls a request handler. */
import { Readable } from 'node:stream'
import type { Egress } from '@plugwork/core/node'

/** As much of the client's request as matters here. */
interface ClientRequest {
  readonly method: string
  readonly protocol: string
  readonly hostname: string
  readonly port?: number
  readonly path: string
  readonly query?: Readonly<Record<string, string | readonly string[] | null>>
  readonly headers: Readonly<Record<string, string>>
  readonly body?: unknown
}

interface ClientResponse {
  readonly statusCode: number
  readonly headers: Record<string, string>
  readonly body: Readable
}

/** What the dialer sets itself, from the URL and the body. */
const OWN_HEADERS: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'connection',
  'expect',
  'transfer-encoding',
])

/** Sends what the AWS client signed. Redirects go back to it: their target needs another signature. */
export class EgressHandler {
  readonly metadata = { handlerProtocol: 'http/1.1' }
  readonly #egress: Egress
  readonly #timeoutMs: number

  constructor(egress: Egress, timeoutMs: number) {
    this.#egress = egress
    this.#timeoutMs = timeoutMs
  }

  async handle(
    request: ClientRequest,
    options: { readonly abortSignal?: unknown } = {},
  ): Promise<{ response: ClientResponse }> {
    const { abortSignal } = options
    const body = await bytesOf(request.body)
    const {
      status,
      headers,
      body: answer,
    } = await this.#egress.request({
      method: request.method,
      url: urlOf(request),
      headers: Object.fromEntries(
        Object.entries(request.headers).filter(([name]) => !OWN_HEADERS.has(name.toLowerCase())),
      ),
      redirect: 'manual',
      timeoutMs: this.#timeoutMs,
      ...(body === null ? {} : { body }),
      ...(abortSignal instanceof AbortSignal ? { signal: abortSignal } : {}),
    })
    return {
      response: { statusCode: status, headers: { ...headers }, body: Readable.from([answer], { objectMode: false }) },
    }
  }

  updateHttpClientConfig(): void {
    // The settings are the connection's, and do not change.
  }

  httpHandlerConfigs(): Record<string, never> {
    return {}
  }

  destroy(): void {
    // The connections belong to the egress.
  }
}

/** As the client signed it: RFC 3986 encoding, names in order of their code points. */
function urlOf({ protocol, hostname, port, path, query = {} }: ClientRequest): string {
  const pairs = Object.keys(query)
    .toSorted()
    .flatMap((name) => {
      const value = query[name] ?? null
      const values = Array.isArray(value) ? (value as readonly string[]) : [value as string | null]
      return values.map((one) => (one === null ? encode(name) : `${encode(name)}=${encode(one)}`))
    })
  const search = pairs.length === 0 ? '' : `?${pairs.join('&')}`
  return `${protocol}//${hostname}${port === undefined ? '' : `:${port}`}${path}${search}`
}

const encode = (text: string): string =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)

async function bytesOf(body: unknown): Promise<string | Uint8Array | null> {
  if (body === undefined || body === null) return null
  if (typeof body === 'string' || body instanceof Uint8Array) return body
  if (body instanceof ArrayBuffer) return new Uint8Array(body)
  const chunks: Uint8Array[] = []
  // The client gives streams where it adds checksums behind the body.
  for await (const chunk of body as AsyncIterable<Uint8Array | string>) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}
