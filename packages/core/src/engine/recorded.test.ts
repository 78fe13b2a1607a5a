/** Journals and snapshots that earlier versions wrote, recorded by them, must be replayed by this one. */
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { expect, onTestFinished, test } from 'vitest'

import { decide } from './decide.ts'
import { loadProgram } from './program.ts'
import { decodeRecord, encodeRecord } from './record.ts'
import { replay } from './replay.ts'
import { isReadable, serialize, statusOf, type RunState } from './state.ts'
import { recordRuns, recordVersion, VERSION, type RecordedRun } from './testing/record-version.ts'
import { traceRun } from './trace.ts'

const folder = join(import.meta.dirname, 'testing/recorded')
const recorded = globSync('*.json.gz', { cwd: folder }).toSorted()

const read = (file: string) =>
  JSON.parse(gunzipSync(readFileSync(join(folder, file))).toString()) as readonly RecordedRun[]

test('the journals of this version are recorded', () => {
  expect(recorded).toContain(`${VERSION}.json.gz`)
})

test('what a version wrote is not written over', () => {
  const elsewhere = mkdtempSync(join(tmpdir(), 'plugwork-recorded-'))
  onTestFinished(() => rmSync(elsewhere, { recursive: true }))
  const file = recordVersion(elsewhere)
  const written = readFileSync(file)
  expect(() => recordVersion(elsewhere)).toThrow('what a version wrote is recorded once')
  expect(readFileSync(file).equals(written)).toBe(true)
})

test.each(recorded)('%s: every journal replays to the end that it had', (file) => {
  const runs = read(file)
  expect(runs.length).toBeGreaterThan(50)
  for (const { name, plan, hash, records, snapshot, end } of runs) {
    const program = loadProgram(plan, hash)
    const whole = replay(program, records)
    if (whole.kind === 'nondeterminism') throw new Error(`${name}: ${JSON.stringify(whole.nondeterminism)}`)
    expect(standing(whole.state), `${name}`).toEqual({ standing: end.standing, outputs: end.outputs, error: end.error })
    // The same state, byte for byte, where states have not changed since.
    if (isReadable(end.state)) expect(serialize(whole.state!), `${name}`).toBe(end.state)
    if (isReadable(snapshot.state)) {
      const rest = replay(program, records, snapshot)
      expect(rest.kind === 'replayed' && rest.state && serialize(rest.state), `${name}`).toBe(serialize(whole.state!))
    }
    expect(traceRun(program, records).length, `${name}`).toBeGreaterThan(0)
  }
})

test.each(recorded)('%s: every event still decides what it decided', (file) => {
  for (const { name, plan, hash, records } of read(file)) {
    const program = loadProgram(plan, hash)
    let state: RunState | null = null
    for (const record of records) {
      const { event } = decodeRecord(record)
      const decision = decide(program, state, event)
      expect(encodeRecord(event, decision.commands, record.seq), `${name}`).toEqual(record)
      ;({ state } = decision)
    }
  }
})

test('the recorded runs have every kind of event and of end', () => {
  const runs = recordRuns()
  const kinds = new Set(runs.flatMap(({ records }) => records.map(({ kind }) => kind)))
  expect([...kinds].toSorted()).toEqual(
    [
      'cancel',
      'child_ended',
      'completed',
      'event',
      'failed',
      'hold',
      'looked_up',
      'resolve',
      'retry',
      'signal',
      'start',
      'takeover',
      'timer',
    ].toSorted(),
  )
  const ends = new Set(runs.map(({ end }) => end.standing))
  for (const end of ['succeeded', 'failed', 'cancelled']) expect(ends).toContain(end)
})

function standing(state: RunState | null) {
  if (state === null) return null
  const { status, reason } = statusOf(state)
  return { standing: reason === null ? status : `${status}: ${reason}`, outputs: state.outputs, error: state.error }
}
