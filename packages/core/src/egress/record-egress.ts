import { mkdir, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { PlugworkError } from '../error.ts'
import type { Egress, EgressRequest, EgressResponse } from './egress.ts'
import {
  RECORDING_FORMAT,
  Scrubber,
  type RecordedExchange,
  type RecordedRequest,
  type RecordedResponse,
  type Recording,
  type Redact,
} from './recording.ts'

export interface RecordOptions {
  /** Takes known secrets out of what is kept, beside what is taken out by its name and its looks. */
  readonly redact?: Redact
}

export interface RecordingEgress extends Egress {
  /** Writes the file; `close` does too. Answers how many exchanges it holds. */
  save(): Promise<number>
}

interface Tape {
  readonly scrubber: Scrubber
  /** In the order in which requests began. */
  readonly exchanges: { request: RecordedRequest; response?: RecordedResponse; error?: RecordedExchange['error'] }[]
}

/** Passes everything on, and keeps it for `replayEgress`, without secrets. Sockets of other protocols are not kept. */
export function recordEgress(egress: Egress, file: string, { redact }: RecordOptions = {}): RecordingEgress {
  const tape: Tape = { scrubber: new Scrubber(redact), exchanges: [] }
  const save = async (): Promise<number> => {
    const exchanges = tape.exchanges.filter(({ response, error }) => response !== undefined || error !== undefined)
    const recording: Recording = { format: RECORDING_FORMAT, exchanges }
    await mkdir(dirname(file), { recursive: true })
    await writeFile(`${file}.new`, `${JSON.stringify(recording, null, 2)}\n`)
    await rename(`${file}.new`, file)
    return exchanges.length
  }
  return {
    ...recorded(egress, tape),
    save,
    async close() {
      await egress.close()
      await save()
    },
  }
}

function recorded(egress: Egress, tape: Tape): Egress {
  const { scrubber, exchanges } = tape
  const begin = (
    method: string,
    url: string,
    headers: Iterable<readonly [string, string]>,
    body: Uint8Array | string | null | undefined,
  ): Tape['exchanges'][number] => {
    const given = new Map([...headers].map(([name, value]) => [name.toLowerCase(), value]))
    const content = scrubber.body(body, given.get('content-type') ?? '')
    const exchange = {
      request: {
        method: method.toUpperCase(),
        url: scrubber.url(url),
        headers: scrubber.requestHeaders(given),
        ...(content === undefined ? {} : { body: content }),
      },
    }
    exchanges.push(exchange)
    return exchange
  }
  const end = (exchange: Tape['exchanges'][number], response: EgressResponse): void => {
    const body = scrubber.body(response.body, response.headers['content-type'] ?? '')
    const url = scrubber.url(response.url)
    exchange.response = {
      status: response.status,
      headers: scrubber.responseHeaders(Object.entries(response.headers)),
      ...(body === undefined ? {} : { body }),
      ...(url === exchange.request.url ? {} : { url }),
    }
  }
  const fail = (exchange: Tape['exchanges'][number], error: unknown): void => {
    // What the caller gave up says nothing about the service.
    if (!(error instanceof PlugworkError) || error.code === 'egress_aborted' || error.code === 'egress_closed') return
    exchange.error = { code: error.code, message: scrubber.text(error.message) }
  }
  return {
    async request(request: EgressRequest) {
      const exchange = begin(request.method, request.url, Object.entries(request.headers ?? {}), request.body)
      try {
        const response = await egress.request(request)
        end(exchange, response)
        return response
      } catch (error) {
        fail(exchange, error)
        throw error
      }
    },
    fetch: async (input, init) => {
      const request = new Request(input, init)
      const sent = request.body === null ? null : new Uint8Array(await request.clone().arrayBuffer())
      const exchange = begin(request.method, request.url, request.headers, sent)
      try {
        const response = await egress.fetch(request)
        const body = new Uint8Array(await response.clone().arrayBuffer())
        const { status, url } = response
        end(exchange, {
          status,
          headers: Object.fromEntries(response.headers),
          body,
          url: url === '' ? request.url : url,
        })
        return response
      } catch (error) {
        fail(exchange, error)
        throw error
      }
    },
    connect: (request) => egress.connect(request),
    restrict: (policy) => recorded(egress.restrict(policy), tape),
    close: () => egress.close(),
  }
}
