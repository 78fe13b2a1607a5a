/** What holds for every run of every plan. Failing cases print a tape; `fc` shrinks it to the simplest one. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { decide } from './decide.ts'
import { liveOf } from './live.ts'
import { decodeRecord } from './record.ts'
import { replay, replayRecord } from './replay.ts'
import { deserialize, inFlight, serialize, statusOf, wakeAt, waits } from './state.ts'
import type { RunState } from './state.ts'
import { Tape, randomEvent, randomPlan } from './testing/random.ts'
import { Simulation } from './testing/simulate.ts'

const tapes = fc.array(fc.nat({ max: 999 }), { minLength: 1, maxLength: 600, size: 'max' })
const runs = { numRuns: Number(globalThis.process?.env.PLUGWORK_PROPERTY_RUNS ?? 200) }

interface Case {
  readonly plan: readonly number[]
  readonly life: readonly number[]
}

const cases = fc.record({ plan: tapes, life: tapes })

/** Lives a random run to its end or the end of the tape. */
function live({ plan, life }: Case, onStep: (run: Simulation) => void = () => undefined): Simulation {
  const tape = new Tape(life)
  const run = new Simulation(randomPlan(new Tape(plan)), { n: tape.draw(3) })
  onStep(run)
  for (let steps = 0; steps < 300 && !tape.ended; steps++) {
    const before = run.records.length
    if (!randomEvent(run, tape)) break
    if (run.records.length > before) onStep(run)
  }
  return run
}

test('deciding on a copy of the state gives the same, and so does deciding again', () => {
  fc.assert(
    fc.property(cases, (given) => {
      const run = live(given)
      let before: string | null = null
      for (const [index, record] of run.records.entries()) {
        const { event } = decodeRecord(record)
        const copy: RunState | null = before === null ? null : deserialize(before)
        const decision = decide(run.program, copy, event)
        expect(decision.ignored).toBeUndefined()
        expect(serialize(decision.state)).toBe(run.states[index])
        before = serialize(decision.state)
      }
    }),
    runs,
  )
})

test('replaying the journal gives the state of every moment, from its start and from any snapshot', () => {
  fc.assert(
    fc.property(cases, fc.nat(), (given, where) => {
      const run = live(given)
      let state: RunState | null = null
      for (const [index, record] of run.records.entries()) {
        const step = replayRecord(run.program, state, record)
        if (step.kind === 'nondeterminism') throw new Error(JSON.stringify(step))
        ;({ state } = step)
        expect(serialize(state)).toBe(run.states[index])
      }
      const seq = where % run.records.length
      const again = replay(run.program, run.records, { seq, state: run.states[seq] ?? '' })
      expect(again.kind === 'replayed' && again.state && serialize(again.state)).toBe(run.states.at(-1))
    }),
    runs,
  )
})

test('an open run waits for something; an ended one has nothing in flight and no timer', () => {
  fc.assert(
    fc.property(cases, (given) => {
      const run = live(given, ({ state, commands }) => {
        const { status, reason } = statusOf(state)
        const ended = status !== 'running' && status !== 'waiting'
        expect(commands.some((command) => command.type === 'finish')).toBe(ended)
        expect(inFlight(state).some((step) => step.kind !== 'child')).toBe(status === 'running')
        expect(reason === null).toBe(status !== 'waiting')
        const pending = [...inFlight(state), ...waits(state), ...(wakeAt(state) === null ? [] : ['timer'])]
        expect(ended && pending.length > 0).toBe(false)
        // What is kept up to date is what would be built anew.
        expect(liveOf(state).counts).toEqual(liveOf(deserialize(serialize(state))).counts)
        expect(wakeAt(state)).toBe(wakeAt(deserialize(serialize(state))))
        expect([...liveOf(state).pending.keys()]).toEqual([...liveOf(deserialize(serialize(state))).pending.keys()])
      })
      expect(run.records.length).toBeGreaterThan(0)
    }),
    runs,
  )
})

test('a path is completed once, an attempt is asked for once, and all attempts of a step have one key', () => {
  fc.assert(
    fc.property(cases, (given) => {
      const run = live(given)
      const completed = run.records.filter((record) => record.completes).map((record) => record.path)
      expect(new Set(completed).size).toBe(completed.length)
      const attempts = run.allCommands.flatMap((command) =>
        command.type === 'effect' || command.type === 'start_child' ? [command] : [],
      )
      const names = attempts.map(({ path, attempt }) => `${path} ${attempt}`)
      expect(new Set(names).size).toBe(names.length)
      const keys = new Map<string, string>()
      for (const { path, idempotencyKey } of attempts) {
        const base = path.replace(/(?<=[^/])@\d+$/, (suffix) => (run.program.byPath.has(path) ? suffix : ''))
        expect(keys.get(base) ?? idempotencyKey).toBe(idempotencyKey)
        keys.set(base, idempotencyKey)
      }
      expect(new Set(keys.values()).size).toBe(keys.size)
    }),
    runs,
  )
})
