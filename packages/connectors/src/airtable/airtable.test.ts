/** What only the local server can be made to do. */
import { PlugworkError } from '@plugwork/core'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { callActions } from '../vendor/testing/call-actions.ts'
import { airtable } from './airtable.ts'
import { openAirtableService, type AirtableService } from './testing/open-service.ts'
import { BASE, replies, type AirtableServer } from './testing/server.ts'

let service: AirtableService
let server: AirtableServer
beforeEach(async () => {
  service = await openAirtableService()
  server = service.server!
})
afterEach(() => service.close())
const here = { base: BASE, table: 'Apartments' }

async function failure(promise: Promise<unknown>): Promise<PlugworkError> {
  const error: unknown = await promise.then(
    () => new Error('it did not fail'),
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof PlugworkError)) throw error
  return error
}

test('after too many calls it is 30 seconds until the next', async () => {
  server.next(replies.limited)
  expect(await failure(service.call('records.list', here))).toMatchObject({
    code: 'airtable_rate_limited',
    retryable: true,
    message: expect.stringContaining('Rate limit exceeded. Please try again later'),
    data: { code: 'RATE_LIMIT_REACHED', retryAfterMs: 30_000 },
  })
  expect(airtable.limits).toEqual({ requests: 5, per: '1s', burst: 5 })
})

test('every form of error has its code', async () => {
  server.next(replies.unavailable)
  expect(await failure(service.call('records.list', here))).toMatchObject({
    code: 'airtable_unavailable',
    retryable: true,
  })
  const missing = await failure(service.call('records.get', { ...here, record: 'rec00000000000000' }))
  expect(missing).toMatchObject({ code: 'airtable_not_found', data: { status: 404, code: 'NOT_FOUND' } })
  const forbidden = await failure(service.call('records.list', { ...here, table: 'Other' }))
  expect(forbidden).toMatchObject({
    code: 'airtable_forbidden',
    data: { code: 'INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND' },
  })
  const formula = await failure(service.call('records.list', { ...here, formula: '{' }))
  expect(formula).toMatchObject({ code: 'airtable_invalid', data: { code: 'INVALID_FILTER_BY_FORMULA' } })
  const wrong = await callActions(airtable, { base_url: server.baseUrl, token: 'pat.wrong' })
  expect(await failure(wrong.call('bases.list', {}))).toMatchObject({ code: 'airtable_unauthorized' })
  await wrong.close()
  await expect(callActions(airtable, {})).rejects.toMatchObject({ code: 'airtable_config' })
})

test('an error in a later group says what was done before', async () => {
  const records = Array.from({ length: 21 }, (_, index) => (index === 20 ? { Nothing: 1 } : { Name: `n${index}` }))
  const error = await failure(service.call('records.create_many', { ...here, records }))
  expect(error).toMatchObject({
    code: 'airtable_invalid',
    message: expect.stringContaining('The first 20 of 21 records were done before.'),
  })
  const { done } = error.data as { done: string[] }
  expect((await service.all('records.list', here)).items.map((item) => (item as { id: string }).id)).toEqual(done)
  expect(server.seen.filter(({ path, method }) => method === 'POST' && path.endsWith('/Apartments'))).toHaveLength(3)
})

test('names of tables are one segment of the address; fields come by id where asked', async () => {
  await failure(service.call('records.list', { ...here, table: 'a/../b' }))
  expect(server.seen.at(-1)!.path).toBe(`/v0/${BASE}/a%2F..%2Fb/listRecords`)
  const made = await service.call('records.create', { ...here, fields: { Rent: 1 }, fields_by_id: true })
  expect(made['fields']).toEqual({ fldRent: 1 })
  expect(await service.call('records.get', { ...here, record: made['id'], fields_by_id: true })).toMatchObject({
    fields: { fldRent: 1 },
  })
})

test('records without id need fields to be found by', () => {
  const { input } = airtable.actions['records.update_many']
  expect(input.safeParse({ ...here, records: [{ fields: { Name: 'a' } }] })).toMatchObject({ success: false })
  expect(input.safeParse({ ...here, merge_on: ['Name'], records: [{ fields: { Name: 'a' } }] })).toMatchObject({
    success: true,
  })
})
