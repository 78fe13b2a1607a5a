/** Flows: those of project files and those put over the API. */
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import { decodeText, mediaType } from '../http/body.ts'
import type { Incoming } from '../http/incoming.ts'
import { empty, json } from '../http/reply.ts'
import { defineRoute } from '../http/route.ts'
import type { Route } from '../http/route.ts'
import type { Services } from './services.ts'
import { flowDetailOf, flowDetailSchema, flowOf, flowSchema, isoTime, problemItemSchema, problemOf } from './shapes.ts'

const MAX_SOURCE_BYTES = 1024 * 1024
const flowParams = z.object({ name: z.string().min(1).max(200) })
const SOURCE_TYPES = ['application/yaml', 'text/yaml', 'text/plain', 'application/json'] as const
const sourceBody = { types: SOURCE_TYPES, maxBytes: MAX_SOURCE_BYTES }
const sourceText =
  'The body is the document itself (`application/yaml`, `text/plain`, or a flow as `application/json`), or JSON ' +
  '`{ "source": "…" }`.'

export function flowRoutes({ registry, store }: Services): readonly Route[] {
  const find = (tenant: string, name: string) => {
    const flow = registry.get(tenant, name)
    if (flow === null) throw notFound(name)
    return flow
  }

  const setEnabled = (enabled: boolean): Route =>
    defineRoute({
      method: 'POST',
      path: `/api/v1/flows/:name/${enabled ? 'enable' : 'disable'}`,
      permission: 'flows:write',
      tag: 'Flows',
      summary: enabled ? 'Enable a flow' : 'Disable a flow: no new runs, open ones finish',
      params: flowParams,
      answers: { 200: { description: 'The flow.', schema: flowSchema } },
      problems: ['flow_not_found'],
      async handler({ params, tenant }) {
        const flow = await registry.setEnabled(tenant, params.name, enabled)
        if (flow === null) throw notFound(params.name)
        return json(200, flowOf(flow))
      },
    })

  return [
    defineRoute({
      method: 'GET',
      path: '/api/v1/flows',
      permission: 'flows:read',
      tag: 'Flows',
      summary: 'List flows, with the problems of files that are not served',
      answers: {
        200: {
          description: 'All flows by name.',
          schema: z.object({ flows: z.array(flowSchema), problems: z.array(problemItemSchema) }),
        },
      },
      handler: ({ tenant }) =>
        json(200, { flows: registry.list(tenant).map(flowOf), problems: registry.fileProblems().map(problemOf) }),
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/flows/:name',
      permission: 'flows:read',
      tag: 'Flows',
      summary: 'One flow with its source and the schema of its inputs',
      params: flowParams,
      answers: { 200: { description: 'The flow.', schema: flowDetailSchema } },
      problems: ['flow_not_found'],
      handler: ({ params, tenant }) => json(200, flowDetailOf(find(tenant, params.name))),
    }),
    defineRoute({
      method: 'PUT',
      path: '/api/v1/flows/:name',
      permission: 'flows:write',
      tag: 'Flows',
      summary: 'Put a flow',
      description: `${sourceText} It is checked first; a flow with errors is not stored. Runs under way keep their version.`,
      params: flowParams,
      body: sourceBody,
      answers: {
        200: { description: 'Replaced.', schema: flowDetailSchema },
        201: { description: 'Created.', schema: flowDetailSchema },
      },
      problems: ['flow_is_file', 'flow_invalid', 'flow_name_mismatch'],
      async handler({ params, tenant, incoming }) {
        const { flow, created } = await registry.put(tenant, params.name, await readSource(incoming))
        return json(created ? 201 : 200, flowDetailOf(flow))
      },
    }),
    defineRoute({
      method: 'DELETE',
      path: '/api/v1/flows/:name',
      permission: 'flows:write',
      tag: 'Flows',
      summary: 'Delete an uploaded flow; its open runs finish',
      params: flowParams,
      answers: { 204: { description: 'Deleted.' } },
      problems: ['flow_is_file', 'flow_not_found'],
      async handler({ params, tenant }) {
        if (!(await registry.remove(tenant, params.name))) throw notFound(params.name)
        return empty(204)
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/api/v1/flows/:name/check',
      permission: 'flows:read',
      tag: 'Flows',
      summary: 'Check a document, or the flow as it is',
      description: `${sourceText} Without a body the served flow is checked.`,
      params: flowParams,
      body: sourceBody,
      answers: {
        200: {
          description: 'The findings.',
          schema: z.object({ ok: z.boolean(), problems: z.array(problemItemSchema) }),
        },
      },
      problems: ['flow_not_found'],
      async handler({ params, tenant, incoming }) {
        const source = await readSource(incoming)
        const problems = source === '' ? find(tenant, params.name).problems : registry.check(source).problems
        return json(200, {
          ok: !problems.some((problem) => problem.severity === 'error'),
          problems: problems.map(problemOf),
        })
      },
    }),
    setEnabled(true),
    setEnabled(false),
    defineRoute({
      method: 'GET',
      path: '/api/v1/flows/:name/versions',
      permission: 'flows:read',
      tag: 'Flows',
      summary: 'Versions of a flow that runs have used, newest first',
      params: flowParams,
      answers: {
        200: {
          description: 'The versions.',
          schema: z.object({
            versions: z.array(z.object({ hash: z.string(), created_at: z.iso.datetime(), current: z.boolean() })),
          }),
        },
      },
      problems: ['flow_not_found'],
      async handler({ params, tenant }) {
        const current = registry.get(tenant, params.name)
        const versions = await store.listFlowVersions(params.name)
        if (current === null && versions.length === 0) throw notFound(params.name)
        return json(200, {
          versions: versions
            .toSorted((a, b) => b.createdAt - a.createdAt)
            .map(({ hash, createdAt }) => ({ hash, created_at: isoTime(createdAt), current: hash === current?.hash })),
        })
      },
    }),
  ]
}

/** The flow document of a body; '' when there is none. */
async function readSource(incoming: Incoming): Promise<string> {
  const text = decodeText(await incoming.body(MAX_SOURCE_BYTES))
  if (text === '') return ''
  const type = mediaType(incoming.header('content-type'))
  if (type !== '' && !SOURCE_TYPES.some((accepted) => accepted === type)) {
    throw new ServerError('media_type_unsupported', `A flow is sent as ${SOURCE_TYPES.join(', ')}, not as ${type}.`)
  }
  return type === 'application/json' ? wrappedSource(text) : text
}

/** JSON is YAML too, so a flow in JSON is a document as it is; only the wrapped form is unwrapped. */
function wrappedSource(text: string): string {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new ServerError('body_invalid', 'The body is not valid JSON.', { cause })
  }
  const wrapped = z.strictObject({ source: z.string() }).safeParse(value)
  return wrapped.success ? wrapped.data.source : text
}

function notFound(name: string): ServerError {
  return new ServerError('flow_not_found', `There is no flow ${name}. GET /api/v1/flows lists them.`)
}
