/** Snapshots of traces: `<test file>.snap.yaml` beside the test file, one entry for each case. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { parse, stringify } from 'yaml'
import type { StepTrace } from '../engine/step-trace.ts'
import type { Json } from '../json.ts'
import { differences } from './difference.ts'

export type SnapshotMode = 'compare' | 'write_missing' | 'update'

export interface SnapshotFile {
  /** Lines that tell how the trace differs; empty when it is as before (or is written now). */
  compare(name: string, trace: readonly StepTrace[]): readonly string[]
  /** Writes what is new; removes, when updating after a complete run, what no case asked for. */
  save(run: { readonly complete: boolean }): { readonly written: number; readonly obsolete: readonly string[] }
}

const HEADING =
  '# Traces of the cases with `snapshot: true`. Written by `plugwork test --update`; read the diff before you commit.\n'

export function openSnapshots(testFile: string, mode: SnapshotMode): SnapshotFile {
  const file = `${testFile.replace(/\.(ya?ml|ts)$/, '')}.snap.yaml`
  const stored = existsSync(file) ? ((parse(readFileSync(file, 'utf8')) as Record<string, Json> | null) ?? {}) : {}
  const next: Record<string, Json> = { ...stored }
  const used = new Set<string>()
  let written = 0
  return {
    compare(name, trace) {
      used.add(name)
      const actual = trace.map(snapshotStep)
      const expected = Object.hasOwn(stored, name) ? stored[name] : undefined
      if (expected === undefined && mode === 'compare') {
        return [`snapshot: there is none yet; write it with \`plugwork test --update\``]
      }
      const lines = expected === undefined ? [''] : differences(expected, actual, { partial: false })
      if (lines.length === 0) return []
      if (expected !== undefined && mode !== 'update') return lines.map((line) => `snapshot: ${line}`)
      next[name] = actual
      written++
      return []
    },
    save({ complete }) {
      const obsolete = complete ? Object.keys(stored).filter((name) => !used.has(name)) : []
      if (mode === 'update') for (const name of obsolete) delete next[name]
      if (written > 0 || (mode === 'update' && obsolete.length > 0)) {
        if (Object.keys(next).length === 0) rmSync(file, { force: true })
        else writeFileSync(file, HEADING + stringify(next, { lineWidth: 110, aliasDuplicateObjects: false }))
      }
      return { written, obsolete: mode === 'update' ? [] : obsolete }
    },
  }
}

/** What of a step is the same in every run: no times, ids or hashes. */
function snapshotStep(step: StepTrace): Json {
  return {
    path: step.path,
    kind: step.name === null ? step.kind : `${step.kind} ${step.name}`,
    status: step.status,
    ...(step.attempts > 1 ? { attempts: step.attempts } : {}),
    ...(step.input === null ? {} : { input: step.input }),
    ...(step.output === null ? {} : { output: step.output }),
    ...(step.error === null ? {} : { error: { code: step.error.code, message: step.error.message } }),
  }
}
