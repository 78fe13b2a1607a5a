/** The published contract of connectors, and the example flow, on the real server. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEgress } from '@plugwork/core/node'
import { describeConnectorContract, type ConnectorEnvironment } from '@plugwork/core/testing'
import { mysql as service } from '@plugwork/test-services'
import { describe, expect, test } from 'vitest'
import { runExample } from '../sql/testing/example-run.ts'
import { mysql } from './mysql.ts'

describeConnectorContract(mysql, { describe, test }, async (): Promise<ConnectorEnvironment> => {
  const database = await (await service()).createDatabase()
  const directory = mkdtempSync(join(tmpdir(), 'plugwork-contract-'))
  const egress = createEgress({ allow: ['127.0.0.1'] })
  const create = 'create table if not exists t (id integer primary key auto_increment, a integer)'
  const before = [{ action: 'execute', input: { query: create } }]
  return {
    config: { url: database.url },
    egress,
    directory,
    calls: [
      { action: 'execute', input: { query: 'insert into t (a) values (?)', params: [1] }, before },
      { action: 'query', input: { query: 'select * from t' }, before },
      { action: 'transaction', input: { queries: ['insert into t (a) values (2)', 'select a from t'] }, before },
      { action: 'batch_insert', input: { table: 't', records: [{ a: 3 }, { a: null }] }, before },
      { action: 'batch_update', input: { table: 't', updates: [{ id: 1, a: 4 }] }, before },
    ],
    async close() {
      await egress.close()
      await database.drop()
      rmSync(directory, { recursive: true })
    },
  }
})

test('the example flow runs on the real server, and each run changes the stock once', async () => {
  const database = await (await service()).createDatabase()
  try {
    const outputs = await runExample(mysql, { DATABASE_URL: database.url }, [{}, { quantity: 2 }])
    expect(outputs).toEqual([{ quantity: 5 }, { quantity: 7 }])
  } finally {
    await database.drop()
  }
})
