import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEgress } from '@plugwork/core/node'
import { describeConnectorContract, type ConnectorEnvironment } from '@plugwork/core/testing'
import { describe, expect, test } from 'vitest'
import { http } from './http/http.ts'
import { builtinConnectors } from './index.ts'
import { sqlite } from './sqlite/sqlite.ts'

describeConnectorContract(http, { describe, test }, async (): Promise<ConnectorEnvironment> => {
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json').end('{"ok":true}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const egress = createEgress({ allow: ['127.0.0.1'] })
  // The pool's first connection is there before open resources are counted.
  await egress.request({ method: 'GET', url: origin })
  return {
    config: { base_url: `${origin}/v1`, auth: { type: 'api_key', key: 'k' }, timeout: '5s' },
    egress,
    directory: tmpdir(),
    calls: [
      { action: 'get', input: { path: '/a' } },
      { action: 'post', input: { path: '/a', json: { b: 1 } } },
      { action: 'put', input: { path: '/a', form: { b: 1 } } },
      { action: 'patch', input: { url: `${origin}/other`, body: 'text' } },
      { action: 'delete', input: { path: '/a' } },
      { action: 'request', input: { path: '/a', method: 'OPTIONS' } },
    ],
    async close() {
      await egress.close()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
})

describeConnectorContract(sqlite, { describe, test }, async (): Promise<ConnectorEnvironment> => {
  const directory = mkdtempSync(join(tmpdir(), 'plugwork-contract-'))
  const egress = createEgress()
  const before = [{ action: 'execute', input: { query: 'create table if not exists t (id integer primary key, a)' } }]
  return {
    config: { database: './data/contract.db', journal_mode: 'wal' },
    egress,
    directory,
    calls: [
      { action: 'execute', input: { query: 'insert into t (a) values (?) returning id', params: [1] }, before },
      { action: 'query', input: { query: 'select * from t' }, before },
      { action: 'transaction', input: { queries: ['insert into t (a) values (2)', 'select a from t'] }, before },
      { action: 'batch_insert', input: { table: 't', records: [{ a: 3 }, { a: null }] }, before },
      { action: 'batch_update', input: { table: 't', updates: [{ id: 1, a: 4 }] }, before },
    ],
    async close() {
      await egress.close()
      rmSync(directory, { recursive: true })
    },
  }
})

test('no two connectors share a name or a prefix', () => {
  const taken = builtinConnectors.flatMap(({ name, prefixes }) => [...new Set([name, ...prefixes])])
  expect(new Set(taken).size).toBe(taken.length)
})
