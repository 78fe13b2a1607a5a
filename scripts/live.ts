/**
 * Runs a connector's suite against the real service: `npm run test:live -- github`. The tests are the same that run against the
 * local server (`service.test.ts` of the connector); they say what to set in the environment. Never a part of `npm test`.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, globSync } from 'node:fs'
import { dirname, join } from 'node:path'

const root = join(import.meta.dirname, '..')
const known = globSync('packages/connectors/src/*/service.test.ts', { cwd: root })
  .map((file) => dirname(file).split('/').at(-1)!)
  .toSorted()

const [connector = '', ...rest] = process.argv.slice(2)
const suite = `packages/connectors/src/${connector}/service.test.ts`
if (!/^[a-z0-9_]+$/.test(connector) || !existsSync(join(root, suite))) {
  process.stderr.write(
    `Usage: npm run test:live -- CONNECTOR, which is one of: ${known.join(', ')}. See docs/testing.md.\n`,
  )
  process.exit(2)
}
const result = spawnSync(join(root, 'node_modules/.bin/vitest'), ['run', suite, ...rest], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, PLUGWORK_LIVE: connector },
})
process.exit(result.status ?? 1)
