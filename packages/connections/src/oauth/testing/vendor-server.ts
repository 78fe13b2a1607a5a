/** A local server that answers as a vendor's documentation says, and provider data that is pointed at it. */
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { JwtAuth, OAuth2Auth } from '@plugwork/core/node'

export interface SeenRequest {
  readonly method: string
  /** Host and path of the vendor's URL: `slack.com/api/oauth.v2.access`. */
  readonly place: string
  readonly query: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** The body as form or JSON. */
  readonly parameters: Readonly<Record<string, unknown>>
}

export interface VendorAnswer {
  readonly status?: number
  readonly type?: string
  readonly headers?: Readonly<Record<string, string>>
  /** An object is sent as JSON. */
  readonly body: unknown
}

export interface VendorServer {
  readonly origin: string
  readonly seen: SeenRequest[]
  /** The next answers, in order; a request beyond them gets 599. */
  answer(...answers: readonly VendorAnswer[]): void
  close(): Promise<void>
}

export async function startVendorServer(): Promise<VendorServer> {
  const seen: SeenRequest[] = []
  let queue: VendorAnswer[] = []
  const server = createServer((request, response) => {
    void read(request).then((one) => {
      seen.push(one)
      const { status = 200, body, headers, type } = queue.shift() ?? { status: 599, body: 'not expected' }
      const text = typeof body === 'string' ? body : JSON.stringify(body)
      response.writeHead(status, { 'content-type': type ?? 'application/json', ...headers }).end(text)
    })
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    answer(...answers) {
      seen.length = 0
      queue = [...answers]
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

async function read(request: IncomingMessage): Promise<SeenRequest> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const body = Buffer.concat(chunks).toString()
  const url = new URL(request.url!, 'http://vendor')
  const json = request.headers['content-type']?.startsWith('application/json') === true
  return {
    method: request.method!,
    place: url.pathname.slice(1),
    query: Object.fromEntries(url.searchParams),
    headers: Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)])),
    body,
    parameters: json ? (JSON.parse(body) as Record<string, unknown>) : Object.fromEntries(new URLSearchParams(body)),
  }
}

/** The same provider with each `https://HOST/PATH` at `ORIGIN/HOST/PATH`; nothing else changes. */
export function at<Auth extends OAuth2Auth | JwtAuth>(origin: string, auth: Auth): Auth {
  const { issuer, assertion, ...moved } = auth as OAuth2Auth
  const text = JSON.stringify(moved).replaceAll('https://', `${origin}/`)
  // The same shape came out that went in.
  return { ...(JSON.parse(text) as Auth), ...(issuer && { issuer }), ...(assertion && { assertion }) }
}
