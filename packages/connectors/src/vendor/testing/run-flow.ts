/** Runs a flow as it is, against a service on this machine. */
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

export interface FlowRun {
  readonly connector: Connector
  readonly source: string
  readonly inputs?: JsonObject
  readonly secrets: Readonly<Record<string, string>>
}

/** The run's end. Throws where the flow does not compile or is not accepted. */
export async function runFlow({ connector, source, inputs = {}, secrets }: FlowRun): Promise<RunSummary> {
  const { plan, problems } = compileFlow(source, { connectors: [describeConnector(connector)] })
  if (plan === null) throw new Error(problems.map(({ line, message }) => `${line}: ${message}`).join('\n'))
  const egress = createEgress({ allow: ['127.0.0.1'] })
  const store = createMemoryStore()
  const runtime = createRuntime({
    store,
    blobs: createMemoryBlobStore(),
    egress,
    connectors: [connector],
    definitions: {
      plan: (_tenant, flow) => (flow === plan.flow ? { plan, hash: planHash(plan) } : null),
      task: () => null,
      directory: () => import.meta.dirname,
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

/** The example flow of a connector, its connection pointed at a local server. */
export function exampleAt(connector: Connector, origin: string): string {
  const { source } = connector.example({ name: 'main' })
  return source.replace(`    type: ${connector.name}\n`, `    type: ${connector.name}\n    base_url: ${origin}\n`)
}
