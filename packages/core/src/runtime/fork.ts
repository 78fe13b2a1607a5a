/** Replay as a new run: the journal of a run up to a step is the beginning of the journal of another. */
import type { BlobStore } from '../blob/blob-store.ts'
import { prefixFor } from '../engine/fork.ts'
import { unseal } from '../engine/secrets.ts'
import { traceRun } from '../engine/trace.ts'
import type { ValueObject } from '../expression/value.ts'
import type { LoadedRun, RunRow, Store } from '../store/store.ts'
import type { GivenInputs, InputChecker } from './inputs.ts'
import { readWholeJournal } from './journal.ts'
import type { LoadedFlow, Programs } from './programs.ts'
import { restoreObject } from './recovery.ts'
import { factsOf, startFacts } from './run-facts.ts'
import type { ControlOutcome, ReplayRequest } from './runtime.ts'
import type { Starter } from './start.ts'

export interface ForkOptions {
  readonly store: Store
  readonly blobs: BlobStore
  readonly programs: Programs
  readonly inputs: InputChecker
  readonly starter: Starter
}

/** Starts the new run; refused, with every difference, where the new one would have gone another way. */
export async function forkRun(options: ForkOptions, row: RunRow, request: ReplayRequest): Promise<ControlOutcome> {
  const { programs, inputs, starter, store } = options
  const stored = await store.load(row.rid)
  if (stored === null) return { kind: 'not_found' }
  const loaded = request.sameVersion === true ? await programs.byHash(row.flowHash, row.flow) : currentOf(options, row)
  if (loaded === null) {
    const message = `There is no flow ${row.flow} any more. Replay the run on the version it ran on (--same-version).`
    return { kind: 'refused', code: 'flow_unknown', message }
  }
  const records = await readWholeJournal(options, row.rid)
  const old = await programs.byHash(row.flowHash, row.flow)
  if (!traceRun(old.program, records).some(({ path, id }) => path === request.from || id === request.from)) {
    const message = `Run ${row.id} has not come to a step "${request.from}"; its steps are listed by \`runs show\`.`
    return { kind: 'refused', code: 'step_unknown', message }
  }
  await inputs.prepare(loaded.plan)
  const checked = inputs.check(loaded.plan, await inputsOf(options, stored, loaded, request))
  if (checked.kind === 'invalid') {
    const list = checked.problems.map(({ message }) => message).join(' ')
    return { kind: 'refused', code: 'input_invalid', message: `The inputs do not fit flow ${row.flow}: ${list}` }
  }
  const { priority, trigger, tenant } = row
  const fork = { from: row.id, at: request.from }
  const { user } = factsOf(stored)
  const prepared = await starter.prepare({
    tenant,
    loaded,
    inputs: checked.inputs,
    trigger,
    priority,
    fork,
    ...(user === undefined ? {} : { user }),
  })
  const prefix = prefixFor({
    program: loaded.program,
    records,
    from: request.from,
    facts: startFacts(prepared.run),
    ...(request.stepInput === undefined ? {} : { stepInput: request.stepInput }),
  })
  if (prefix.kind === 'not_found') return { kind: 'refused', code: 'step_unknown', message: prefix.message }
  if (prefix.kind === 'differences') return mismatch(request, prefix.differences)
  await starter.acceptFork(prepared, prefix.records)
  return { kind: 'done', id: prepared.run.id }
}

function currentOf({ programs }: ForkOptions, { tenant, flow }: RunRow): LoadedFlow | null {
  return programs.current(tenant, flow)
}

/** The old run's inputs, those given in their place; a secret that is not given anew stays the sealed one. */
async function inputsOf(
  { blobs }: ForkOptions,
  stored: LoadedRun,
  loaded: LoadedFlow,
  request: ReplayRequest,
): Promise<GivenInputs> {
  const json = await restoreObject(stored.row.inputs, blobs)
  // Inputs are an object, with secrets or without.
  const old = unseal({ json, secrets: factsOf(stored).secrets }) as ValueObject
  const declared = new Set(loaded.plan.inputs.map((input) => input.name))
  const kept = Object.entries(old).filter(([name, value]) => declared.has(name) && value !== null)
  return { ...Object.fromEntries(kept), ...request.inputs }
}

function mismatch(request: ReplayRequest, differences: readonly string[]): ControlOutcome {
  const same = request.sameVersion === true
  const message =
    `With ${same ? 'these inputs' : 'the newest version of the flow'} the run would not come to "${request.from}" the ` +
    `same way: ${differences.join('; ')}. Replay from an earlier step${same ? '' : ', or on the version that it ran on'}.`
  return { kind: 'refused', code: 'replay_mismatch', message }
}
