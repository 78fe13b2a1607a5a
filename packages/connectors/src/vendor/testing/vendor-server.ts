/**
 * What the local servers of the hosted services' tests have in common: a real HTTP server with routes, an answer that a test
 * puts in front of the next requests (an error, a limit), and a record of what came.
 */
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Json, JsonObject } from '@plugwork/core'

export interface VendorRequest {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
  /** The body as JSON object; form fields too. Empty where it is neither. */
  readonly json: JsonObject
  /** Values of the route's `:name` parts, decoded; `*name` takes the rest of the path. */
  readonly params: Readonly<Record<string, string>>
}

export interface VendorReply {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** Left out: no body. */
  readonly body?: Json
}

export type Route = (request: VendorRequest) => VendorReply

export interface VendorServer {
  readonly origin: string
  readonly seen: readonly VendorRequest[]
  /** Answers the next request with this, before any route is asked. */
  next(reply: VendorReply): void
  close(): Promise<void>
}

export interface VendorOptions {
  /** `GET /repos/:owner/:repo/contents/*path` → what it answers. */
  readonly routes: Readonly<Record<string, Route>>
  /** Asked before a route: credentials, headers. */
  readonly guard?: (request: VendorRequest) => VendorReply | null
  readonly missing: VendorReply
  /** Told of every exchange. */
  readonly observe?: (request: VendorRequest, reply: VendorReply) => void
}

/** Starts the server on a free port of this machine. */
export async function startVendor({ routes, guard, missing, observe }: VendorOptions): Promise<VendorServer> {
  const seen: VendorRequest[] = []
  const prepared: VendorReply[] = []
  const table = Object.entries(routes).map(([route, handle]) => {
    const [method, pattern] = route.split(' ') as [string, string]
    const source = pattern
      .replaceAll(/[.]/g, '\\.')
      .replaceAll(/:(\w+)/g, '(?<$1>[^/]+)')
      .replaceAll(/\*(\w+)/g, '(?<$1>.*)')
    return { method, pattern: new RegExp(`^${source}$`), handle }
  })

  function answer(request: VendorRequest): VendorReply {
    const first = prepared.shift()
    if (first !== undefined) return first
    const refused = guard?.(request) ?? null
    if (refused !== null) return refused
    for (const { method, pattern, handle } of table) {
      const match = method === request.method ? pattern.exec(request.path) : null
      if (match === null) continue
      const params = Object.fromEntries(
        Object.entries(match.groups ?? {}).map(([name, value]) => [name, decodeURIComponent(value)]),
      )
      return handle({ ...request, params })
    }
    return missing
  }

  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => {
      const url = new URL(incoming.url!, 'http://vendor')
      const body = Buffer.concat(chunks)
      const request: VendorRequest = {
        method: incoming.method!,
        path: url.pathname,
        query: url.searchParams,
        headers: incoming.headers,
        body,
        json: fieldsOf(incoming.headers['content-type'] ?? '', body),
        params: {},
      }
      seen.push(request)
      const reply = answer(request)
      observe?.(request, reply)
      response.writeHead(reply.status ?? 200, {
        ...(reply.body === undefined ? {} : { 'content-type': 'application/json; charset=utf-8' }),
        ...reply.headers,
      })
      response.end(reply.body === undefined ? '' : JSON.stringify(reply.body))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    next: (reply) => void prepared.push(reply),
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function fieldsOf(type: string, body: Buffer): JsonObject {
  if (body.length === 0) return {}
  if (type.startsWith('application/json')) {
    const parsed = JSON.parse(body.toString()) as Json
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? parsed : {}
  }
  if (type.startsWith('application/x-www-form-urlencoded')) {
    return Object.fromEntries(new URLSearchParams(body.toString()))
  }
  return {}
}
