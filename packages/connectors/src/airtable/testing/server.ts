/**
 * A local Airtable, built from airtable.com/developers/web/api: the page of each operation stands at its route; errors and limits
 * from /errors and /rate-limits. It understands formulas of the form `{Field} = "text"`.
 */
import type { Json, JsonObject } from '@plugwork/core'
import {
  startVendor,
  type Route,
  type VendorReply,
  type VendorRequest,
  type VendorServer,
} from '../../vendor/testing/vendor-server.ts'

export const TOKEN = 'patTest.0123456789abcdef'
export const BASE = 'appLkNDICXNqxSDhG'

const refuse = (status: number, type: string, message: string): VendorReply => ({
  status,
  body: { error: { type, message } },
})

export const replies = {
  // /errors#anchor-429 and the message of /errors
  limited: {
    status: 429,
    body: { errors: [{ error: 'RATE_LIMIT_REACHED', message: 'Rate limit exceeded. Please try again later' }] },
  },
  unauthorized: refuse(401, 'AUTHENTICATION_REQUIRED', 'Authentication required'),
  // /errors#anchor-403
  forbidden: refuse(
    403,
    'INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND',
    'Invalid permissions, or the requested model was not found. Check that both your user and your token have the required permissions, and that the model names and/or ids are correct.',
  ),
  notFound: { status: 404, body: { error: 'NOT_FOUND' } },
  unavailable: refuse(503, 'SERVICE_UNAVAILABLE', 'The service is temporarily unavailable. Please retry shortly.'),
} satisfies Record<string, VendorReply>

// /get-base-schema
const TABLES: readonly JsonObject[] = [
  {
    description: 'Apartments to track.',
    fields: [
      { description: 'Name of the apartment', id: 'fld1VnoyuotSTyxW1', name: 'Name', type: 'singleLineText' },
      { id: 'fldoaIqdn5szURHpw', name: 'Pictures', options: { isReversed: false }, type: 'multipleAttachments' },
      { id: 'fldRent', name: 'Rent', type: 'number', options: { precision: 0 } },
    ],
    id: 'tbltp8DGLhqbUmjK1',
    name: 'Apartments',
    primaryFieldId: 'fld1VnoyuotSTyxW1',
    views: [{ id: 'viwQpsuEDqHFqegkp', name: 'Grid view', type: 'grid' }],
  },
]
const FIELDS: ReadonlyMap<string, string> = new Map([
  ['Name', 'fld1VnoyuotSTyxW1'],
  ['Rent', 'fldRent'],
])

interface Row {
  readonly id: string
  readonly createdTime: string
  fields: JsonObject
}

export interface AirtableServer extends VendorServer {
  readonly baseUrl: string
}

/** Starts an Airtable with one base, whose table `Apartments` is empty. */
export async function startAirtable(): Promise<AirtableServer> {
  const rows: Row[] = []
  let ids = 0

  const known = ({ params }: VendorRequest): boolean =>
    params['base'] === BASE && ['Apartments', 'tbltp8DGLhqbUmjK1'].includes(params['table'] ?? '')
  const inTable =
    (handle: Route): Route =>
    (request) =>
      known(request) ? handle(request) : replies.forbidden
  const rowOf = (id: Json | undefined): Row | undefined => rows.find((row) => row.id === id)

  /** What is wrong with cells: /errors, 422. */
  function wrong(cells: JsonObject, typecast: Json | undefined): VendorReply | null {
    for (const [name, value] of Object.entries(cells)) {
      if (!FIELDS.has(name)) return refuse(422, 'UNKNOWN_FIELD_NAME', `Unknown field name: "${name}"`)
      if (name === 'Rent' && typeof value !== 'number' && typecast !== true) {
        return refuse(422, 'INVALID_VALUE_FOR_COLUMN', 'Field "Rent" cannot accept the provided value')
      }
    }
    return null
  }
  const cellsOf = (cells: JsonObject): JsonObject =>
    Object.fromEntries(Object.entries(cells).map(([name, value]) => [name, name === 'Rent' ? Number(value) : value]))
  function add(cells: JsonObject): Row {
    const row = {
      id: `rec${String((ids += 1)).padStart(14, '0')}`,
      createdTime: '2022-09-12T21:03:48.000Z',
      fields: cellsOf(cells),
    }
    rows.push(row)
    return row
  }
  function shown(row: Row, byId: Json | undefined, only?: Json): JsonObject {
    const kept = Object.entries(row.fields)
      .filter(
        ([name, value]) => value !== null && value !== '' && (only === undefined || (only as string[]).includes(name)),
      )
      .map(([name, value]): [string, Json] => [byId === true ? FIELDS.get(name)! : name, value])
    return { id: row.id, createdTime: row.createdTime, fields: Object.fromEntries(kept) }
  }

  const routes: Record<string, Route> = {
    // /get-user-id-scopes
    'GET /v0/meta/whoami': () => ({
      body: { id: 'usrL2PNC5o3H4lBEi', scopes: ['data.records:read', 'schema.bases:read'] },
    }),
    // /list-bases, in pages of one
    'GET /v0/meta/bases': ({ query }) => {
      const first = query.get('offset') === null
      const base = first
        ? { id: BASE, name: 'Apartment Hunting', permissionLevel: 'create' }
        : { id: 'appSW9R5uCNmRmfl6', name: 'Project Tracker', permissionLevel: 'edit' }
      const more: JsonObject = first ? { offset: 'itr23sEjsdfEr3282/appSW9R5uCNmRmfl6' } : {}
      return { body: { bases: [base], ...more } }
    },
    // /get-base-schema
    'GET /v0/meta/bases/:base/tables': ({ params }) =>
      params['base'] === BASE ? { body: { tables: [...TABLES] } } : replies.forbidden,
    // /list-records: POST …/listRecords takes the same in its body
    'POST /v0/:base/:table/listRecords': inTable(({ json }) => {
      let found = [...rows]
      const formula = json['filterByFormula']
      if (formula !== undefined) {
        const [, field, text] = /^\{(\w+)\} = "(.*)"$/.exec(String(formula)) ?? []
        if (field === undefined)
          return refuse(
            422,
            'INVALID_FILTER_BY_FORMULA',
            'The formula for filtering records is invalid: Invalid formula. Please check your formula text.',
          )
        found = found.filter((row) => row.fields[field] === text)
      }
      for (const { field, direction } of (
        (json['sort'] ?? []) as { field: string; direction: string }[]
      ).toReversed()) {
        const sign = direction === 'desc' ? -1 : 1
        found.sort(
          (a, b) => sign * String(a.fields[field]).localeCompare(String(b.fields[field]), 'en', { numeric: true }),
        )
      }
      found = found.slice(0, Number(json['maxRecords'] ?? found.length))
      const start = json['offset'] === undefined ? 0 : Number(String(json['offset']).split('/')[1])
      const end = start + Number(json['pageSize'] ?? 100)
      const records = found.slice(start, end).map((row) => shown(row, json['returnFieldsByFieldId'], json['fields']))
      return { body: { records, ...(end < found.length ? { offset: `itrMz3zlTqW1fJ4mK/${end}` } : {}) } }
    }),
    // /get-record
    'GET /v0/:base/:table/:record': inTable(({ params, query }) => {
      const row = rowOf(params['record'])
      return row === undefined ? replies.notFound : { body: shown(row, query.get('returnFieldsByFieldId') === 'true') }
    }),
    // /create-records: one as `fields`, or up to ten as `records`
    'POST /v0/:base/:table': inTable(({ json }) => {
      const many = json['records'] as { fields: JsonObject }[] | undefined
      const given = many ?? [{ fields: json['fields'] as JsonObject }]
      if (given.length > 10)
        return refuse(
          422,
          'INVALID_RECORDS',
          'You must provide an array of up to 10 record objects, each with an "id" ID field and a "fields" object for cell values.',
        )
      for (const { fields } of given) {
        const refused = wrong(fields, json['typecast'])
        if (refused !== null) return refused
      }
      const made = given.map(({ fields }) => shown(add(fields), json['returnFieldsByFieldId']))
      return { body: many === undefined ? made[0]! : { records: made } }
    }),
    // /update-record
    'PATCH /v0/:base/:table/:record': inTable((request) => change(request, false)),
    'PUT /v0/:base/:table/:record': inTable((request) => change(request, true)),
    // /update-multiple-records
    'PATCH /v0/:base/:table': inTable(({ json }) => {
      const given = json['records'] as { id?: string; fields: JsonObject }[]
      if (given.length > 10)
        return refuse(
          422,
          'INVALID_RECORDS',
          'You must provide an array of up to 10 record objects, each with an "id" ID field and a "fields" object for cell values.',
        )
      const upsert = json['performUpsert'] as { fieldsToMergeOn: string[] } | undefined
      const created: string[] = []
      const updated: string[] = []
      const records: JsonObject[] = []
      for (const { id, fields } of given) {
        const refused = wrong(fields, json['typecast'])
        if (refused !== null) return refused
        const same = (row: Row): boolean => upsert!.fieldsToMergeOn.every((name) => row.fields[name] === fields[name])
        const matches = id === undefined ? rows.filter(same) : [rowOf(id)].filter((row) => row !== undefined)
        if (id !== undefined && matches.length === 0)
          return refuse(422, 'ROW_DOES_NOT_EXIST', `Record ID ${id} does not exist in this table`)
        if (matches.length > 1) return refuse(422, 'INVALID_VALUE_FOR_COLUMN', 'Cannot update more than one record')
        const [row] = matches
        if (row === undefined) {
          const made = add(fields)
          created.push(made.id)
          records.push(shown(made, json['returnFieldsByFieldId']))
        } else {
          row.fields = { ...row.fields, ...cellsOf(fields) }
          updated.push(row.id)
          records.push(shown(row, json['returnFieldsByFieldId']))
        }
      }
      return {
        body: { records, ...(upsert === undefined ? {} : { createdRecords: created, updatedRecords: updated }) },
      }
    }),
    // /delete-record
    'DELETE /v0/:base/:table/:record': inTable(({ params }) =>
      drop(params['record']!) ? { body: { id: params['record']!, deleted: true } } : replies.notFound,
    ),
    // /delete-multiple-records
    'DELETE /v0/:base/:table': inTable(({ query }) => {
      const given = query.getAll('records[]')
      if (given.length > 10) return refuse(422, 'INVALID_RECORDS', 'You must provide an array of up to 10 record IDs.')
      if (given.some((id) => rowOf(id) === undefined)) return replies.notFound
      return { body: { records: given.map((id) => ({ id, deleted: drop(id) })) } }
    }),
  }

  function change({ params, json }: VendorRequest, replace: boolean): VendorReply {
    const row = rowOf(params['record'])
    if (row === undefined) return replies.notFound
    const cells = json['fields'] as JsonObject
    const refused = wrong(cells, json['typecast'])
    if (refused !== null) return refused
    row.fields = { ...(replace ? {} : row.fields), ...cellsOf(cells) }
    return { body: shown(row, json['returnFieldsByFieldId']) }
  }
  function drop(id: string): boolean {
    const index = rows.findIndex((row) => row.id === id)
    if (index >= 0) rows.splice(index, 1)
    return index >= 0
  }

  const server = await startVendor({
    routes,
    guard: ({ headers }) => (headers.authorization === `Bearer ${TOKEN}` ? null : replies.unauthorized),
    missing: replies.notFound,
  })
  return { ...server, baseUrl: `${server.origin}/v0` }
}
