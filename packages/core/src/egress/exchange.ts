/**
 * One request with its redirects, until the response is complete or failed. An exchange is undici's handler for each of
 * its hops, so a body crosses no stream but a decoder; limits hold while bytes arrive.
 */
import type { Transform } from 'node:stream'
import type { Dispatcher } from 'undici'
import type { PlugworkError } from '../error.ts'
import type { AllowList } from './allow-list.ts'
import { codingOf, createDecoder, type Coding } from './decoder.ts'
import type { Dialer } from './dialer.ts'
import type { Cancellation } from './egress.ts'
import { egressError, printableUrl } from './errors.ts'
import { describeFailure, type Phase } from './failure.ts'
import { requestHeaders, withoutBody, withoutCredentials } from './headers.ts'
import { checkHost, requestUrl } from './target.ts'

export type ResponseHeaders = { [name: string]: string | string[] | undefined }

/** Where a response goes. After `fail` or `end` nothing more is called. */
export interface Sink {
  head(status: number, headers: ResponseHeaders, url: URL, redirected: boolean): void
  /** Takes a part of the body; false asks for a pause until `Exchange.resume`. */
  data(chunk: Uint8Array): boolean
  end(): void
  fail(error: unknown): void
}

export interface ExchangeRequest {
  readonly method: string
  readonly url: string
  readonly headers: Iterable<readonly [string, string]>
  readonly body: string | Uint8Array | null
  /** `error` refuses redirects. */
  readonly redirect: 'follow' | 'manual' | 'error'
  readonly timeoutMs: number
  readonly maxResponseBytes: number
  readonly maxRedirects: number
  readonly signal: AbortSignal | Cancellation | null
}

/** What an exchange goes through; shared by all exchanges of one `Egress`. */
export interface Way {
  readonly dialer: Dialer
  /** Every list must name a host that is to be reached. */
  readonly only: readonly AllowList[]
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])
const SAFE_TO_REPEAT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
/** A longer body of a redirect costs its connection instead. */
const MAX_DRAINED_BYTES = 64 * 1024

export class Exchange implements Dispatcher.DispatchHandler {
  readonly #way: Way
  readonly #request: ExchangeRequest
  readonly #sink: Sink

  #method: string
  #url: URL
  #headers: string[]
  #body: string | Uint8Array | null
  #redirects = 0
  #repeated = false

  #phase: Phase = 'connecting'
  #done = false
  #received = 0
  /** Bytes before decompression. */
  #compressed = 0
  #location: URL | null = null
  #coding: Coding | null = null
  #decoder: Transform | null = null
  #controller: Dispatcher.DispatchController | null = null
  #deadline: NodeJS.Timeout | undefined
  #unlisten: (() => void) | null = null

  /** Throws `egress_url`, `egress_header` or `egress_denied` for what may not be sent at all. */
  constructor(way: Way, request: ExchangeRequest, sink: Sink) {
    this.#way = way
    this.#request = request
    this.#sink = sink
    this.#method = request.method.toUpperCase()
    if (!METHODS.has(this.#method)) throw egressError('egress_url', `The method ${request.method} is not supported.`)
    this.#url = requestUrl(request.url, null)
    this.#headers = requestHeaders(request.headers, this.#url)
    this.#body = request.body
    checkHost(this.#url, way.only)
  }

  start(): void {
    const { signal, timeoutMs } = this.#request
    if (signal !== null) {
      if (signal.aborted) {
        this.abort(signal.reason)
        return
      }
      this.#unlisten = onAbort(signal, (reason) => this.abort(reason))
    }
    this.#deadline = setTimeout(() => this.#fail(this.#timeoutError()), Math.min(timeoutMs, 0x7fffffff))
    this.#dispatch()
  }

  /** Ends the exchange from outside; its sink gets `egress_aborted` with the reason as cause. */
  abort(reason: unknown): void {
    this.#fail(
      egressError('egress_aborted', `The request to ${printableUrl(this.#url)} was aborted.`, { cause: reason }),
    )
  }

  /** Goes on after a sink asked for a pause. */
  resume(): void {
    if (this.#decoder !== null) this.#decoder.resume()
    else this.#controller?.resume()
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    // Failed while it was queued for a connection.
    if (this.#done) controller.abort(egressError('egress_aborted', 'The request was given up before it was sent.'))
    else this.#phase = 'waiting for the response'
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: ResponseHeaders): void {
    if (status < 200 || this.#done) return
    this.#phase = 'reading the response'
    if (REDIRECTS.has(status) && this.#request.redirect !== 'manual' && headers['location'] !== undefined) {
      this.#redirect(status, String(headers['location']))
      return
    }
    const { maxResponseBytes } = this.#request
    if (this.#method !== 'HEAD' && Number(headers['content-length']) > maxResponseBytes) {
      this.#fail(this.#tooLarge(`${String(headers['content-length'])} bytes`))
      return
    }
    if (this.#method !== 'HEAD' && status !== 204 && status !== 304) {
      const coding = codingOf(headers['content-encoding'])
      if (coding === 'nested') {
        const message = `The response of ${printableUrl(this.#url)} is compressed several times over, which is not supported.`
        this.#fail(egressError('egress_decode', message))
        return
      }
      this.#coding = coding
      if (coding !== null) {
        delete headers['content-encoding']
        delete headers['content-length']
      }
    }
    this.#sink.head(status, headers, this.#url, this.#redirects > 0)
    if (this.#done) controller.abort(egressError('egress_aborted', 'The response was given up.'))
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#done) return
    if (this.#location !== null) {
      this.#received += chunk.length
      if (this.#received > MAX_DRAINED_BYTES) this.#abandonHop(controller)
      return
    }
    if (this.#coding === null) {
      if (!this.#deliver(chunk)) controller.pause()
      return
    }
    this.#compressed += chunk.length
    if (this.#compressed > this.#request.maxResponseBytes) {
      this.#fail(this.#tooLarge('larger'))
      return
    }
    this.#decoder ??= this.#openDecoder(this.#coding, chunk)
    if (!this.#decoder.write(chunk)) {
      controller.pause()
      this.#decoder.once('drain', () => controller.resume())
    }
  }

  onResponseEnd(): void {
    if (this.#done) return
    if (this.#location !== null) this.#nextHop()
    else if (this.#decoder !== null) this.#decoder.end()
    else this.#complete()
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#done) return
    if (this.#location !== null) {
      // The redirect was read; what becomes of its body does not matter.
      this.#nextHop()
    } else if (this.#isStaleConnection(error)) {
      this.#repeated = true
      this.#dispatch()
    } else {
      this.#fail(describeFailure(error, this.#phase, this.#url))
    }
  }

  #dispatch(): void {
    this.#phase = 'connecting'
    this.#received = 0
    const { origin, pathname, search } = this.#url
    this.#way.dialer.dispatch(
      {
        origin,
        path: pathname + search,
        method: this.#method as Dispatcher.HttpMethod,
        headers: this.#headers,
        body: this.#body,
      },
      this,
    )
  }

  #redirect(status: number, location: string): void {
    const { redirect, maxRedirects } = this.#request
    const from = printableUrl(this.#url)
    try {
      if (redirect === 'error') {
        throw egressError('egress_redirect', `${from} answered with a redirect (${status}), which was not wanted here.`)
      }
      if (this.#redirects >= maxRedirects) {
        const message = `${from} redirects again after ${maxRedirects} redirects, the limit. Request the final address directly.`
        throw egressError('egress_redirect', message)
      }
      const target = requestUrl(location, this.#url)
      checkHost(target, this.#way.only)
      this.#location = target
      const toGet =
        (status === 303 && this.#method !== 'HEAD') || ((status === 301 || status === 302) && this.#method === 'POST')
      if (toGet && this.#method !== 'GET') {
        this.#method = 'GET'
        this.#body = null
        this.#headers = withoutBody(this.#headers)
      }
      if (target.origin !== this.#url.origin) this.#headers = withoutCredentials(this.#headers)
    } catch (error) {
      this.#fail(error)
    }
  }

  #abandonHop(controller: Dispatcher.DispatchController): void {
    controller.abort(egressError('egress_redirect', 'The body of a redirect is not read to its end.'))
  }

  #nextHop(): void {
    this.#url = this.#location!
    this.#location = null
    this.#redirects += 1
    this.#controller = null
    this.#dispatch()
  }

  /** False: the sink asks for a pause. */
  #deliver(chunk: Uint8Array): boolean {
    this.#received += chunk.length
    if (this.#received > this.#request.maxResponseBytes) {
      this.#fail(this.#tooLarge('larger'))
      return true
    }
    return this.#sink.data(chunk)
  }

  #openDecoder(coding: Coding, first: Uint8Array): Transform {
    const decoder = createDecoder(coding, first)
    decoder.on('data', (chunk: Buffer) => {
      if (!this.#done && !this.#deliver(chunk)) decoder.pause()
    })
    decoder.on('end', () => this.#complete())
    decoder.on('error', (cause) => {
      const message = `The response of ${printableUrl(this.#url)} says it is ${coding}, but cannot be decompressed.`
      this.#fail(egressError('egress_decode', message, { cause }))
    })
    return decoder
  }

  #complete(): void {
    if (this.#done) return
    this.#settle()
    this.#sink.end()
  }

  #fail(error: unknown): void {
    if (this.#done) return
    this.#settle()
    this.#decoder?.destroy()
    this.#sink.fail(error)
    const controller = this.#controller
    if (controller !== null && !controller.aborted) controller.abort(error as Error)
  }

  #settle(): void {
    this.#done = true
    clearTimeout(this.#deadline)
    this.#unlisten?.()
  }

  /**
   * A kept connection that the server closed just as the request was written (RFC 9112, 9.3.1): repeated once where
   * repeating cannot do harm.
   */
  #isStaleConnection(error: Error): boolean {
    const { code, socket } = error as { code?: unknown; socket?: { bytesRead?: number } | null }
    return (
      !this.#repeated &&
      this.#phase !== 'reading the response' &&
      (code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE') &&
      (socket?.bytesRead ?? 0) > 0 &&
      SAFE_TO_REPEAT.has(this.#method)
    )
  }

  #tooLarge(size: string): PlugworkError {
    const limit = this.#request.maxResponseBytes
    return egressError(
      'egress_too_large',
      `The response of ${printableUrl(this.#url)} is ${size}, the limit is ${limit} bytes. Ask for less, or raise the limit (max_response_bytes).`,
    )
  }

  #timeoutError(): PlugworkError {
    const where = this.#phase === 'reading the response' ? `${this.#phase} (${this.#received} bytes came)` : this.#phase
    return egressError(
      'egress_timeout',
      `The request to ${printableUrl(this.#url)} took longer than ${this.#request.timeoutMs} ms; it was ${where}. Raise the timeout, or ask the service for less at a time.`,
    )
  }
}

function onAbort(signal: AbortSignal | Cancellation, listener: (reason: unknown) => void): () => void {
  if ('onAbort' in signal) return signal.onAbort(listener)
  const tell = (): void => listener(signal.reason)
  signal.addEventListener('abort', tell, { once: true })
  return () => signal.removeEventListener('abort', tell)
}
