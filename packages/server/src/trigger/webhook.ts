/**
 * Serves flows' webhooks: finds the trigger, lets the caller in, maps the request to inputs, starts the run and answers.
 * The order matters: who is not let in learns nothing, and nothing is answered before the run is stored.
 */
import { hash } from 'node:crypto'
import type { Json, JsonObject, WebhookAuth } from '@plugwork/core'
import { createAttemptLimit, SIGNATURE_SCHEMES } from '@plugwork/connections/webhooks'
import type { CertificateSource } from '@plugwork/connections/webhooks'
import type { Clock, Runtime, RunSummary, StartOutcome } from '@plugwork/core/node'
import { startFailure } from '../api/start-outcome.ts'
import { ServerError } from '../errors.ts'
import type { FlowRegistry } from '../flow/registry.ts'
import type { Mount } from '../http/dispatch.ts'
import type { Incoming } from '../http/incoming.ts'
import { json, text } from '../http/reply.ts'
import type { Reply } from '../http/reply.ts'
import { parseFields } from '../http/body.ts'
import type { Log } from '../log.ts'
import type { RenderContext, Renderer } from './render.ts'
import type { Stopping } from '../stopping.ts'
import { stepReply } from './step-reply.ts'
import { waitForStep } from './wait-for-step.ts'
import { checkWebhookAuth } from './webhook-auth.ts'
import type { ResolveSecret } from './webhook-auth.ts'
import { mapInputs, publicHeaders, readWebhookBody } from './webhook-input.ts'
import type { WebhookParts } from './webhook-input.ts'
import { createWebhookTable } from './webhook-table.ts'
import type { WebhookMatch, WebhookTable, WebhookTarget } from './webhook-table.ts'

export const WEBHOOK_PREFIX = '/webhooks/'

/** Names the run behind an answer, whatever its body is. */
export const RUN_HEADER = 'x-plugwork-run'

/** How long a caller is kept waiting for a run to end; then it is answered 202 and the run goes on. */
export const RESPOND_TIMEOUT_MS = 30_000

export interface WebhookOptions {
  readonly registry: FlowRegistry
  readonly runtime: Runtime
  readonly renderer: Renderer
  readonly tenant: string
  readonly clock: Clock
  readonly maxBodyBytes: number
  readonly log: Log
  /** Public address of the server. */
  readonly baseUrl: () => string
  /** For services that sign with a certificate. */
  readonly certificates: CertificateSource
  /** Whether only this machine reaches the server. */
  readonly loopback: boolean
  /** Callers that wait are then answered with what there is. */
  readonly stopping: Stopping
}

export interface Webhooks extends Mount {
  readonly table: () => WebhookTable
  close(): void
}

/** Serves the webhooks of the registry's flows, always as they are now. */
export function createWebhooks(options: WebhookOptions): Webhooks {
  const { registry, runtime, renderer, tenant, clock, log } = options
  const attempts = createAttemptLimit(() => clock.now())
  let table = createWebhookTable(registry.list(tenant))
  reportConflicts(table, log)
  const unfollow = registry.onChange(() => {
    table = createWebhookTable(registry.list(tenant))
    reportConflicts(table, log)
  })

  const handle = async (incoming: Incoming): Promise<Reply> => {
    const match = table.match(incoming.method, incoming.path)
    const { flow, trigger, index } = match.target
    const limit = trigger.maxBodyBytes ?? options.maxBodyBytes
    let bytes: Promise<Uint8Array> | undefined
    const body = () => (bytes ??= incoming.body(limit))

    const { auth } = trigger
    if (auth === undefined && !options.loopback) throw undecided(incoming.path)
    let delivery: string | undefined
    if (auth === undefined || auth.type === 'none') refuseCrossSite(incoming, options.loopback)
    else {
      const now = clock.now()
      const context: RenderContext = { tenant, flow: flow.name, now, names: {} }
      const resolve: ResolveSecret = (template) => renderer.text(template, context)
      const subject = `${flow.name}/${index} ${credentialOf(auth, incoming)}`
      const wait = attempts.wait(incoming.remoteAddress, subject)
      if (wait > 0) throw tooManyAttempts(wait)
      const { baseUrl, certificates } = options
      const admission = await checkWebhookAuth({
        auth,
        incoming,
        now,
        baseUrl,
        body,
        resolve,
        certificates,
      }).catch((error: unknown) => {
        if (isRefusal(error)) attempts.failed(incoming.remoteAddress)
        throw error
      })
      attempts.succeeded(incoming.remoteAddress, subject)
      if (admission.handshake !== undefined) return json(200, admission.handshake)
      if (admission.challenge !== undefined) return text(200, 'text/plain; charset=utf-8', admission.challenge)
      delivery = admission.delivery
    }

    const parts = await readParts(incoming, match, await body())
    const facts = triggerFacts(incoming, match.target, parts)
    const inputs = mapInputs({
      mapping: trigger.inputMapping,
      inputs: flow.plan.inputs,
      parts,
      renderer,
      context: { tenant, flow: flow.name, now: clock.now(), names: requestNames(facts, parts) },
    })
    const key = incoming.header('idempotency-key') ?? delivery
    const outcome = await runtime.start({
      tenant,
      flow: flow.name,
      inputs,
      trigger: facts,
      ...(key === undefined ? {} : { idempotencyKey: `webhook:${index}:${key}` }),
    })
    return await answer(outcome, match.target)
  }

  const answer = async (outcome: StartOutcome, { flow, trigger }: WebhookTarget): Promise<Reply> => {
    if (outcome.kind !== 'accepted' && outcome.kind !== 'existing') throw startFailure(flow.name, outcome)
    const { respond } = trigger
    if (respond === 'when_accepted') return accepted(outcome.id)
    if (typeof respond === 'object') {
      const found = await waitForStep({
        runtime,
        tenant,
        runId: outcome.id,
        step: respond.withStep,
        timeoutMs: RESPOND_TIMEOUT_MS,
        stopping: options.stopping,
      })
      if (found.kind === 'output') return ofRun(outcome.id, stepReply(found.output))
      return found.kind === 'timeout' ? accepted(outcome.id) : ended(found.summary, null)
    }
    const summary = await withinTime(runtime, tenant, outcome, options.stopping)
    return summary === null ? accepted(outcome.id) : ended(summary, summary.outputs)
  }

  return {
    prefix: WEBHOOK_PREFIX,
    permission: 'decided by the trigger (`auth`)',
    handle,
    table: () => table,
    close: unfollow,
  }
}

/** The outcome of a run, or null when it takes too long or waits for somebody. */
async function withinTime(
  runtime: Runtime,
  tenant: string,
  outcome: Extract<StartOutcome, { readonly kind: 'accepted' | 'existing' }>,
  stopping: Stopping,
): Promise<RunSummary | null> {
  if (outcome.kind === 'existing') {
    const summary = await runtime.wait(tenant, outcome.id, RESPOND_TIMEOUT_MS)
    return summary !== null && isEnded(summary) ? summary : null
  }
  return await new Promise((resolve, reject) => {
    const release = () => {
      clearTimeout(timer)
      forget()
    }
    const giveUp = () => {
      release()
      resolve(null)
    }
    const timer = setTimeout(giveUp, RESPOND_TIMEOUT_MS)
    const forget = stopping.onStop(giveUp)
    runtime.finished(outcome.rid).then(resolve, reject).finally(release)
  })
}

function isEnded(summary: RunSummary): boolean {
  return summary.status === 'succeeded' || summary.status === 'failed' || summary.status === 'cancelled'
}

function accepted(id: string): Reply {
  return json(202, { id, status: 'accepted' }, { [RUN_HEADER]: id })
}

function ofRun(id: string, reply: Reply): Reply {
  return { ...reply, headers: { ...reply.headers, [RUN_HEADER]: id } }
}

/** The answer of a run that ended. What failed inside is for the trace, not for the caller. */
function ended(summary: RunSummary, outputs: JsonObject | null): Reply {
  if (summary.status === 'succeeded') return json(200, outputs ?? {}, { [RUN_HEADER]: summary.id })
  throw new ServerError('run_failed', `The run ${summary.id} ${summary.status}. Its trace says why.`, {
    extensions: { run_id: summary.id, run_status: summary.status },
    headers: { [RUN_HEADER]: summary.id },
  })
}

async function readParts(incoming: Incoming, match: WebhookMatch, bytes: Uint8Array): Promise<WebhookParts> {
  return {
    method: incoming.method,
    path: incoming.path,
    params: match.params,
    query: parseFields(incoming.search),
    headers: match.target.readsHeaders ? publicHeaders(incoming, secretHeaders(match.target.trigger.auth)) : {},
    body: redacted(match.target.trigger.auth, await readWebhookBody(bytes, incoming.header('content-type'))),
  }
}

/** What the expressions of an `input_mapping` see. */
function requestNames(facts: JsonObject, parts: WebhookParts): RenderContext['names'] {
  const { body, query, headers, params } = parts
  return { trigger: { ...facts, ...parts }, body, query, headers, path: params }
}

/** Headers that the trigger's own auth reads. */
function secretHeaders(auth: WebhookAuth | undefined): readonly string[] {
  if (auth?.type === 'api_key' || auth?.type === 'hmac') return [auth.header.toLowerCase()]
  return auth?.type === 'signature' ? SIGNATURE_SCHEMES[auth.provider].secretHeaders : []
}

/** What the run keeps of its trigger: the whole request only where a step reads it, because inputs hold it already. */
function triggerFacts(incoming: Incoming, target: WebhookTarget, parts: WebhookParts): JsonObject {
  const facts = { kind: 'webhook', index: target.index, request_id: incoming.requestId }
  const { method, path, params } = parts
  return target.readsTrigger ? { ...facts, ...parts } : { ...facts, method, path, params }
}

/** The body without the secret that some services put into it. */
function redacted(auth: WebhookAuth | undefined, body: Json): Json {
  return auth?.type === 'signature' ? (SIGNATURE_SCHEMES[auth.provider].redact?.(body) ?? body) : body
}

/** What a caller shows that is the same in each request; '' where each one is signed anew. */
function credentialOf(auth: WebhookAuth, incoming: Incoming): string {
  const shown =
    auth.type === 'api_key'
      ? incoming.header(auth.header.toLowerCase())
      : auth.type === 'bearer' || auth.type === 'basic'
        ? incoming.header('authorization')
        : undefined
  return shown === undefined ? '' : hash('sha256', shown)
}

const isRefusal = (error: unknown): boolean => error instanceof ServerError && error.code === 'unauthenticated'

function tooManyAttempts(waitMs: number): ServerError {
  const seconds = Math.max(1, Math.ceil(waitMs / 1_000))
  return new ServerError('too_many_attempts', `Too many wrong credentials came from here; try again in ${seconds} s.`, {
    headers: { 'retry-after': String(seconds) },
  })
}

function undecided(path: string): ServerError {
  return new ServerError(
    'webhook_auth_undecided',
    `The webhook at ${path} has no \`auth\`, and this server is reachable from other machines. ` +
      'Give it an `auth`, or write `auth: none` to make it public.',
  )
}

/** A page of another site can send simple requests to a server on this machine; a webhook without auth must not act on them. */
function refuseCrossSite(incoming: Incoming, loopback: boolean): void {
  if (!loopback || incoming.header('sec-fetch-site') !== 'cross-site') return
  throw new ServerError(
    'cross_site_refused',
    'A web page of another site called this webhook, which has no auth and runs on a local server.',
  )
}

function reportConflicts(table: WebhookTable, log: Log): void {
  for (const conflict of table.conflicts)
    log.warn({ ...conflict }, 'two webhooks have one address; the second is not served')
}
