/** Opens a data folder after its last process has ended, and collects the evidence. Runs nothing: the runtime is not opened. */
import { join } from 'node:path'
import { createEgress, createFileBlobStore, createRuntime, openKeys, openSqliteStore } from '@plugwork/core/node'
import { collectRuns } from './evidence.ts'
import type { RunEvidence } from './invariants.ts'

export async function openForInspection(
  dataDir: string,
  project: string,
  sources: ReadonlyMap<string, string>,
): Promise<readonly RunEvidence[]> {
  const store = await openSqliteStore({ file: join(dataDir, 'plugwork.db'), socket: '', version: 'inspection' })
  const egress = createEgress({ allow: [] })
  const runtime = createRuntime({
    store,
    blobs: createFileBlobStore(join(dataDir, 'blobs')),
    egress,
    connectors: [],
    definitions: {
      plan: () => null,
      task: () => null,
      directory: () => project,
      secret: () => null,
      env: () => null,
    },
    key: openKeys(dataDir, null).ring,
    baseUrl: 'http://127.0.0.1',
    version: 'inspection',
    log: () => undefined,
  })
  try {
    return await collectRuns(store, runtime, dataDir, sources)
  } finally {
    await store.close()
    await egress.close()
  }
}
