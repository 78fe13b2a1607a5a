/** The work of `postgres-store` done by DBOS: workflows of ten no-op steps, so many in flight; sends its rates. */
import { DBOS } from '@dbos-inc/dbos-sdk'

const [url = '', width = '100'] = process.argv.slice(2)
const STEPS = 10
const RUNS = 300

const workflow = DBOS.registerWorkflow(
  async (n: number) => {
    let value = n
    for (let i = 0; i < STEPS; i++) value = await DBOS.runStep(async () => value, { name: `s${i}` })
    return value
  },
  { name: 'TenSteps' },
)

DBOS.setConfig({ name: 'bench', systemDatabaseUrl: url, logLevel: 'error', runAdminServer: false })
await DBOS.launch()

async function keepInFlight(total: number): Promise<number> {
  let started = 0
  const began = performance.now()
  const lane = async (): Promise<void> => {
    while (started < total) await workflow(++started)
  }
  await Promise.all(Array.from({ length: Number(width) }, lane))
  return performance.now() - began
}

await keepInFlight(100)
const rates: number[] = []
for (let i = 0; i < 3; i++) rates.push((RUNS * STEPS) / ((await keepInFlight(RUNS)) / 1_000))
process.send?.({ rates, steps: (100 + 3 * RUNS) * STEPS })
await DBOS.shutdown()
