// `npm start`: runs the first example so that its trace is seen, then serves all examples until interrupted.
import { spawn } from 'node:child_process'
import { join } from 'node:path'

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
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => signal !== 'SIGINT' && child.kill(signal))
    }
    child.on('exit', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 1)))
  })
}

if (!extra.includes('--help')) {
  const first = await plugwork(['run', join(examples, 'hello/flow.yaml'), '--trace', ...storeOptions(extra)])
  if (first !== 0) process.exit(first)
  process.stdout.write('\n')
}
process.exit(await plugwork(['start', examples, ...extra]))
