/** Opens a data folder, or the database of one, after its last process has ended, and collects the evidence. Runs nothing: the runtime is not opened. */
import { join } from 'node:path'
import { createEgress, createFileBlobStore, createRuntime, openKeys, openSqliteStore } from '@plugwork/core/node'
import { openPostgresStore } from '@plugwork/core/postgres'
import { collectRuns, databaseEpochs, fileEpochs } from './evidence.ts'
import type { RunEvidence } from './invariants.ts'

export async function openForInspection(options: {
  readonly dataDir: string
  readonly databaseUrl: string | null
  readonly project: string
  readonly sources: ReadonlyMap<string, string>
}): Promise<readonly RunEvidence[]> {
  const { dataDir, databaseUrl, project, sources } = options
  const file = join(dataDir, 'plugwork.db')
  const version = 'inspection'
  const { store, blobs } =
    databaseUrl === null
      ? {
          store: await openSqliteStore({ file, socket: '', version }),
          blobs: createFileBlobStore(join(dataDir, 'blobs')),
        }
      : await openPostgresStore({ url: databaseUrl, version })
  const egress = createEgress({ allow: [] })
  const runtime = createRuntime({
    store,
    blobs,
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
    const epochs = databaseUrl === null ? fileEpochs(file) : await databaseEpochs(databaseUrl)
    return await collectRuns(store, runtime, epochs, sources)
  } finally {
    await store.close()
    await egress.close()
  }
}
