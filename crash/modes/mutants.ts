/**
 * Proves that the checks bite: with a protection switched off, the invariant that it is for must turn red, and without
 * that the same scenario must leave every invariant whole.
 */
import type { Violation } from '../invariants.ts'
import { Lab } from '../lab.ts'
import { TRIALS, type Trial } from '../trials.ts'

/** Scenarios side by side: most of their time is waiting. */
const LANES = 3

interface Result {
  readonly found: readonly Violation[]
  readonly kills: number
  readonly seconds: number
}

export async function mutants(options: { readonly keep: boolean }): Promise<readonly Violation[]> {
  const survivors: Violation[] = []
  const lines = new Map<Trial, string>()
  const able = TRIALS.filter((trial) => {
    const why = trial.cannotRun?.() ?? null
    if (why !== null) lines.set(trial, columns([trial.mutate, trial.invariant, `not run: ${why}`, '', '']))
    return why === null
  })
  const jobs = able.flatMap((trial) => [
    { trial, mutate: trial.mutate },
    { trial, mutate: '' },
  ])
  const lane = async (): Promise<void> => {
    for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
      const { trial, mutate } = job
      const result = await perform(trial, mutate, options.keep)
      if (mutate === '') survivors.push(...falseAlarms(trial, result))
      else {
        const isRed = result.found.some((one) => one.invariant === trial.invariant && one.what.includes(trial.says))
        if (!isRed) survivors.push(unnoticed(trial, result))
        lines.set(trial, rowOf(trial, result, isRed))
      }
    }
  }
  await Promise.all(Array.from({ length: LANES }, lane))
  process.stdout.write(`${columns(['switch', 'invariant', 'red', 'kills', 'seconds'])}\n`)
  for (const trial of TRIALS) process.stdout.write(`${lines.get(trial) ?? trial.mutate}\n`)
  return survivors
}

async function perform(trial: Trial, mutate: string, keep: boolean): Promise<Result> {
  const began = performance.now()
  await using lab = await Lab.open({ PLUGWORK_MUTATE: mutate }, keep)
  const found = await run(trial, lab)
  return { found, kills: lab.kills.length, seconds: (performance.now() - began) / 1000 }
}

/** A scenario that does not come to its end says so instead: a missing protection may do that, and nothing else. */
async function run(trial: Trial, lab: Lab): Promise<readonly Violation[]> {
  try {
    return await trial.run(lab)
  } catch (error) {
    return [{ invariant: 'scenario', what: error instanceof Error ? error.message : String(error) }]
  }
}

function falseAlarms({ mutate }: Trial, { found }: Result): Violation[] {
  return found.map(({ invariant, what }) => ({
    invariant: 'control',
    what: `the scenario of ${mutate}, without the switch: ${invariant}: ${what}`,
  }))
}

function unnoticed({ mutate, invariant, says }: Trial, { found }: Result): Violation {
  const instead = found.map((one) => `${one.invariant}: ${one.what}`).join('; ')
  return {
    invariant: 'mutant',
    what: `${mutate} did not turn ${invariant} red ("${says}"), but: ${instead || 'nothing'}`,
  }
}

function rowOf(trial: Trial, { found, kills, seconds }: Result, isRed: boolean): string {
  const red = [...new Set(found.map((one) => one.invariant))].join(' ')
  const what = isRed ? red : `${trial.invariant} NOT NOTICED (${red || 'nothing'})`
  return columns([trial.mutate, trial.invariant, what, String(kills), seconds.toFixed(1)])
}

function columns([name, invariant, red, kills, seconds]: readonly string[]): string {
  return `${name!.padEnd(24)} ${invariant!.padEnd(9)} ${red!.padEnd(20)} ${kills!.padStart(5)} ${seconds!.padStart(7)}`
}
