import { describeConnectorContract } from '@plugwork/core/testing'
import { describe, expect, test } from 'vitest'
import { environmentOf } from '../vendor/testing/contract-environment.ts'
import { exampleAt, runFlow } from '../vendor/testing/run-flow.ts'
import { airtable } from './airtable.ts'
import { BASE, startAirtable, TOKEN } from './testing/server.ts'

const at = { base: BASE, table: 'Apartments' }
/** Ids of the local server, in the order of what is created. */
const id = (count: number): string => `rec${String(count).padStart(14, '0')}`

describeConnectorContract(airtable, { describe, test }, async () => {
  const server = await startAirtable()
  return environmentOf(server, { base_url: server.baseUrl, token: TOKEN, timeout: '5s' }, [
    { action: 'bases.list', input: {} },
    { action: 'tables.list', input: { base: BASE } },
    { action: 'records.create', input: { ...at, fields: { Name: 'a' } } },
    { action: 'records.create_many', input: { ...at, records: [{ Name: 'b' }, { Name: 'c' }] } },
    { action: 'records.list', input: at },
    { action: 'records.find', input: { ...at, formula: '{Name} = "a"' } },
    { action: 'records.get', input: { ...at, record: id(1) } },
    { action: 'records.update', input: { ...at, record: id(1), fields: { Name: 'd' } } },
    { action: 'records.update_many', input: { ...at, records: [{ record: id(2), fields: { Name: 'e' } }] } },
    { action: 'records.delete', input: { ...at, record: id(1) } },
    { action: 'records.delete_many', input: { ...at, records: [id(2), id(3)] } },
  ])
})

test('the example flow runs as it is, and again', async () => {
  const server = await startAirtable()
  const run = {
    connector: airtable,
    source: exampleAt(airtable, server.baseUrl),
    inputs: { base: BASE, table: 'Apartments' },
    secrets: { AIRTABLE_TOKEN: TOKEN },
  }
  for (const created of [1, 0]) {
    const { status, outputs, error } = await runFlow(run)
    expect({ status, outputs, error }).toEqual({ status: 'succeeded', outputs: { found: true, created }, error: null })
  }
  await server.close()
})
