/** Replay from a step: the beginning of a run's journal as the beginning of a new run. */
import type { JsonObject } from '../json.ts'
import { decideObserved } from './decide.ts'
import type { StartFacts } from './event.ts'
import type { Observer } from './machine.ts'
import type { Program, ProgramNode } from './program.ts'
import { decodeRecord, recordOf, startedBy } from './record.ts'
import type { EncodedRecord, Started } from './record.ts'
import { useJournaled } from './replay.ts'
import type { RunState } from './state.ts'

export interface ForkOptions {
  /** The plan of the new run: that of the old one, or a newer version of its flow. */
  readonly program: Program
  /** Journal of the old run, from its start. */
  readonly records: readonly EncodedRecord[]
  /** Path of the step to begin with, such as `loop[3]/send`, or an id that is unambiguous. */
  readonly from: string
  /** Facts of the new run; its inputs may be edited. */
  readonly facts: StartFacts
  /** Replaces the resolved input of the step. */
  readonly stepInput?: JsonObject
}

export type Prefix =
  /** The records of the new run. What is in flight after them is started anew (`replay` answers it). */
  | { readonly kind: 'prefix'; readonly records: readonly EncodedRecord[]; readonly path: string }
  /** The old run has not come to this step. */
  | { readonly kind: 'not_found'; readonly message: string }
  /** With this plan or these inputs the run would have gone another way before the step. */
  | { readonly kind: 'differences'; readonly differences: readonly string[] }

/** Copies the records of a run up to the beginning of a step, if the program goes the same way to it. */
export function prefixFor(options: ForkOptions): Prefix {
  const { program, records, from, facts } = options
  const found = findStep(program, from)
  if (found.kind === 'not_found') return found
  const watcher = new Watcher(found.path)
  const copied: EncodedRecord[] = []
  let state: RunState | null = null
  for (const record of records) {
    const decoded = decodeRecord(record)
    const event = decoded.event.type === 'start' ? { ...decoded.event, facts } : decoded.event
    const decision = decideObserved(program, state, event, watcher)
    if (decision.ignored) return differ(record.seq, [`${record.path || record.kind} would not be waited for`])
    const started = startedBy(decision.commands) ?? []
    if (watcher.seen) {
      const before = started.filter((entry) => watcher.before.has(entry.path))
      const missing = namesOf(before).filter((name) => !namesOf(decoded.started).includes(name))
      if (missing.length > 0)
        return differ(
          record.seq,
          missing.map((name) => `${name} would begin before it`),
        )
      copied.push(recordOf(event, withInput(started, found.path, options.stepInput), copied.length))
      return { kind: 'prefix', path: found.path, records: copied }
    }
    const differences = compare(namesOf(decoded.started), namesOf(started))
    if (differences.length > 0) return differ(record.seq, differences)
    state = decision.state
    useJournaled(state, decoded.started)
    copied.push(recordOf(event, decoded.started, copied.length))
  }
  return { kind: 'not_found', message: `The run has not come to the step \`${found.path}\`.` }
}

function differ(seq: number, differences: readonly string[]): Prefix {
  return { kind: 'differences', differences: differences.map((text) => `record ${seq}: ${text}`) }
}

/** What is started in one list and not in the other. */
function compare(journaled: readonly string[], computed: readonly string[]): string[] {
  const gone = journaled.filter((name) => !computed.includes(name)).map((name) => `${name} would not begin`)
  const added = computed.filter((name) => !journaled.includes(name)).map((name) => `${name} would begin`)
  return [...gone, ...added]
}

const namesOf = (started: readonly Started[]): string[] => started.map((entry) => entry.path)

function withInput(started: readonly Started[], path: string, input: JsonObject | undefined): readonly Started[] {
  if (input === undefined) return started
  return started.map((entry) => (entry.path === path ? { do: entry.do, path, attempt: entry.attempt, input } : entry))
}

/** The run-time path of a step that was named by path or id. */
function findStep(
  program: Program,
  from: string,
): { readonly kind: 'found'; readonly path: string } | Extract<Prefix, { kind: 'not_found' }> {
  const nodes = program.byId.get(from) ?? []
  const [node] = nodes
  if (node === undefined || program.byPath.has(from)) return { kind: 'found', path: from }
  if (nodes.length > 1) {
    const paths = nodes.map((each) => each.path).join(', ')
    return { kind: 'not_found', message: `The id \`${from}\` is not unambiguous; name the step by its path: ${paths}.` }
  }
  if (node.suffix !== node.path) {
    const message = `The step \`${from}\` is inside a loop; say which iteration, such as \`${example(node)}\`.`
    return { kind: 'not_found', message }
  }
  return { kind: 'found', path: node.path }
}

function example({ path, suffix }: ProgramNode): string {
  return `${path.slice(0, path.length - suffix.length)}[0]${suffix}`
}

/** Sees whether the step has begun, and what began before it in the same decision. */
class Watcher implements Observer {
  readonly before = new Set<string>()
  seen = false
  readonly #path: string

  constructor(path: string) {
    this.#path = path
  }

  begin(path: string): void {
    if (path === this.#path) this.seen = true
    else if (!this.seen) this.before.add(path)
  }

  end(): void {
    // Only beginnings count.
  }

  note(): void {
    // Only beginnings count.
  }

  finish(): void {
    // Only beginnings count.
  }
}
