/**
 * The crash tests' command line; see README.md.
 *
 *   node crash/run.ts [--cycles N] [--seed N] [--mode random|stop|full|wedge|mutants|all] [--store sqlite|postgres]
 */
import { parseArgs } from 'node:util'
import { diskFull } from './modes/disk-full.ts'
import { killCycles } from './modes/kill-cycles.ts'
import { mutants } from './modes/mutants.ts'
import { takeover } from './modes/takeover.ts'
import type { Violation } from './invariants.ts'

const { values } = parseArgs({
  options: {
    cycles: { type: 'string', default: '100' },
    seed: { type: 'string' },
    mode: { type: 'string', default: 'random' },
    keep: { type: 'boolean', default: false },
    store: { type: 'string', default: 'sqlite' },
  },
})

const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed)
const cycles = Number(values.cycles)
const store = values.store === 'postgres' ? 'postgres' : 'sqlite'
// The other modes are about the file: its lock, its disk, faults that are put into its SQL.
if (values.store !== store || (store === 'postgres' && values.mode !== 'random')) {
  process.stderr.write('--store is sqlite or postgres; postgres goes with --mode random.\n')
  process.exit(2)
}
process.stdout.write(`seed ${seed} (repeat with --seed ${seed} --cycles ${cycles} --mode ${values.mode})\n`)

const modes: Record<string, () => Promise<readonly Violation[]>> = {
  random: () => killCycles({ seed, cycles, keep: values.keep, store }),
  stop: () => takeover({ kind: 'stop', seed, keep: values.keep }),
  wedge: () => takeover({ kind: 'wedge', seed, keep: values.keep }),
  full: () => diskFull({ seed, keep: values.keep }),
  mutants: () => mutants({ keep: values.keep }),
}
/** What a mode has shown when it finds nothing, where that is something else. */
const WELL: Readonly<Record<string, string>> = {
  mutants: 'every switch turned its invariant red, and no scenario does without its switch',
}
const chosen = values.mode === 'all' ? Object.keys(modes) : [values.mode]
let bad = 0
for (const mode of chosen) {
  const run = modes[mode]
  if (!run) {
    process.stderr.write(`Unknown mode ${mode}; there are: ${Object.keys(modes).join(', ')}, all.\n`)
    process.exit(2)
  }
  const violations = await run()
  bad += violations.length
  for (const violation of violations.slice(0, 40)) process.stdout.write(`${violation.invariant}: ${violation.what}\n`)
  process.stdout.write(
    `${mode}: ${violations.length === 0 ? (WELL[mode] ?? 'every invariant holds') : `${violations.length} violations`}\n`,
  )
}
process.exitCode = bad > 0 ? 1 : 0
