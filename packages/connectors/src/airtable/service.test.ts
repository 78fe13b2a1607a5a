/** What holds for the local server and for airtable.com: `npm run test:live -- airtable`. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openAirtableService, type AirtableService } from './testing/open-service.ts'

let service: AirtableService
beforeEach(async () => {
  service = await openAirtableService()
})
afterEach(() => service.close())

const here = (): { base: string; table: string } => ({ base: service.base, table: service.table })
const unique = `plugwork ${Date.now()}`
const idsOf = (records: unknown): string[] => (records as { id: string }[]).map(({ id }) => id)

test('the connection test names the account', async () => {
  expect(await service.test()).toMatch(/^Airtable knows the token as usr\w+/)
})

test('bases and the schema of one', async () => {
  const { items } = await service.all('bases.list', {})
  expect(items).toContainEqual(expect.objectContaining({ id: service.base }))
  const { tables } = await service.call('tables.list', { base: service.base })
  expect(tables).toContainEqual(
    expect.objectContaining({ fields: expect.arrayContaining([expect.objectContaining({ name: 'Name' })]) as unknown }),
  )
})

test('a record is created, read, changed, found and deleted', async () => {
  const { call } = service
  const { id: record } = await call('records.create', { ...here(), fields: { Name: unique, Rent: 7 } })
  expect(await call('records.get', { ...here(), record })).toMatchObject({
    id: record,
    fields: { Name: unique, Rent: 7 },
  })
  await call('records.update', { ...here(), record, fields: { Rent: '8' }, typecast: true })
  const found = await call('records.find', { ...here(), formula: `{Name} = "${unique}"` })
  expect(found).toMatchObject({ found: true, record: { id: record, fields: { Rent: 8 } } })
  const replaced = await call('records.update', { ...here(), record, fields: { Name: unique }, replace: true })
  expect(replaced['fields']).toEqual({ Name: unique })
  expect(await call('records.delete', { ...here(), record })).toEqual({ id: record, deleted: true })
  const gone = await call('records.find', { ...here(), formula: `{Name} = "${unique}"` })
  expect(gone).toEqual({ found: false, record: null })
  await expect(call('records.get', { ...here(), record })).rejects.toMatchObject({ retryable: false })
})

test('many records are created, listed in pages, merged and deleted', async () => {
  const { call } = service
  const records = Array.from({ length: 12 }, (_, index) => ({ Name: `${unique} m`, Rent: index }))
  const created = await call('records.create_many', { ...here(), records })
  const ids = idsOf(created['records'])
  expect(ids).toHaveLength(12)
  const selection = {
    formula: `{Name} = "${unique} m"`,
    sort: [{ field: 'Rent', direction: 'desc' }],
    fields: ['Rent'],
  }
  const listed = await service.all('records.list', { ...here(), ...selection, page_size: 5 })
  expect(listed.pages).toBe(3)
  expect(listed.items.map((item) => (item as { fields: unknown }).fields)).toEqual(
    Array.from({ length: 12 }, (_, index) => ({ Rent: 11 - index })),
  )
  const changes = ids.map((record, index) => ({ record, fields: { Name: `${unique} ${index}` } }))
  expect(idsOf((await call('records.update_many', { ...here(), records: changes }))['records'])).toEqual(ids)
  const merged = await call('records.update_many', {
    ...here(),
    merge_on: ['Name'],
    records: [{ fields: { Name: `${unique} 0`, Rent: 100 } }, { fields: { Name: `${unique} new`, Rent: 1 } }],
  })
  expect(merged['created']).toHaveLength(1)
  const all = [...ids, ...(merged['created'] as string[])]
  expect(await call('records.delete_many', { ...here(), records: all })).toEqual({ deleted: all })
})

test('a field that does not exist is refused with the code of Airtable', async () => {
  await expect(service.call('records.create', { ...here(), fields: { Nothing: 1 } })).rejects.toMatchObject({
    code: 'airtable_invalid',
    retryable: false,
    data: { status: 422, code: 'UNKNOWN_FIELD_NAME' },
  })
})
