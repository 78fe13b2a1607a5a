/** Proves that the checks bite: with each protection switched off, at least one invariant must turn red. */
import type { Violation } from '../invariants.ts'
import { killCycles } from './kill-cycles.ts'
import { takeover } from './takeover.ts'

export async function mutants(options: {
  readonly seed: number
  readonly cycles: number
  readonly keep: boolean
}): Promise<readonly Violation[]> {
  const { seed, keep } = options
  const cycles = Math.max(20, Math.min(options.cycles, 60))
  const trials: readonly {
    readonly name: string
    readonly run: (env: Record<string, string>) => Promise<readonly Violation[]>
  }[] = [
    { name: 'ack_before_commit', run: (env) => killCycles({ seed, cycles, keep, env }) },
    { name: 'effect_before_commit', run: (env) => killCycles({ seed, cycles, keep, env }) },
    { name: 'no_fence', run: (env) => takeover({ kind: 'stop', seed, keep, env }) },
  ]
  const survivors: Violation[] = []
  for (const trial of trials) {
    const found = await trial.run({ PLUGWORK_MUTATE: trial.name })
    const kinds = [...new Set(found.map((violation) => violation.invariant))].join(', ')
    process.stdout.write(`mutant ${trial.name}: ${found.length > 0 ? `red (${kinds})` : 'NOT NOTICED'}\n`)
    if (found.length === 0) survivors.push({ invariant: 'mutant', what: `${trial.name} broke nothing that is checked` })
  }
  return survivors
}
