/** Runs a flow on the real runtime, for tests that a connector's example does what it says. */
import { compileFlow, planHash, type JsonObject } from '@plugwork/core'
import {
  createEgress,
  createMemoryBlobStore,
  createMemoryStore,
  createRuntime,
  describeConnector,
  type Connector,
  type RunSummary,
} from '@plugwork/core/node'

export interface RunExampleOptions {
  readonly connectors: readonly Connector[]
  /** Project folder. */
  readonly directory: string
  readonly inputs?: JsonObject
  /** What `secrets.NAME` gives. */
  readonly secrets?: Readonly<Record<string, string>>
  /** `PLUGWORK_EGRESS_ALLOW`. */
  readonly allow?: readonly string[]
}

/** Compiles and runs `source` to its end. Throws with every problem of a flow that does not compile. */
export async function runExample(source: string, options: RunExampleOptions): Promise<RunSummary> {
  const { connectors, directory, inputs = {}, secrets = {}, allow = [] } = options
  const { plan, problems } = compileFlow(source, { connectors: connectors.map(describeConnector) })
  if (plan === null) throw new Error(problems.map(({ line, message }) => `${line}: ${message}`).join('\n'))
  const egress = createEgress({ allow })
  const store = createMemoryStore()
  const runtime = createRuntime({
    store,
    blobs: createMemoryBlobStore(),
    egress,
    connectors,
    definitions: {
      plan: () => ({ plan, hash: planHash(plan) }),
      task: () => null,
      directory: () => directory,
      secret: (_tenant, name) => secrets[name] ?? null,
      env: () => null,
    },
    key: new Uint8Array(32),
    baseUrl: 'http://plugwork.test',
    version: 'test',
    log: () => undefined,
  })
  await runtime.open()
  try {
    const started = await runtime.start({ tenant: 'default', flow: plan.flow, inputs, trigger: { kind: 'test' } })
    if (started.kind !== 'accepted') throw new Error(`not accepted: ${JSON.stringify(started)}`)
    return await runtime.finished(started.rid)
  } finally {
    await runtime.stop(0)
    await egress.close()
    await store.close()
  }
}
