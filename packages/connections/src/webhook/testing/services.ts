/** Connectors that take webhooks, for tests: the events of a request are its body, or the parts of a list. */
import { defineAction, defineConnector, type ServiceRequest } from '@plugwork/core/node'
import { z } from 'zod'

export function serviceOf<Name extends string>(
  name: Name,
  scheme: string,
  more: { readonly accountKeys?: readonly string[] } = {},
) {
  return defineConnector({
    name,
    title: name,
    description: 'A service for tests.',
    version: '1.0.0',
    prefixes: [name],
    config: z.strictObject({}),
    triggers: {
      'thing.made': { description: 'Made.', payload: z.looseObject({ type: z.string(), n: z.int() }) },
    },
    webhooks: {
      scheme,
      help: 'For tests.',
      ...more,
      events: ({ json, headers }: ServiceRequest) =>
        (Array.isArray(json) ? json : [json]).map((one) => {
          const body = one as { readonly type?: string; readonly account?: string } | null
          const event = { name: body?.type ?? 'other', deliveryId: headers['x-github-delivery'] ?? null, payload: one }
          return body?.account === undefined ? event : { ...event, account: body.account }
        }),
    },
    connect: async () => ({}),
    actions: {
      nothing: defineAction({
        description: 'Does nothing.',
        input: z.strictObject({}),
        output: z.strictObject({ done: z.boolean() }),
        effect: 'read',
        idempotency: 'natural',
        run: async () => ({ done: true }),
      }),
    },
    scaffold: ({ name: as }) => `  ${as}: { type: ${name} }`,
    example: () => ({ fileName: 'x.flow.yaml', source: '' }),
  })
}
