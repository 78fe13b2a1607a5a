/** The world of one case: the real runtime on a memory store, with faked calls, virtual time and a closed network. */
import { createExecutor } from '../action/executor.ts'
import { createMemoryBlobStore } from '../blob/memory-blob-store.ts'
import type { Connector } from '../connector/connector.ts'
import type { Egress } from '../egress/egress.ts'
import { createEgress } from '../egress/guarded-egress.ts'
import { recordEgress } from '../egress/record-egress.ts'
import { replayEgress } from '../egress/replay-egress.ts'
import { PlugworkError } from '../error.ts'
import type { Json } from '../json.ts'
import { createRuntime } from '../runtime/create-runtime.ts'
import { Redactor } from '../runtime/redact.ts'
import type { Definitions, InterceptedCall, Runtime } from '../runtime/runtime.ts'
import { createMemoryStore } from '../store/memory/memory-store.ts'
import type { Store } from '../store/store.ts'
import type { Project } from '../project/project.ts'
import { answerCall, answersOf, namesOfCall, type NamedCall, type UseCounter } from './fakes.ts'
import { planSteps } from './plan-steps.ts'
import type { Fakes } from './test-file.ts'
import { staticPath, type Names } from './test-values.ts'
import { VirtualClock } from './virtual-clock.ts'

export const TENANT = 'default'

export interface BenchOptions {
  readonly project: Project
  readonly connectors: readonly Connector[]
  /** The case's own first. */
  readonly fakes: readonly Fakes[]
  readonly fixtures: Names
  readonly allow: readonly string[]
  readonly env: { readonly [name: string]: string }
  readonly secrets: { readonly [name: string]: string }
  /** Epoch ms at which the run starts. */
  readonly now: number
  /** Where HTTP traffic is answered from, or with `record` written to. */
  readonly recording: { readonly file: string; readonly record: boolean } | null
}

export interface Bench extends AsyncDisposable {
  readonly runtime: Runtime
  readonly store: Store
  readonly clock: VirtualClock
  readonly calls: readonly NamedCall[]
  /** What went wrong on the way and fails the case, whatever the flow made of it. */
  readonly faults: readonly string[]
  /** Calls whose fakes wait for virtual time. */
  readonly delayed: () => number
  /** Recorded requests that were not made. */
  readonly unused: () => readonly string[]
  /** Resolves when nothing works any more: what is left waits for time or for a message. */
  settle(): Promise<void>
}

/** Turns of the event loop in which nothing may change before all counts as settled. */
const QUIET_TURNS = 5
/** After so many turns real work is going on: looks less often. */
const BUSY_TURNS = 200

export async function openBench(options: BenchOptions): Promise<Bench> {
  const clock = new VirtualClock(options.now)
  const store = createMemoryStore()
  const allow = [...options.allow, ...realNames(options.fakes)]
  const hosts = options.allow.filter((name) => name.startsWith('network:')).map((name) => name.slice('network:'.length))
  const known = new Set(Object.values(options.secrets))
  const { egress, unused } = openEgress(options.recording, hosts, (text) => new Redactor(known).text(text))
  const state = { calls: [] as NamedCall[], faults: [] as string[], delayed: 0, notices: 0 }
  const runtime = createRuntime({
    store,
    blobs: createMemoryBlobStore(),
    egress,
    connectors: options.connectors.map((connector) => guarded(connector, allow, state.faults)),
    definitions: testDefinitions(options, known),
    key: new Uint8Array(32),
    clock,
    // Limits would wait in virtual time for what is not there, and breakers would tie cases together.
    executor: createExecutor({ clock, limits: null, cache: null, breaker: null, log: () => undefined }),
    baseUrl: 'http://plugwork.test',
    version: 'test',
    intercept: createIntercept(options, clock, state),
    log(level, message) {
      if (level === 'error') state.faults.push(`runtime: ${message}`)
    },
  })
  runtime.watch(() => state.notices++)
  await runtime.open()
  return {
    runtime,
    store,
    clock,
    calls: state.calls,
    faults: state.faults,
    delayed: () => state.delayed,
    unused,
    settle: () => settle(runtime, store, state),
    async [Symbol.asyncDispose]() {
      await runtime.stop(0)
      await store.close()
      await egress.close()
    },
  }
}

/** A closed network, but for what the case allows; a recording in its place, or beside it while it is made. */
function openEgress(
  recording: BenchOptions['recording'],
  hosts: readonly string[],
  redact: (text: string) => string,
): { readonly egress: Egress; readonly unused: () => readonly string[] } {
  if (recording !== null && !recording.record) {
    const egress = replayEgress(recording.file, { redact })
    return { egress, unused: () => egress.unused() }
  }
  // While it records, any public host may be asked; private ones are named all the same.
  const open = hosts.includes('*') || (recording !== null && hosts.length === 0)
  const egress = createEgress(open ? {} : { allow: hosts, onlyHosts: hosts })
  return { egress: recording === null ? egress : recordEgress(egress, recording.file, { redact }), unused: () => [] }
}

interface State {
  readonly calls: NamedCall[]
  readonly faults: string[]
  delayed: number
  notices: number
}

async function settle(runtime: Runtime, store: Store, state: State): Promise<void> {
  let quiet = 0
  let last = ''
  for (let turns = 0; quiet < QUIET_TURNS; turns++) {
    await new Promise<void>((resolve) => {
      if (turns < BUSY_TURNS) setImmediate(resolve)
      else setTimeout(resolve, 1)
    })
    const { active, queued, effects, stepsTotal } = runtime.stats()
    const { commits, pending } = store.stats()
    const now = [active, queued, effects, stepsTotal, commits, pending, state.notices, state.calls.length].join()
    const working = effects > state.delayed || pending > 0
    quiet = working || now !== last ? 0 : quiet + 1
    last = now
  }
}

function createIntercept(options: BenchOptions, clock: VirtualClock, state: State) {
  const { project, fakes, fixtures, allow } = options
  const used: UseCounter = new Map()
  return async (given: InterceptedCall): Promise<{ readonly output: Json } | undefined> => {
    const call = nameCall(given, project, state.calls)
    state.calls.push(call)
    try {
      const answer = await answerCall(call, fakes, fixtures, used)
      if (answer.kind === 'real') return undefined
      if (answer.kind === 'none') {
        if (call.kind === 'task' || isAllowed(call, allow)) return undefined
        throw new PlugworkError('test_unfaked', unfaked(call))
      }
      if (answer.delayMs > 0) await pass(clock, answer.delayMs, state)
      if (answer.kind === 'error') throw answer.error
      return { output: answer.output }
    } catch (error) {
      const { code } = error as { code?: string }
      if (code === 'test_unfaked' || code === 'test_fake_unmatched') state.faults.push((error as Error).message)
      throw error
    }
  }
}

function unfaked(call: NamedCall): string {
  return `Step ${call.path} called ${call.name}, which has no fake. Add \`fakes: { ${call.id ?? call.name}: { returns: … } }\`, or let it run with \`allow: [${call.name}]\`.`
}

function nameCall(given: InterceptedCall, project: Project, calls: readonly NamedCall[]): NamedCall {
  const plan = project.flows.get(given.flow)?.plan
  const steps = plan ? [...planSteps(plan)] : []
  const inFlow = staticPath(given.path, new Set(steps.map((step) => step.path)))
  return {
    kind: given.kind,
    name: given.name,
    path: given.path,
    attempt: given.attempt,
    input: given.input,
    staticPath: inFlow,
    id: steps.find((step) => step.path === inFlow)?.id,
    previous: calls.filter((call) => call.path === given.path && call.name === given.name).length,
  }
}

function isAllowed(call: NamedCall, allow: readonly string[]): boolean {
  const names = namesOfCall(call)
  return allow.some((name) => names.includes(name))
}

/** Waits in virtual time. */
function pass(clock: VirtualClock, ms: number, state: State): Promise<void> {
  state.delayed++
  return new Promise((resolve) => {
    clock.at(clock.now() + ms, () => {
      state.delayed--
      resolve()
    })
  })
}

/** What a fake lets run with `real: true` may open its connection, as if `allow` named it. */
function realNames(tables: readonly Fakes[]): string[] {
  const named = tables.flatMap((table) => Object.entries(table))
  return named.flatMap(([name, fake]) => (answersOf(fake).some((answer) => answer.real === true) ? [name] : []))
}

/** Tasks reach connections through their context; there too what is not allowed is denied. */
function guarded(connector: Connector, allow: readonly string[], faults: string[]): Connector {
  const { name } = connector
  if (allow.some((allowed) => allowed === name || allowed.startsWith(`${name}.`) || allowed.startsWith(`${name}_`)))
    return connector
  const allowedSteps = allow.some((allowed) => !allowed.includes('.') && !allowed.startsWith('network:'))
  if (allowedSteps) return connector
  return {
    ...connector,
    async connect(_config, context) {
      const message = `The connection ${context.name} (${name}) was opened without \`allow: [${name}.*]\`.`
      faults.push(message)
      throw new PlugworkError('test_unfaked', message)
    },
  }
}

/** Flows and tasks of the project; env and secrets of the test alone, so that it is the same everywhere. */
function testDefinitions({ project, env, secrets, recording }: BenchOptions, known: Set<string>): Definitions {
  return {
    plan: (tenant, flow) => project.definitions.plan(tenant, flow),
    task: (tenant, flow, name) => project.definitions.task(tenant, flow, name),
    directory: (tenant, flow) => project.definitions.directory(tenant, flow),
    env: (_tenant, _flow, name) => (Object.hasOwn(env, name) ? env[name]! : null),
    secret(tenant, name) {
      const given = (value: string | null): string | null => {
        if (value !== null) known.add(value)
        return value
      }
      const own = Object.hasOwn(secrets, name) ? secrets[name]! : null
      if (recording?.record !== true) return given(own)
      // A real service wants the real secret; what is written down is without it.
      return Promise.resolve(project.definitions.secret(tenant, name)).then((real) => given(real ?? own))
    },
  }
}
