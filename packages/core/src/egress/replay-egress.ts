import { readFileSync } from 'node:fs'
import type { Egress, EgressResponse } from './egress.ts'
import { egressError, ERRORS, printableUrl, type EgressErrorCode } from './errors.ts'
import {
  bodyBytes,
  RECORDING_FORMAT,
  Scrubber,
  type RecordedExchange,
  type RecordedRequest,
  type Recording,
  type Redact,
} from './recording.ts'

export interface ReplayOptions {
  /** The same rule as when it was recorded, for the secrets of now. */
  readonly redact?: Redact
}

export interface ReplayEgress extends Egress {
  /** Recorded requests that nobody has made, as `POST https://…`. */
  unused(): readonly string[]
}

const NO_BODY: ReadonlySet<number> = new Set([101, 204, 205, 304])

/**
 * Answers from a recording, and from nothing else. Requests are found by method, address and body; the same request made
 * again gets the next answer that was recorded for it. Throws `egress_recording` for a file that cannot be used; a
 * request that was not recorded fails with `egress_unrecorded`.
 */
export function replayEgress(file: string, { redact }: ReplayOptions = {}): ReplayEgress {
  const scrubber = new Scrubber(redact)
  const left = new Map<string, RecordedExchange[]>()
  const all = readRecording(file)
  for (const exchange of all) {
    const key = scrubber.key(exchange.request)
    const same = left.get(key)
    if (same === undefined) left.set(key, [exchange])
    else same.push(exchange)
  }

  const answer = (
    method: string,
    url: string,
    headers: Iterable<readonly [string, string]>,
    body: Uint8Array | string | null | undefined,
  ): EgressResponse => {
    let type = ''
    for (const [name, value] of headers) if (name.toLowerCase() === 'content-type') type = value
    const content = scrubber.body(body, type)
    const request: RecordedRequest = {
      method: method.toUpperCase(),
      url: scrubber.url(url),
      headers: {},
      ...(content === undefined ? {} : { body: content }),
    }
    const exchange = left.get(scrubber.key(request))?.shift()
    if (exchange === undefined) throw unrecorded(request, all, file, scrubber)
    if (exchange.error !== undefined) {
      const { code, message } = exchange.error
      throw egressError(Object.hasOwn(ERRORS, code) ? (code as EgressErrorCode) : 'egress_broken', message)
    }
    const { status, headers: received, body: said, url: last } = exchange.response!
    return { status, headers: { ...received }, body: bodyBytes(said), url: last ?? url }
  }

  const egress: ReplayEgress = {
    request: async ({ method, url, headers, body, signal }) => {
      if (signal?.aborted) {
        throw egressError('egress_aborted', `The request to ${printableUrl(new URL(url))} was aborted.`, {
          cause: signal.reason,
        })
      }
      return answer(method, url, Object.entries(headers ?? {}), body)
    },
    fetch: async (input, init) => {
      const request = new Request(input, init)
      request.signal.throwIfAborted()
      const sent = request.body === null ? null : new Uint8Array(await request.arrayBuffer())
      const { status, headers, body, url } = answer(request.method, request.url, request.headers, sent)
      const response = new Response(NO_BODY.has(status) ? null : (body as Uint8Array<ArrayBuffer>), { status, headers })
      Object.defineProperty(response, 'url', { value: url })
      return response
    },
    connect: async ({ host, port }) => {
      throw egressError(
        'egress_unrecorded',
        `No connection to ${host}:${port} is opened while ${file} is replayed: only HTTP is recorded. Fake the action instead.`,
      )
    },
    restrict: () => egress,
    close: () => Promise.resolve(),
    unused: () => [...left.values()].flat().map(({ request }) => `${request.method} ${request.url}`),
  }
  return egress
}

function readRecording(file: string): readonly RecordedExchange[] {
  let recording: Partial<Recording> | null
  try {
    recording = JSON.parse(readFileSync(file, 'utf8')) as Partial<Recording> | null
  } catch (error) {
    throw egressError(
      'egress_recording',
      `The recording ${file} cannot be read: ${(error as Error).message}. Record it again.`,
    )
  }
  if (recording?.format !== RECORDING_FORMAT || !Array.isArray(recording.exchanges)) {
    throw egressError('egress_recording', `${file} is no recording of the format ${RECORDING_FORMAT}. Record it again.`)
  }
  for (const [index, exchange] of (recording.exchanges as readonly Partial<RecordedExchange>[]).entries()) {
    if (exchange.request === undefined || (exchange.response === undefined) === (exchange.error === undefined)) {
      throw egressError(
        'egress_recording',
        `Exchange ${index + 1} of ${file} needs a request, and a response or an error.`,
      )
    }
  }
  return recording.exchanges
}

function unrecorded(
  request: RecordedRequest,
  all: readonly RecordedExchange[],
  file: string,
  scrubber: Scrubber,
): Error {
  const where = (url: string): string => printableUrl(new URL(url))
  const target = `${request.method} ${where(request.url)}`
  const same = all.filter((one) => `${one.request.method} ${where(one.request.url)}` === target)
  const times = same.filter((one) => scrubber.key(one.request) === scrubber.key(request)).length
  const why =
    times > 0
      ? `it was recorded ${times} ${times === 1 ? 'time' : 'times'} and has been made more often`
      : same.length === 0
        ? 'no request of this method goes there in the recording'
        : same.some((one) => one.request.url === request.url)
          ? 'requests to this address were recorded with another body'
          : 'requests to this address were recorded with other parameters'
  return egressError('egress_unrecorded', `${target} is not in the recording ${file}: ${why}. Record it again.`)
}
