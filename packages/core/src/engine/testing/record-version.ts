/**
 * Records plans, journals and snapshots as this version writes them, for the tests of later versions:
 *
 *     node packages/core/src/engine/testing/record-version.ts
 *
 * writes `recorded/<version>.json.gz` beside this file. Run it once per version of plans or states, before it is released,
 * and never again: what later programs must be able to replay is what was written then. It refuses to write over a file.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'

import type { ErrorInfo } from '../../error.ts'
import { compileFlow } from '../../flow/compile.ts'
import { PLAN_VERSION, type Plan } from '../../flow/plan.ts'
import type { JsonObject } from '../../json.ts'
import type { EncodedRecord } from '../record.ts'
import { STATE_VERSION } from '../state.ts'
import * as build from './build.ts'
import { randomEvent, randomPlan, Tape } from './random.ts'
import { Simulation } from './simulate.ts'

/** Names a file: the versions of plans and of states. */
export const VERSION = `plan-${PLAN_VERSION}-state-${STATE_VERSION}`

/** A run as it was journaled. */
export interface RecordedRun {
  readonly name: string
  readonly plan: Plan
  /** Hash under which its states know the plan. */
  readonly hash: string
  readonly records: readonly EncodedRecord[]
  /** State in the middle of the run. */
  readonly snapshot: { readonly seq: number; readonly state: string }
  /** State after the last record. */
  readonly end: {
    readonly state: string
    readonly standing: string
    readonly outputs: JsonObject | null
    readonly error: ErrorInfo | null
  }
}

/** One of each construct, as an author writes it; effects answer with what they were given. */
const FLOWS: readonly string[] = [
  `
flow: Order
inputs: [{ name: n, type: int, required: true }]
steps:
  - { id: first, task: Step, inputs: { n: "\${inputs.n}" }, retry: { max_attempts: 3, delay: 1s } }
  - id: choice
    switch: "\${inputs.n % 2}"
    cases:
      - when: "\${0}"
        do: [{ id: even, set: { v: even } }]
    default: [{ id: odd, set: { v: odd } }]
  - id: items
    for_each: "\${[1, 2, 3]}"
    as: item
    concurrency: 2
    do: [{ id: one, task: Step, inputs: { n: "\${item * inputs.n}" } }]
  - parallel:
      - - { id: sub, subflow: Child, inputs: { n: "\${first.n}" } }
      - - { id: nap, wait: 5s }
      - - { id: tell, emit: { event: order.placed, data: { n: "\${inputs.n}" } } }
  - try:
      - { id: bad, fail: { code: planned, message: "planned" } }
    catch: [{ id: caught, task: Step, inputs: { n: 1 } }]
    finally: [{ id: last, task: Step, inputs: { n: 2 } }]
  - { id: approve, wait: { approval: { title: "Order \${inputs.n}", timeout: 1h } } }
  - id: rounds
    repeat:
      vars: { k: 0 }
      do: [{ id: again, task: Step, inputs: { n: "\${k}" } }]
      next: { k: "\${k + 1}" }
      until: "k >= 2"
      max: 5
  - { id: heard, wait: { event: thing, match: "event.data > 1" } }
outputs:
  - { name: sum, value: "\${items.results.map(r => r.n).join(',')}" }
  - { name: approved, value: "\${approve.outcome}" }
`,
  `
flow: Undone
inputs: [{ name: n, type: int, required: true }]
steps:
  - { id: reserve, task: Step, inputs: { n: "\${inputs.n}" } }
  - { id: hook, wait: { webhook: { timeout: 10m } } }
  - { id: pay, task: Step, inputs: { n: "\${hook.data}" } }
on_cancel: [{ id: release, task: Step, inputs: { n: "\${inputs.n}" } }]
on_error: [{ id: told, task: Step, inputs: { n: 0 } }]
outputs: [{ name: paid, value: "\${pay.n}" }]
`,
]

/** A small seeded generator (mulberry32), as a tape. */
function tape(seed: number): Tape {
  let state = seed
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * 1_000) | 0
  }
  return new Tape(Array.from({ length: 800 }, next))
}

function live(name: string, plan: Plan, seed: number): RecordedRun {
  const life = tape(seed)
  const run = new Simulation(plan, { n: life.draw(3) })
  for (let steps = 0; steps < 200 && randomEvent(run, life); steps++);
  return recorded(name, plan, run)
}

/** An action that was interrupted, and whose connector was asked what it did: the one thing that lives seldom meet. */
function lookedUp(found: boolean): RecordedRun {
  const plan = build.plan([build.action('look', { onInterrupt: 'check' })])
  const run = new Simulation(plan)
  run.send({ type: 'takeover' })
  run.send({ type: 'looked_up', path: 'look', found, output: { id: 7 } })
  if (!found) run.complete('look', { id: 8 })
  return recorded(`looked up, ${found ? 'found' : 'not found'}`, plan, run)
}

function recorded(name: string, plan: Plan, run: Simulation): RecordedRun {
  const middle = run.records[Math.floor(run.records.length / 2)]?.seq ?? 0
  return {
    name,
    plan,
    hash: run.program.hash,
    records: run.records,
    snapshot: { seq: middle, state: run.states[middle] ?? '' },
    end: { state: run.states.at(-1) ?? '', standing: run.status, outputs: run.outputs, error: run.error },
  }
}

/** Runs of this version: flows as authors write them and random ones, each with a random life. */
export function recordRuns(): RecordedRun[] {
  const written = FLOWS.flatMap((source) => {
    const { plan, problems } = compileFlow(source, { connectors: [] })
    if (plan === null) throw new Error(problems.map(({ line, message }) => `${line}: ${message}`).join('\n'))
    return Array.from({ length: 12 }, (_, seed) => live(`${plan.flow} ${seed}`, plan, seed + 1))
  })
  const random = Array.from({ length: 60 }, (_, seed) =>
    live(`random ${seed}`, randomPlan(tape(1_000 + seed)), 2_000 + seed),
  )
  return [...written, ...random, lookedUp(true), lookedUp(false)]
}

/** Writes the runs of this version into a folder; answers the file. Throws when there is one. */
export function recordVersion(folder: string): string {
  const file = join(folder, `${VERSION}.json.gz`)
  mkdirSync(folder, { recursive: true })
  try {
    writeFileSync(file, gzipSync(JSON.stringify(recordRuns()), { level: 9 }), { flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    throw new Error(
      `${file} is there: what a version wrote is recorded once. Raise PLAN_VERSION or STATE_VERSION for a change of what ` +
        'plans mean or states hold, and record that.',
      { cause: error },
    )
  }
  return file
}

if (import.meta.main) process.stdout.write(`${recordVersion(join(import.meta.dirname, 'recorded'))}\n`)
