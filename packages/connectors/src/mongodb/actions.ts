/** The actions of the mongodb connector. */
import type { Document } from 'mongodb'
import type { Json, JsonObject } from '@plugwork/core'
import { defineAction, type ActionContext } from '@plugwork/core/node'
import { z } from 'zod'
import { json } from '../network-settings.ts'
import { mongodbError } from './errors.ts'
import { literalFilter, refuseOperators } from './operators.ts'
import {
  all,
  collection,
  count as number,
  DEFAULT_LIMIT,
  document,
  documents,
  limit,
  projection,
  selecting,
  skip,
  sort,
} from './schemas.ts'
import type { MongodbSession } from './session.ts'

type Context = ActionContext<MongodbSession>

interface Selection {
  readonly filter?: JsonObject | undefined
  readonly match?: JsonObject | undefined
}

/** What is selected, for the server. Throws `mongodb_operator`, `mongodb_input` and `mongodb_value`. */
function filterOf(session: MongodbSession, { filter, match }: Selection): Document {
  const parts: Document[] = []
  if (filter !== undefined) {
    refuseOperators(filter, 'filter', session.settings.allowJavascript)
    parts.push(session.document(filter, 'filter'))
  }
  if (match !== undefined) parts.push(session.document(literalFilter(match), 'match'))
  if (parts.length < 2) return parts[0] ?? {}
  return { $and: parts }
}

/** The same for what changes documents: that all of them are meant has to be said. */
function narrowFilterOf(
  session: MongodbSession,
  action: string,
  input: Selection & { readonly all: boolean },
): Document {
  const selects = Object.keys(input.filter ?? {}).length > 0 || Object.keys(input.match ?? {}).length > 0
  if (selects || input.all) return filterOf(session, input)
  throw mongodbError(
    'mongodb_input',
    `${action} has neither \`filter\` nor \`match\`, and would take any document of the collection. Select some, or say \`all: true\`.`,
  )
}

function projected(session: MongodbSession, given: JsonObject | undefined): { projection?: Document } {
  if (given === undefined) return {}
  refuseOperators(given, 'projection', session.settings.allowJavascript)
  return { projection: given }
}

const tooMany = (what: string): Error =>
  mongodbError(
    'mongodb_too_many',
    `${what} has more than ${DEFAULT_LIMIT} documents. Say with \`limit\` how many are wanted (at most 100,000), or select fewer.`,
  )

export const find = defineAction({
  description: 'Reads documents.',
  input: z.strictObject({ collection, ...selecting, projection, sort, skip, limit }),
  output: z.object({
    documents,
    count: number.describe('How many were answered.'),
    has_more: z.boolean().describe('Whether there are more than `limit`.'),
  }),
  effect: 'read',
  idempotency: 'natural',
  example: `
- mongo_find:
    id: orders
    connection: main
    collection: orders
    match: { customer: "\${inputs.customer}" }
    filter: { total: { $gt: 100 } }
    sort: { created: -1 }
    limit: 20
    outputs: [documents, has_more]`,
  pages: {
    items: 'documents',
    next: (input, output) => (output.has_more ? { ...input, skip: (input.skip ?? 0) + output.documents.length } : null),
  },
  async run({ client, signal }: Context, input) {
    const filter = filterOf(client, input)
    const wanted = input.limit ?? DEFAULT_LIMIT
    const what = `find in ${input.collection}`
    const { documents: found, more } = await client.call({
      what: 'find in',
      collection: input.collection,
      signal,
      work: (target, bounds) =>
        client.collect(
          target.find(filter, {
            ...client.reading,
            ...projected(client, input.projection),
            ...(input.sort === undefined ? {} : { sort: input.sort }),
            skip: input.skip,
            limit: wanted + 1,
            batchSize: Math.min(wanted + 1, 1_000),
            ...bounds,
          }),
          { limit: wanted, what },
        ),
    })
    if (more && input.limit === undefined) throw tooMany(what)
    return { documents: found, count: found.length, has_more: more }
  },
})

export const findOne = defineAction({
  description: 'Reads one document.',
  input: z.strictObject({ collection, ...selecting, projection, sort, skip }),
  output: z.object({
    document: document.nullable().describe('The first that fits; null when there is none.'),
    found: z.boolean(),
  }),
  effect: 'read',
  idempotency: 'natural',
  async run({ client, signal }: Context, input) {
    const filter = filterOf(client, input)
    const found = await client.call({
      what: 'find_one in',
      collection: input.collection,
      signal,
      work: (target, { maxTimeMS }) =>
        target.findOne(filter, {
          maxTimeMS,
          ...client.reading,
          ...projected(client, input.projection),
          ...(input.sort === undefined ? {} : { sort: input.sort }),
          skip: input.skip,
        }),
    })
    return { document: found === null ? null : (client.json(found) as JsonObject), found: found !== null }
  },
})

const id = json<Json>()

export const insert = defineAction({
  description: 'Stores one or more new documents.',
  input: z.strictObject({
    collection,
    document: document.optional().describe('The document. A `_id` of its own makes repeating safe.'),
    documents: z.array(document).min(1).max(100_000).optional().describe('Or several of them.'),
    ordered: z.boolean().default(true).describe('Stops at the first that is refused; false: tries all.'),
  }),
  output: z.object({
    inserted_count: number,
    inserted_id: id.describe('`_id` of the first.'),
    inserted_ids: z.array(id).describe('`_id` of each, in order.'),
  }),
  effect: 'write',
  idempotency: 'none',
  example: `
- mongo_insert:
    id: order
    connection: main
    collection: orders
    document:
      customer: \${inputs.customer}
      total: { $numberDecimal: "19.90" }
      created: { $date: "2026-01-01T00:00:00Z" }
    outputs: [inserted_id]`,
  async run({ client, signal }: Context, input) {
    if ((input.document === undefined) === (input.documents === undefined))
      throw mongodbError('mongodb_input', 'mongo_insert takes either `document` or `documents`. Give one of them.')
    const given = input.documents ?? [input.document!]
    const prepared = given.map((each, index) =>
      client.document(each, input.documents === undefined ? 'document' : `documents[${index}]`),
    )
    const { insertedIds, insertedCount } = await client.call({
      what: 'insert into',
      collection: input.collection,
      signal,
      work: (target) => target.insertMany(prepared, { ordered: input.ordered }),
    })
    const ids = prepared.map((_, index) => client.json(insertedIds[index]))
    return { inserted_count: insertedCount, inserted_id: ids[0] ?? null, inserted_ids: ids }
  },
})

export const update = defineAction({
  description: 'Changes documents, one unless `many` is true.',
  input: z.strictObject({
    collection,
    ...selecting,
    all,
    update: document.describe(
      'Update operators: `{ $set: { … }, $inc: { … } }`. With `replace`: the whole new document.',
    ),
    many: z.boolean().default(false).describe('Changes all that fit, not only the first.'),
    upsert: z.boolean().default(false).describe('Stores a new document when none fits.'),
    replace: z.boolean().default(false).describe('`update` is the new document; one is replaced.'),
    array_filters: z.array(document).optional().describe('Which elements `$[name]` in the update means.'),
  }),
  output: z.object({
    matched_count: number,
    modified_count: number,
    upserted_id: id.describe('`_id` of the new document; null when none was stored.'),
  }),
  effect: 'write',
  idempotency: 'none',
  example: `
- mongo_update:
    connection: main
    collection: stock
    match: { sku: "\${inputs.sku}" }
    update: { $inc: { quantity: "\${inputs.quantity}" } }
    upsert: true`,
  async run({ client, signal }: Context, input) {
    const { replace, many, upsert } = input
    const filter = narrowFilterOf(client, 'mongo_update', input)
    const names = Object.keys(input.update)
    const operators = names.filter((name) => name.startsWith('$'))
    if (replace && (many || input.array_filters !== undefined || operators.length > 0))
      throw mongodbError(
        'mongodb_input',
        'With `replace: true` mongo_update takes a whole document without operators, no `many` and no `array_filters`.',
      )
    if (!replace && (operators.length === 0 || operators.length < names.length))
      throw mongodbError(
        'mongodb_input',
        '`update` has fields that are no operators. Write { $set: { … } } to change them, or say `replace: true` to replace the whole document.',
      )
    if (!replace) refuseOperators(input.update, 'update', client.settings.allowJavascript)
    const change = client.document(input.update, 'update')
    for (const each of input.array_filters ?? [])
      refuseOperators(each, 'array_filters', client.settings.allowJavascript)
    const options = {
      upsert,
      ...(input.array_filters === undefined
        ? {}
        : { arrayFilters: input.array_filters.map((each) => client.document(each, 'array_filters')) }),
    }
    const result = await client.call({
      what: 'update in',
      collection: input.collection,
      signal,
      async work(target) {
        if (replace) return target.replaceOne(filter, change, { upsert })
        return many ? target.updateMany(filter, change, options) : target.updateOne(filter, change, options)
      },
    })
    return {
      matched_count: result.matchedCount,
      modified_count: result.modifiedCount,
      upserted_id: result.upsertedId === null ? null : client.json(result.upsertedId),
    }
  },
})

export const remove = defineAction({
  description: 'Deletes documents, one unless `many` is true.',
  input: z.strictObject({
    collection,
    ...selecting,
    all,
    many: z.boolean().default(false).describe('Deletes all that fit, not only the first.'),
  }),
  output: z.object({ deleted_count: number }),
  effect: 'destructive',
  // Once more, "the first that fits" is another one.
  idempotency: 'none',
  async run({ client, signal }: Context, input) {
    const filter = narrowFilterOf(client, 'mongo_delete', input)
    const { deletedCount } = await client.call({
      what: 'delete from',
      collection: input.collection,
      signal,
      work: (target) => (input.many ? target.deleteMany(filter) : target.deleteOne(filter)),
    })
    return { deleted_count: deletedCount }
  },
})

export const count = defineAction({
  description: 'Counts documents.',
  input: z.strictObject({
    collection,
    ...selecting,
    limit: z.int().positive().optional().describe('Where to stop counting.'),
  }),
  output: z.object({ count: number }),
  effect: 'read',
  idempotency: 'natural',
  async run({ client, signal }: Context, input) {
    const filter = filterOf(client, input)
    const counted = await client.call({
      what: 'count in',
      collection: input.collection,
      signal,
      work: (target, { maxTimeMS }) =>
        target.countDocuments(filter, { maxTimeMS, ...(input.limit === undefined ? {} : { limit: input.limit }) }),
    })
    return { count: counted }
  },
})

export const aggregate = defineAction({
  description: 'Reads what a pipeline of stages makes of the documents.',
  input: z.strictObject({
    collection,
    pipeline: z
      .array(document)
      .max(100)
      .describe(
        'The stages. In expressions a text that begins with `$` is a field: put values of strangers into `$literal`.',
      ),
    limit,
  }),
  output: z.object({ documents, count: number }),
  effect: 'read',
  idempotency: 'natural',
  example: `
- mongo_aggregate:
    id: totals
    connection: main
    collection: orders
    pipeline:
      - { $match: { paid: true } }
      - { $group: { _id: $customer, total: { $sum: $total } } }
      - { $sort: { total: -1 } }
    limit: 10
    outputs: [documents]`,
  async run({ client, signal }: Context, input) {
    refuseOperators(input.pipeline, 'pipeline', client.settings.allowJavascript)
    const stages = input.pipeline.map((each, index) => stageOf(client, each, `pipeline[${index}]`))
    const wanted = input.limit ?? DEFAULT_LIMIT
    const what = `aggregate in ${input.collection}`
    const { documents: found, more } = await client.call({
      what: 'aggregate in',
      collection: input.collection,
      signal,
      work: (target, bounds) =>
        client.collect(
          target.aggregate([...stages, { $limit: wanted + 1 }], {
            ...client.reading,
            batchSize: Math.min(wanted + 1, 1_000),
            ...bounds,
          }),
          { limit: wanted, what },
        ),
    })
    if (more && input.limit === undefined) throw tooMany(what)
    return { documents: found, count: found.length }
  },
})

function stageOf(session: MongodbSession, stage: JsonObject, where: string): Document {
  const names = Object.keys(stage)
  if (names.length === 1 && names[0]!.startsWith('$')) return session.document(stage, where)
  throw mongodbError(
    'mongodb_input',
    `\`${where}\` is not a stage: it needs one name that begins with $, such as { $match: { … } }.`,
  )
}
