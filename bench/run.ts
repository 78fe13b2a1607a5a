/**
 * `npm run bench`: every benchmark, with its own baseline measured in the same run.
 *
 *   npm run bench                       all
 *   npm run bench -- expression steps   some
 */
import { benchActions } from './actions.ts'
import { benchDatabases } from './databases.ts'
import { benchExpression } from './expression.ts'
import { formatRows, Workbench, type Row } from './harness.ts'
import { benchOpenRuns } from './open-runs.ts'
import { benchPostgresStore } from './postgres-store.ts'
import { benchServer } from './server.ts'
import { STEP_BENCHES } from './steps.ts'
import { benchWebhooks } from './webhooks.ts'

const BENCHES: Record<string, () => Promise<Row[]>> = {
  expression: benchExpression,
  actions: benchActions,
  steps: STEP_BENCHES.manyRuns,
  'one-run': STEP_BENCHES.oneRun,
  'fan-out': STEP_BENCHES.fanOut,
  pure: STEP_BENCHES.pureSteps,
  'open-runs': benchOpenRuns,
  'journal-size': STEP_BENCHES.journalSize,
  'postgres-store': benchPostgresStore,
  databases: benchDatabases,
  webhooks: benchWebhooks,
  server: async () => {
    using bench = new Workbench()
    return await benchServer(bench)
  },
}

const asked = process.argv.slice(2)
const unknown = asked.filter((name) => !(name in BENCHES))
if (unknown.length > 0) {
  process.stderr.write(`Unknown benchmark ${unknown.join(', ')}; there are: ${Object.keys(BENCHES).join(', ')}.\n`)
  process.exit(2)
}
const rows: Row[] = []
for (const name of asked.length > 0 ? asked : Object.keys(BENCHES)) {
  process.stderr.write(`${name} …\n`)
  try {
    rows.push(...(await BENCHES[name]!()))
  } catch (error) {
    rows.push({
      name,
      value: `failed: ${error instanceof Error ? error.message : String(error)}`,
      target: '',
      ok: false,
    })
  }
}
process.stdout.write(`\n${formatRows(rows)}\n`)
process.exitCode = rows.every((row) => row.ok) ? 0 : 1
