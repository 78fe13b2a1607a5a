import { PlugworkError, type JsonObject } from '@plugwork/core'
import { cursorPages, defineAction, path, type ApiPath } from '@plugwork/core/node'
import { z } from 'zod'
import { read, type ApiContext } from '../api-action.ts'
import { deleted, fields, inTable, nextCursor, record, recordId, selection, writing } from './schemas.ts'

/** Actions on records. airtable.com/developers/web/api/list-records and its siblings. */

/** Records that Airtable takes in one request: airtable.com/developers/web/api/create-records */
const GROUP = 10

type Selection = z.output<z.ZodObject<typeof selection>>

/** A selection in the words of the API; as POST, because formulas may be longer than a URL. */
function select({ view, formula, fields: only, sort, fields_by_id: byId }: Selection): JsonObject {
  return {
    ...(view === undefined ? {} : { view }),
    ...(formula === undefined ? {} : { filterByFormula: formula }),
    ...(only === undefined ? {} : { fields: only }),
    ...(sort === undefined ? {} : { sort: sort.map(({ field, direction = 'asc' }) => ({ field, direction })) }),
    ...(byId === undefined ? {} : { returnFieldsByFieldId: byId }),
  }
}

const page = z.object({ records: z.array(record), offset: z.string().optional() })

const list = defineAction({
  description: 'Lists records of a table.',
  input: z.strictObject({
    ...inTable,
    ...selection,
    max_records: z.int().positive().optional().describe('At most so many records in all pages.'),
    page_size: z.int().min(1).max(100).optional().describe('Default: 100.'),
    cursor: z.string().optional().describe('`next_cursor` of the page before.'),
  }),
  output: z.object({ items: z.array(record), next_cursor: nextCursor }),
  effect: 'read',
  idempotency: 'natural',
  pages: cursorPages('items'),
  example: `
- airtable.records.list:
    id: open
    connection: main
    base: appLkNDICXNqxSDhG
    table: Apartments
    formula: '{Status} = "Open"'
    sort: [{ field: Rent }]
    outputs: [items]`,
  async run(context: ApiContext, input) {
    const { data } = await read(context, page, {
      method: 'POST',
      path: path`/${input.base}/${input.table}/listRecords`,
      json: { ...select(input), maxRecords: input.max_records, pageSize: input.page_size, offset: input.cursor },
    })
    return { items: data.records, next_cursor: data.offset ?? null }
  },
})

const find = defineAction({
  description: 'Finds the first record that matches; null where there is none.',
  input: z.strictObject({
    ...inTable,
    ...selection,
    formula: z.string().min(1).describe(selection.formula.description!),
  }),
  output: z.object({ found: z.boolean(), record: record.nullable() }),
  effect: 'read',
  idempotency: 'natural',
  async run(context: ApiContext, input) {
    const { data } = await read(context, page, {
      method: 'POST',
      path: path`/${input.base}/${input.table}/listRecords`,
      json: { ...select(input), maxRecords: 1, pageSize: 1 },
    })
    const [first = null] = data.records
    return { found: first !== null, record: first }
  },
})

const get = defineAction({
  description: 'Reads a record.',
  input: z.strictObject({ ...inTable, record: recordId, fields_by_id: writing.fields_by_id }),
  output: record,
  effect: 'read',
  idempotency: 'natural',
  run: async (context: ApiContext, { base, table, record: id, fields_by_id: byId }) =>
    (
      await read(context, record, {
        path: path`/${base}/${table}/${id}`,
        query: { returnFieldsByFieldId: byId },
      })
    ).data,
})

const create = defineAction({
  description: 'Creates a record.',
  input: z.strictObject({ ...inTable, fields, ...writing }),
  output: record,
  effect: 'write',
  idempotency: 'none',
  run: async (context: ApiContext, { base, table, fields: cells, ...options }) =>
    (
      await read(context, record, {
        method: 'POST',
        path: path`/${base}/${table}`,
        json: { fields: cells, ...optionsOf(options) },
      })
    ).data,
})

const update = defineAction({
  description: 'Changes a record: the given fields, and with `replace` all others become empty.',
  input: z.strictObject({
    ...inTable,
    record: recordId,
    fields,
    replace: z.boolean().optional().describe('Default: false.'),
    ...writing,
  }),
  output: record,
  effect: 'write',
  idempotency: 'natural',
  run: async (context: ApiContext, { base, table, record: id, fields: cells, replace = false, ...options }) =>
    (
      await read(context, record, {
        method: replace ? 'PUT' : 'PATCH',
        path: path`/${base}/${table}/${id}`,
        json: { fields: cells, ...optionsOf(options) },
      })
    ).data,
})

const remove = defineAction({
  description: 'Deletes a record. One that is gone is an error.',
  input: z.strictObject({ ...inTable, record: recordId }),
  output: deleted,
  effect: 'destructive',
  idempotency: 'natural',
  run: async (context: ApiContext, { base, table, record: id }) =>
    (await read(context, deleted, { method: 'DELETE', path: path`/${base}/${table}/${id}` })).data,
})

const createMany = defineAction({
  description: 'Creates records, ten a request. After an error `data.done` of it lists what was created before.',
  input: z.strictObject({ ...inTable, records: z.array(fields).min(1), ...writing }),
  output: z.object({ records: z.array(record) }),
  effect: 'write',
  idempotency: 'none',
  async run(context: ApiContext, { base, table, records, ...options }) {
    const made = await inGroups(records, async (group) => {
      const json = { records: group.map((cells) => ({ fields: cells })), ...optionsOf(options) }
      return (await read(context, page, { method: 'POST', path: path`/${base}/${table}`, json })).data.records
    })
    return { records: made }
  },
})

const updateMany = defineAction({
  description:
    'Changes records, ten a request; with `merge_on` those without `record` are found by these fields, or created. After an error `data.done` of it lists what was changed before.',
  input: z
    .strictObject({
      ...inTable,
      records: z.array(z.strictObject({ record: recordId.optional(), fields })).min(1),
      merge_on: z.array(z.string()).min(1).max(3).optional().describe('Up to three fields that tell records apart.'),
      ...writing,
    })
    .refine(
      ({ records, merge_on: merge }) => merge !== undefined || records.every(({ record: id }) => id !== undefined),
      'every record needs its id, or give merge_on',
    ),
  output: z.object({
    records: z.array(record),
    created: z.array(z.string()).describe('Ids of those that were created.'),
  }),
  effect: 'write',
  idempotency: 'natural',
  async run(context: ApiContext, { base, table, records, merge_on: merge, ...options }) {
    const answer = page.extend({ createdRecords: z.array(z.string()).optional() })
    const created: string[] = []
    const changed = await inGroups(records, async (group) => {
      const { data } = await read(context, answer, {
        method: 'PATCH',
        path: path`/${base}/${table}`,
        json: {
          records: group.map(({ record: id, fields: cells }) => ({ id, fields: cells })),
          ...(merge === undefined ? {} : { performUpsert: { fieldsToMergeOn: merge } }),
          ...optionsOf(options),
        },
      })
      created.push(...(data.createdRecords ?? []))
      return data.records
    })
    return { records: changed, created }
  },
})

const deleteMany = defineAction({
  description: 'Deletes records, ten a request. After an error `data.done` of it lists what was deleted before.',
  input: z.strictObject({ ...inTable, records: z.array(recordId).min(1) }),
  output: z.object({ deleted: z.array(z.string()) }),
  effect: 'destructive',
  idempotency: 'natural',
  async run(context: ApiContext, { base, table, records }) {
    const answer = z.object({ records: z.array(deleted) })
    const gone = await inGroups(records, async (group) => {
      const query = { 'records[]': group }
      return (await read(context, answer, { method: 'DELETE', path: tablePath(base, table), query })).data.records
    })
    return { deleted: gone.map(({ id }) => id) }
  },
})

const tablePath = (base: string, table: string): ApiPath => path`/${base}/${table}`

function optionsOf({
  typecast,
  fields_by_id: byId,
}: {
  typecast?: boolean | undefined
  fields_by_id?: boolean | undefined
}) {
  return { typecast, returnFieldsByFieldId: byId }
}

/** One group after the other. An error says which records were done before it: the groups are not undone. */
async function inGroups<Item, Done extends { readonly id: string }>(
  items: readonly Item[],
  body: (group: Item[]) => Promise<readonly Done[]>,
): Promise<Done[]> {
  const done: Done[] = []
  for (let at = 0; at < items.length; at += GROUP) {
    try {
      done.push(...(await body(items.slice(at, at + GROUP))))
    } catch (error) {
      if (!(error instanceof PlugworkError) || at === 0) throw error
      const { code, message, retryable, data } = error
      const before = typeof data === 'object' && data !== null && !Array.isArray(data) ? data : {}
      throw new PlugworkError(code, `${message} The first ${at} of ${items.length} records were done before.`, {
        cause: error,
        retryable,
        data: { ...before, done: done.map(({ id }) => id) },
      })
    }
  }
  return done
}

export const recordActions = {
  'records.list': list,
  'records.find': find,
  'records.get': get,
  'records.create': create,
  'records.update': update,
  'records.delete': remove,
  'records.create_many': createMany,
  'records.update_many': updateMany,
  'records.delete_many': deleteMany,
}
