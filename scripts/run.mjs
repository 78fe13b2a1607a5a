// Entry of every npm script. Runs under whatever Node the machine has (20 or later): installs what is missing, then
// hands over to the Node that the repository brings. Plain JavaScript, no dependency, on purpose.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const modules = join(root, 'node_modules')
const stampFile = join(modules, '.plugwork-installed')
const node = join(modules, 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node')

/** Changes when the lock file or the platform changes: then an install is due. */
function wanted() {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}\n`)
  hash.update(readFileSync(join(root, 'package-lock.json')))
  return hash.digest('hex')
}

function install() {
  const stamp = wanted()
  if (existsSync(node) && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return
  process.stderr.write('Installing dependencies (first start, or the lock file changed) …\n')
  // `include`: NODE_ENV=production would leave out the Node that everything runs on.
  const args = ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error']
  const result = spawnSync('npm', args, { cwd: root, stdio: ['ignore', 2, 2], shell: process.platform === 'win32' })
  if (result.status !== 0) {
    process.stderr.write(
      '\n`npm ci` failed; its own message is above. Check the network and the registry, then run this again.\n',
    )
    process.exit(2)
  }
  if (!existsSync(node)) {
    process.stderr.write(
      'The `node` package did not bring its binary: were install scripts disabled (`ignore-scripts`)?\n',
    )
    process.exit(2)
  }
  writeFileSync(stampFile, stamp)
}

const commands = {
  start: (rest) => ['scripts/start.ts', ...rest],
  test: (rest) => ['scripts/verify.ts', ...rest],
  verify: (rest) => ['scripts/verify.ts', ...rest],
  bench: (rest) => ['bench/run.ts', ...rest],
  live: (rest) => ['scripts/live.ts', ...rest],
  crash: (rest) => ['crash/run.ts', ...rest],
  pack: (rest) => ['scripts/pack.ts', ...rest],
  plugwork: (rest) => ['packages/plugwork/bin/plugwork.mjs', ...rest],
}

const [name, ...rest] = process.argv.slice(2)
const command = commands[name]
if (!command) {
  process.stderr.write(`Unknown script ${name}; there are: ${Object.keys(commands).join(', ')}.\n`)
  process.exit(2)
}
install()
const [script, ...args] = command(rest)
const child = spawn(node, [join(root, script), ...args], {
  // `plugwork` works on the caller's folder; everything else on the repository.
  cwd: name === 'plugwork' ? (process.env.INIT_CWD ?? process.cwd()) : root,
  stdio: 'inherit',
  env: { ...process.env, PATH: `${join(modules, '.bin')}:${process.env.PATH}` },
})
// A signal may have reached the whole group or this process alone; `plugwork` takes two at the same moment for one.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]))
