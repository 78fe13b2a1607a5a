/**
 * Everything that CI checks, in one command: `npm test`.
 *
 *   npm test                    all of it
 *   npm test -- --only tests    one part (see PARTS)
 *
 * The last line is `N passed, N failed` (and `, N skipped` if any): tests one by one, every other check as one.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packAll } from './pack.ts'

const root = join(import.meta.dirname, '..')
const bin = join(root, 'node_modules/.bin')
const plugwork = join(root, 'packages/plugwork/bin/plugwork.mjs')

interface Tally {
  passed: number
  failed: number
  skipped: number
}

const total: Tally = { passed: 0, failed: 0, skipped: 0 }

function heading(text: string): void {
  process.stdout.write(`\n── ${text}\n`)
}

/** Runs a command with its output shown; true when it exits 0. */
function run(command: string, args: readonly string[], options: { readonly cwd?: string } = {}): boolean {
  const result = spawnSync(command, args, { cwd: options.cwd ?? root, stdio: ['ignore', 1, 1] })
  if (result.error) process.stdout.write(`${command}: ${result.error.message}\n`)
  return result.status === 0
}

function check(name: string, ok: boolean): void {
  total[ok ? 'passed' : 'failed'] += 1
  process.stdout.write(`${ok ? '✔' : '✘'} ${name}\n`)
}

function format(): void {
  heading('format')
  check('prettier', run(join(bin, 'prettier'), ['--check', '--log-level', 'warn', '.']))
}

function lint(): void {
  heading('lint')
  check('oxlint', run(join(bin, 'oxlint'), ['--deny-warnings']))
  check('knip', run(join(bin, 'knip'), ['--no-progress']))
}

function types(): void {
  heading('types')
  check('tsc', run(join(bin, 'tsc'), ['--noEmit', '-p', 'tsconfig.json']))
}

function tests(): void {
  heading('tests')
  mkdirSync(join(root, '.cache'), { recursive: true })
  const report = join(root, '.cache/vitest.json')
  rmSync(report, { force: true })
  run(join(bin, 'vitest'), ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`])
  if (!existsSync(report)) {
    check('vitest wrote its report', false)
    return
  }
  const json = JSON.parse(readFileSync(report, 'utf8')) as {
    numPassedTests: number
    numFailedTests: number
    numPendingTests: number
    numTodoTests: number
    success: boolean
  }
  total.passed += json.numPassedTests
  total.failed += json.numFailedTests
  total.skipped += json.numPendingTests + json.numTodoTests
  check('every test file ran', json.success && json.numPassedTests > 0)
}

function examples(): void {
  heading('examples')
  const data = mkdtempSync(join(tmpdir(), 'plugwork-verify-'))
  try {
    check('plugwork check examples', run(process.execPath, [plugwork, 'check', 'examples']))
    check('plugwork test examples', run(process.execPath, [plugwork, 'test', 'examples']))
    check(
      'plugwork run examples/hello/flow.yaml',
      run(process.execPath, [plugwork, 'run', 'examples/hello/flow.yaml', '--trace', '--data-dir', data]),
    )
  } finally {
    rmSync(data, { recursive: true, force: true })
  }
}

function crash(): void {
  heading('crash tests')
  // The flows are always the same ones, the moments of the kills never; `npm run crash` makes other flows each time.
  check('no invariant broken by kills', run(process.execPath, ['crash/run.ts', '--cycles', '100', '--seed', '1']))
  check('each invariant can turn red', run(process.execPath, ['crash/run.ts', '--mode', 'mutants']))
}

function folderBytes(folder: string): number {
  let bytes = 0
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) bytes += statSync(join(entry.parentPath, entry.name)).size
  }
  return bytes
}

/** What a user installs for the embedded server must stay below this. */
const INSTALL_LIMIT_MB = 60

function published(): void {
  heading('published shape')
  const work = mkdtempSync(join(tmpdir(), 'plugwork-packs-'))
  try {
    const tarballs = packAll(join(work, 'packs'))
    for (const [name, file] of tarballs) {
      check(`publint ${name}`, run(process.execPath, [join(root, 'node_modules/publint/src/cli.js'), file, '--strict']))
      check(`attw ${name}`, run(join(bin, 'attw'), [file, '--profile', 'esm-only', '--quiet']))
    }
    const user = join(work, 'user')
    mkdirSync(user)
    writeFileSync(join(user, 'package.json'), '{ "name": "user", "private": true }\n')
    check(
      'install the packed packages',
      run(
        'npm',
        ['install', '--no-audit', '--no-fund', '--omit=dev', '--omit=peer', '--loglevel=error', ...tarballs.values()],
        {
          cwd: user,
        },
      ),
    )
    const megabytes = folderBytes(join(user, 'node_modules')) / 1e6
    process.stdout.write(`installed size ${megabytes.toFixed(1)} MB (limit ${INSTALL_LIMIT_MB} MB)\n`)
    check('installed size', megabytes < INSTALL_LIMIT_MB)
    const [, quickStart] = /```ts\n(import [\s\S]*?)```/.exec(readFileSync(join(root, 'README.md'), 'utf8')) ?? []
    writeFileSync(join(user, 'app.ts'), quickStart ?? 'throw new Error("README has no quick start")\n')
    check('the SDK quick start of the README', run(process.execPath, ['app.ts'], { cwd: user }))
    const installed = join(user, 'node_modules/plugwork/bin/plugwork.mjs')
    check('packed plugwork version', run(process.execPath, [installed, 'version'], { cwd: user }))
    check(
      'packed plugwork init',
      run(process.execPath, [installed, 'init', 'app', '--template', 'basic'], { cwd: user }),
    )
    check('packed plugwork test', run(process.execPath, [installed, 'test', 'app'], { cwd: user }))
    const path = join(root, 'scripts/connector-path.ts')
    check(
      'a connector package: made, tested, packed, installed, used in a flow',
      run(process.execPath, [path, installed, work, ...tarballs.values()]),
    )
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

const PARTS = { format, lint, types, tests, examples, crash, published }

const onlyAt = process.argv.indexOf('--only')
const only = onlyAt < 0 ? Object.keys(PARTS) : process.argv.slice(onlyAt + 1)
const unknown = only.filter((name) => !(name in PARTS))
if (unknown.length > 0) {
  process.stderr.write(`Unknown part ${unknown.join(', ')}; there are: ${Object.keys(PARTS).join(', ')}.\n`)
  process.exit(2)
}
const began = Date.now()
for (const name of only) PARTS[name as keyof typeof PARTS]()
process.stdout.write(`\n${((Date.now() - began) / 1000).toFixed(0)} s\n`)
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : ''
process.stdout.write(`${total.passed} passed, ${total.failed} failed${skipped}\n`)
process.exitCode = total.failed > 0 ? 1 : 0
