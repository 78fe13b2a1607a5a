// `npm start`: runs the first example so that its trace is seen, then serves all examples until interrupted.
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { join } from 'node:path'
import { styleText } from 'node:util'

const root = join(import.meta.dirname, '..')
const bin = join(root, 'packages/plugwork/bin/plugwork.mjs')
const examples = join(root, 'examples')
const extra = process.argv.slice(2)

/** Options that belong to the store apply to the first run too. */
function storeOptions(args: readonly string[]): string[] {
  const at = args.findIndex((arg) => arg === '--data-dir' || arg.startsWith('--data-dir='))
  if (at < 0) return ['--data-dir', join(examples, '.plugwork')]
  return args[at]!.includes('=') ? [args[at]!] : args.slice(at, at + 2)
}

function plugwork(args: readonly string[]): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [bin, ...args], { stdio: 'inherit' })
    const pass = (signal: NodeJS.Signals): boolean => child.kill(signal)
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
    for (const signal of signals) process.on(signal, pass)
    child.on('exit', (code, signal) => {
      for (const name of signals) process.off(name, pass)
      resolve(code ?? 128 + constants.signals[signal!])
    })
  })
}

/** What is run, as one would type it. */
function say(command: string): void {
  process.stdout.write(`${styleText('dim', `$ npx plugwork ${command}`)}\n`)
}

const store = storeOptions(extra)
if (!extra.some((arg) => arg === '--help' || arg === '-h')) {
  say('run examples/hello/flow.yaml --trace')
  const first = await plugwork(['run', join(examples, 'hello/flow.yaml'), '--trace', ...store])
  if (first !== 0) process.exit(first)
  say(['start examples', ...extra].join(' '))
}
process.exit(await plugwork(['start', examples, ...extra]))
