/** A runtime on a fresh store (SQLite unless another is opened) in this process, with flows given as text and tasks given as functions. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compileFlow, parseFlow, planHash, type JsonObject, type Plan } from '@plugwork/core'
import {
  createEgress,
  createFileBlobStore,
  createRuntime,
  openSqliteStore,
  type BlobStore,
  type Definitions,
  type Runtime,
  type Store,
} from '@plugwork/core/node'

export interface Bench extends AsyncDisposable {
  readonly runtime: Runtime
  readonly store: Store
  readonly file: string
}

export type Tasks = { readonly [name: string]: (inputs: JsonObject) => unknown }

export function planOf(source: string): Plan {
  const catalog = { connectors: [] }
  const parsed = parseFlow(source)
  const { plan, problems } = compileFlow(parsed, catalog)
  if (!plan) throw new Error(problems.map((problem) => problem.message).join('\n'))
  return plan
}

export async function openBench(
  sources: readonly string[],
  tasks: Tasks,
  open?: () => Promise<{ readonly store: Store; readonly blobs: BlobStore }>,
): Promise<Bench> {
  const folder = mkdtempSync(join(tmpdir(), 'plugwork-bench-'))
  const file = join(folder, 'plugwork.db')
  const plans = new Map(sources.map(planOf).map((plan) => [plan.flow, { plan, hash: planHash(plan) }]))
  const definitions: Definitions = {
    plan: (_tenant, flow) => plans.get(flow) ?? null,
    task: (_tenant, _flow, name) => {
      const run = tasks[name]
      return run ? { code: 'bench', run } : null
    },
    directory: () => folder,
    secret: () => null,
    env: () => null,
  }
  const { store, blobs } = open
    ? await open()
    : {
        store: await openSqliteStore({ file, socket: '', version: 'bench' }),
        blobs: createFileBlobStore(join(folder, 'blobs')),
      }
  const runtime = createRuntime({
    store,
    blobs,
    egress: createEgress({ allow: [] }),
    connectors: [],
    definitions,
    key: new Uint8Array(32),
    baseUrl: 'http://127.0.0.1',
    version: 'bench',
    log: () => undefined,
  })
  await runtime.open()
  return {
    runtime,
    store,
    file,
    async [Symbol.asyncDispose]() {
      await runtime.stop(1000)
      await store.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Starts a run and resolves at its end; throws when it did not succeed. */
export async function runFlow(runtime: Runtime, flow: string, inputs: JsonObject): Promise<void> {
  const outcome = await runtime.start({ tenant: 'default', flow, inputs, trigger: { type: 'manual' } })
  if (outcome.kind !== 'accepted') throw new Error(`not accepted: ${JSON.stringify(outcome)}`)
  const summary = await runtime.finished(outcome.rid)
  if (summary.status !== 'succeeded') throw new Error(`${flow} ${summary.status}: ${summary.error?.message ?? ''}`)
}
