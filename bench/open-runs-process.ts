/** A process of `open-runs.ts`: starts runs that park, or runs whose task never ends; or takes such runs over. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { planHash } from '@plugwork/core'
import { createEgress, createFileBlobStore, createRuntime, openSqliteStore } from '@plugwork/core/node'
import { planOf } from './in-process.ts'
import type { FromProcess } from './open-runs.ts'

const [folder, mode, count] = process.argv.slice(2) as [string, 'parked' | 'open' | 'resume', string]
mkdirSync(folder, { recursive: true })

const parkedPlan = planOf(`flow: Parked
inputs:
  - { name: n, type: integer, required: true }
steps:
  - { id: a, set: { v: "\${inputs.n * 2}" } }
  - { id: pause, wait: 2h }
`)
const openPlan = planOf(`flow: Open
inputs:
  - { name: n, type: integer, required: true }
steps:
  - { task: Never, id: never, inputs: { n: "\${inputs.n}" } }
`)
const plans = new Map([parkedPlan, openPlan].map((plan) => [plan.flow, { plan, hash: planHash(plan) }]))
const tell = (message: FromProcess): void => void process.send!(message)
let told = false

const store = await openSqliteStore({ file: join(folder, 'plugwork.db'), socket: '', version: 'bench' })
const runtime = createRuntime({
  store,
  blobs: createFileBlobStore(join(folder, 'blobs')),
  egress: createEgress({ allow: [] }),
  connectors: [],
  maxActive: Number(count),
  definitions: {
    plan: (_tenant, flow) => plans.get(flow) ?? null,
    task: () => ({
      code: 'bench',
      run: () => {
        if (mode === 'resume' && !told) {
          told = true
          tell({ type: 'first-step', at: Date.now() })
        }
        return new Promise(() => undefined)
      },
    }),
    directory: () => folder,
    secret: () => null,
    env: () => null,
  },
  key: new Uint8Array(32),
  baseUrl: 'http://127.0.0.1',
  version: 'bench',
  log: () => undefined,
})
await runtime.open()

async function start(flow: string, from: number, to: number): Promise<void> {
  for (let n = from; n < to; n += 200) {
    await Promise.all(
      Array.from({ length: Math.min(200, to - n) }, (_, i) =>
        runtime.start({ tenant: 'default', flow, inputs: { n: n + i }, trigger: { type: 'manual' } }),
      ),
    )
  }
}

/** As `plugwork start` does once it is idle: collect, and give pages back to the system. */
async function settle(): Promise<void> {
  const collect = globalThis.gc as unknown as (options: object) => void
  for (let i = 0; i < 5; i++) {
    await new Promise((resolve) => setTimeout(resolve, 300))
    collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
  }
}

if (mode !== 'resume') {
  const flow = mode === 'parked' ? 'Parked' : 'Open'
  // The code paths are warm before the first reading, so that what is measured is the runs.
  if (mode === 'parked') await start(flow, 0, 1000)
  await settle()
  process.once('message', async () => {
    await start(flow, 1000, 1000 + Number(count))
    await settle()
    tell({ type: 'started' })
  })
  tell({ type: 'ready' })
}
