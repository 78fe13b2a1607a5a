/**
 * One-time links of waits (`wait_url`). Opening one shows a page and changes nothing, because mail scanners and chat
 * previews open links; only sending its form, or a POST of a program, acts.
 */
import type { Json, JsonSchema, Plan, WaitNode } from '@plugwork/core'
import { PlugworkError } from '@plugwork/core'
import { TERMINAL } from '@plugwork/core/node'
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import { bodyKind, decodeText, mediaType, parseFields, parseJson } from '../http/body.ts'
import type { Incoming } from '../http/incoming.ts'
import { json } from '../http/reply.ts'
import type { Reply } from '../http/reply.ts'
import { defineRoute } from '../http/route.ts'
import type { Route } from '../http/route.ts'
import { formData, formFields } from '../pages/form.ts'
import { markup, page } from '../pages/html.ts'
import type { Markup } from '../pages/html.ts'
import type { Services } from './services.ts'

type Wait = WaitNode['wait']

/** What a link leads to. */
interface Target {
  readonly runId: string
  readonly wait: string
  readonly flow: string
  readonly kind: 'approval' | 'webhook'
  readonly schema: JsonSchema | undefined
}

/** What came back: the decision about an approval, or the data of a webhook wait. */
interface Answer {
  readonly outcome: 'received' | 'approved' | 'rejected'
  readonly data: Json
}

const MAX_BODY_BYTES = 1024 * 1024
const linkParams = z.object({ run: z.string().max(64), wait: z.string().max(1000) })
const linkQuery = z.object({ token: z.string().max(200).default('') })

const STYLE = `
:root{color-scheme:light dark;--line:#8886}
body{font:17px/1.5 system-ui,sans-serif;max-width:34rem;margin:10vh auto;padding:0 1rem}
label{display:block;margin:1rem 0}
label.check{display:flex;gap:.5rem;align-items:center}
input:not([type=checkbox]),select,textarea{display:block;width:100%;box-sizing:border-box;font:inherit;padding:.5rem;margin-top:.25rem;border:1px solid var(--line);border-radius:.4rem}
small{display:block;opacity:.7}
button{font:inherit;padding:.5rem 1.25rem;margin:1rem .5rem 0 0;border-radius:.4rem;border:1px solid var(--line);cursor:pointer}
.quiet{opacity:.7}
`

export function resumeRoutes(services: Services & { readonly tenant: string }): readonly Route[] {
  const { runtime, store, tenant } = services

  /** The wait behind a link, once its token has been checked. Throws a `wait_…` error. */
  const open = async (run: string, wait: string, token: string): Promise<Target> => {
    const state = await runtime.resumeToken(run, wait, token)
    if (state === 'used') throw new ServerError('wait_used', 'This link was used before; it works once.')
    if (state === 'expired')
      throw new ServerError('wait_expired', 'This link has expired: the run no longer waits for it.')
    // Whether run and wait exist is nobody's business who has no valid token.
    const row = state === 'valid' ? await store.findRun(tenant, run) : null
    if (row === null) throw new ServerError('wait_not_found', 'This link is not valid. Was it copied in full?')
    if (TERMINAL.has(row.status)) throw new ServerError('wait_expired', 'The run behind this link has ended.')
    const version = await store.getFlowVersion(row.flowHash)
    const node = version === null ? null : findWait(JSON.parse(version.plan) as Plan, wait)
    if (node?.kind !== 'approval' && node?.kind !== 'webhook') {
      throw new ServerError('wait_not_found', `The run has no approval or webhook wait ${wait}.`)
    }
    const schema = node.kind === 'approval' ? node.form : node.schema
    return { runId: run, wait, flow: row.flow, kind: node.kind, schema }
  }

  const act = async (target: Target, answer: Answer, actor: string): Promise<void> => {
    const { runId, wait } = target
    const outcome = await runtime.signal(tenant, runId, { name: wait, ...answer, dedupe: `resume:${wait}`, actor })
    if (outcome.kind === 'refused') {
      if (outcome.code === 'signal_invalid') throw new ServerError('inputs_invalid', outcome.message)
      throw new PlugworkError(outcome.code, outcome.message)
    }
    if (outcome.kind === 'not_found') throw new ServerError('wait_not_found', 'The run behind this link is gone.')
  }

  return [
    defineRoute({
      method: 'GET',
      path: '/resume/:run/:wait',
      permission: 'public',
      tag: 'Waits',
      summary: 'The page of a one-time link; opening it changes nothing',
      description: 'The token in the link is what gives access.',
      params: linkParams,
      query: linkQuery,
      answers: { 200: { description: 'The page.', type: 'text/html' } },
      problems: ['wait_not_found', 'wait_used', 'wait_expired'],
      async handler({ params, query }) {
        try {
          return formPage(await open(params.run, params.wait, query.token), null)
        } catch (error) {
          return errorPage(error)
        }
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/resume/:run/:wait',
      permission: 'public',
      tag: 'Waits',
      summary: 'Use a one-time link',
      description:
        'Of an approval: JSON `{ "decision": "approve" | "reject", "data": { … } }`. Of a webhook wait: any body; it ' +
        'becomes the data of the wait. The page sends a form.',
      params: linkParams,
      query: linkQuery,
      body: { types: ['application/json', 'application/x-www-form-urlencoded'], optional: true },
      answers: {
        200: { description: 'Taken.', schema: z.object({ status: z.literal('accepted'), run_id: z.string() }) },
      },
      problems: ['wait_not_found', 'wait_used', 'wait_expired', 'inputs_invalid'],
      async handler({ params, query, incoming }) {
        if (!isPageForm(incoming)) {
          const target = await open(params.run, params.wait, query.token)
          await act(target, await readProgram(target, incoming), 'link')
          return json(200, { status: 'accepted', run_id: target.runId })
        }
        let target: Target | undefined
        try {
          target = await open(params.run, params.wait, query.token)
          await act(target, await readForm(target, incoming), 'link')
          return donePage(target)
        } catch (error) {
          if (target !== undefined && error instanceof ServerError && error.code === 'inputs_invalid') {
            return formPage(target, error.message)
          }
          return errorPage(error)
        }
      },
    }),
  ]
}

/** The wait of an id or path; iterations are no part of a static path. */
function findWait(plan: Plan, wanted: string): Wait | null {
  const path = withoutIndexes(wanted)
  const search = (value: unknown): Wait | null => {
    if (typeof value !== 'object' || value === null) return null
    if (isWaitNode(value) && (value.id === wanted || withoutIndexes(value.path) === path)) return value.wait
    for (const member of Object.values(value)) {
      const found = search(member)
      if (found !== null) return found
    }
    return null
  }
  return search([plan.steps, plan.onError ?? [], plan.onCancel ?? []])
}

function isWaitNode(value: object): value is WaitNode {
  return 'kind' in value && value.kind === 'wait' && 'path' in value && 'wait' in value
}

function withoutIndexes(path: string): string {
  return path.replaceAll(/\[\d+\]/g, '')
}

/** A browser that sends the page's form wants a page back. */
function isPageForm(incoming: Incoming): boolean {
  const accepts = incoming.header('accept') ?? ''
  return (
    mediaType(incoming.header('content-type')) === 'application/x-www-form-urlencoded' && accepts.includes('text/html')
  )
}

async function readForm(target: Target, incoming: Incoming): Promise<Answer> {
  const sent = parseFields(decodeText(await incoming.body(MAX_BODY_BYTES)))
  const data = target.schema === undefined ? {} : formData(target.schema, sent)
  if (target.kind === 'webhook') return { outcome: 'received', data }
  return { outcome: outcomeOf(sent.decision), data }
}

async function readProgram(target: Target, incoming: Incoming): Promise<Answer> {
  const bytes = await incoming.body(MAX_BODY_BYTES)
  const type = mediaType(incoming.header('content-type'))
  const kind = bodyKind(type === '' ? 'application/json' : type)
  if (kind === 'multipart' || kind === 'binary') {
    throw new ServerError('media_type_unsupported', `A wait takes JSON, a form or text, not ${type}.`)
  }
  const body: Json =
    bytes.length === 0
      ? null
      : kind === 'json'
        ? parseJson(bytes)
        : kind === 'form'
          ? parseFields(decodeText(bytes))
          : decodeText(bytes)
  if (target.kind === 'webhook') return { outcome: 'received', data: body }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw undecided()
  return { outcome: outcomeOf(body.decision), data: body.data ?? null }
}

function outcomeOf(decision: Json | undefined): 'approved' | 'rejected' {
  if (decision === 'approve') return 'approved'
  if (decision === 'reject') return 'rejected'
  throw undecided()
}

function undecided(): ServerError {
  return new ServerError('inputs_invalid', 'An approval needs a `decision`: `approve` or `reject`.')
}

function formPage(target: Target, problem: string | null): Reply {
  const fields = target.schema === undefined ? [] : formFields(target.schema)
  const buttons: Markup =
    target.kind === 'approval'
      ? markup`<button name="decision" value="approve">Approve</button><button name="decision" value="reject">Reject</button>`
      : markup`<button>Continue</button>`
  const asked = target.kind === 'approval' ? 'A run waits for your decision' : 'A run waits to go on'
  const alert = problem === null ? '' : markup`<p role="alert"><b>${problem}</b></p>`
  const body = markup`<h1>${target.flow}</h1>
<p>${asked}: <code>${target.wait}</code></p>${alert}
<form method="post">${fields}${buttons}</form>
<p class="quiet">Run ${target.runId}</p>`
  return page({ status: problem === null ? 200 : 422, title: target.flow, style: STYLE, body, forms: true })
}

function donePage(target: Target): Reply {
  const body = markup`<h1>Thank you</h1><p>The run goes on. You can close this page.</p><p class="quiet">Run ${target.runId}</p>`
  return page({ status: 200, title: target.flow, style: STYLE, body })
}

function errorPage(error: unknown): Reply {
  if (!(error instanceof ServerError) || !LINK_ERRORS.has(error.code)) throw error
  const status = error.code === 'wait_not_found' ? 404 : error.code === 'inputs_invalid' ? 422 : 410
  return page({
    status,
    title: 'Plugwork',
    style: STYLE,
    body: markup`<h1>This link does not work</h1><p>${error.message}</p>`,
  })
}

/** What a person with a link can do something about; anything else is a problem document. */
const LINK_ERRORS: ReadonlySet<string> = new Set(['wait_not_found', 'wait_used', 'wait_expired', 'inputs_invalid'])
