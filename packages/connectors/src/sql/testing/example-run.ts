/** Runs a connector's example flow on the real runtime. */
import { tmpdir } from 'node:os'
import { compileFlow, planHash, type JsonObject } from '@plugwork/core'
import {
  createEgress,
  createMemoryBlobStore,
  createMemoryStore,
  createRuntime,
  describeConnector,
  type Connector,
} from '@plugwork/core/node'

/** Outputs of one run per inputs. Throws when the flow has problems or a run does not succeed. */
export async function runExample(
  connector: Connector,
  secrets: Readonly<Record<string, string>>,
  inputs: readonly JsonObject[],
  source = connector.example({ name: 'main' }).source,
): Promise<JsonObject[]> {
  const { plan, problems } = compileFlow(source, { connectors: [describeConnector(connector)] })
  if (plan === null || problems.length > 0) {
    throw new Error(problems.map(({ line, message }) => `${line}: ${message}`).join('\n'))
  }
  const egress = createEgress({ allow: ['127.0.0.1'] })
  const store = createMemoryStore()
  const runtime = createRuntime({
    store,
    blobs: createMemoryBlobStore(),
    egress,
    connectors: [connector],
    definitions: {
      plan: () => ({ plan, hash: planHash(plan) }),
      task: () => null,
      directory: () => tmpdir(),
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
    const outputs: JsonObject[] = []
    for (const each of inputs) {
      const started = await runtime.start({
        tenant: 'default',
        flow: plan.flow,
        inputs: each,
        trigger: { kind: 'test' },
      })
      if (started.kind !== 'accepted') throw new Error(`not accepted: ${JSON.stringify(started)}`)
      const { status, error, outputs: found } = await runtime.finished(started.rid)
      if (status !== 'succeeded') throw new Error(`${status}: ${JSON.stringify(error)}`)
      outputs.push(found as JsonObject)
    }
    return outputs
  } finally {
    await runtime.stop(0)
    await egress.close()
    await store.close()
  }
}
