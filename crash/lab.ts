/**
 * Short scenarios with chosen flows and chosen moments: one fault at a time, where the random cycles have many. What the
 * client was told and when a process was killed is remembered for the invariants.
 */
import { allEnded } from './client.ts'
import { readEffects } from './evidence.ts'
import type { CrashFlow } from './flows.ts'
import { canonical, checkInvariants, referenceKey, type Acknowledged, type Violation } from './invariants.ts'
import { delay, type PlugworkNode } from './node.ts'
import { seeded } from './random.ts'
import { openWorkshop, type Workshop } from './workshop.ts'

/** How long a scenario waits for one thing to happen, ms. */
const PATIENCE_MS = 20_000
/** How long the last process gets to end what is open, ms. */
const LAST_MS = 6_000

const HEAD = 'inputs:\n  - { name: n, type: integer, required: true }\n'
const RETRY = '    retry: { max_attempts: 4, delay: 30ms }\n'

function effect(id: string, value: string, task = 'Effect'): string {
  return `  - task: ${task}\n    id: ${id}\n    inputs: { name: ${id}, value: "\${${value}}" }\n    outputs: [value]\n${RETRY}`
}

function flow(name: string, body: string, head = ''): CrashFlow {
  return { name, source: `flow: ${name}\n${HEAD}${head}steps:\n${body}`, signals: [] }
}

/** Three effects, the second of which takes long enough to be killed in. */
const STEPS = flow(
  'Steps',
  `${effect('t1', 'inputs.n')}${effect('t2', 't1.value + inputs.n', 'Slow')}${effect('t3', 't2.value + inputs.n')}` +
    `outputs:\n  - { name: last, value: "\${t3.value}" }\n  - { name: n, value: "\${inputs.n}" }\n`,
)
/** A wait that ends in memory, and one that is a row meanwhile. */
const SOON = flow('Soon', `${effect('t1', 'inputs.n')}  - id: w1\n    wait: 600ms\n${effect('t2', 't1.value')}`)
const LATER = flow('Later', `${effect('t1', 'inputs.n')}  - id: w1\n    wait: 1500ms\n${effect('t2', 't1.value')}`)
const CALLS = '{ webhook: { timeout: 10m } }'
const PARKED = flow(
  'Parked',
  `${effect('t1', 'inputs.n')}  - id: w1\n    wait: 8000ms\n${effect('t2', 't1.value')}` +
    `  - id: w2\n    wait: ${CALLS}\n${effect('t3', 't2.value')}`,
)
const TWO_CALLS = flow(
  'TwoCalls',
  `  - id: w1\n    wait: ${CALLS}\n${effect('t1', 'inputs.n')}  - id: w2\n    wait: ${CALLS}\n${effect('t2', 't1.value')}`,
)
const KEYED = flow(
  'Keyed',
  `  - id: w1\n    wait: ${CALLS}\n${effect('t1', 'inputs.n')}`,
  'settings:\n  concurrency: { key: one, limit: 1, when_full: queue }\n',
)
const NEST = flow(
  'Nest',
  `${effect('t1', 'inputs.n')}  - id: leaf\n    subflow: Leaf\n    inputs: { n: "\${t1.value}" }\n    outputs: [value]\n`,
)

const FLOWS = [STEPS, SOON, LATER, PARKED, TWO_CALLS, KEYED, NEST]

/** What runs are started with; its answers are no multiples of seven, which the oracle refuses at first. */
export const N = 3

export class Lab implements AsyncDisposable {
  readonly workshop: Workshop
  readonly env: Readonly<Record<string, string>>
  readonly kills: number[] = []
  readonly reference = new Map<string, string>()
  readonly #starts: Acknowledged['starts'][number][] = []
  readonly #signals: Acknowledged['signals'][number][] = []

  private constructor(workshop: Workshop, env: Readonly<Record<string, string>>) {
    this.workshop = workshop
    this.env = env
  }

  static async open(env: Readonly<Record<string, string>>, keep: boolean): Promise<Lab> {
    return new Lab(await openWorkshop({ random: seeded(1), flows: 0, fixed: FLOWS, keep }), env)
  }

  /** A process that serves. */
  async node(prefix: readonly string[] = []): Promise<PlugworkNode> {
    const node = this.workshop.node('data', this.env, undefined, prefix)
    if (!(await node.ready())) throw new Error(`a process ended before it served; see ${node.options.logFile}`)
    return node
  }

  async kill(node: PlugworkNode): Promise<void> {
    this.kills.push(Date.now())
    await node.kill()
  }

  /** Starts a run that must be accepted; its id. */
  async start(node: PlugworkNode, name: string): Promise<string> {
    const key = `start-${this.#starts.length + 1}`
    const answer = await node.call('POST', `/api/v1/flows/${name}/runs`, { inputs: { n: N }, idempotency_key: key })
    if (answer.status !== 202 && answer.status !== 200) {
      throw new Error(`${name} was not accepted: status ${answer.status} ${JSON.stringify(answer.body)}`)
    }
    const id = String(answer.body['id'])
    this.#starts.push({ id, flow: name, n: N, key })
    return id
  }

  /** Whether the signal was acknowledged. */
  async signal(node: PlugworkNode, run: string, name: string, dedupe: string): Promise<boolean> {
    const body = { data: { from: dedupe }, id: dedupe }
    const { status } = await node.call('POST', `/api/v1/runs/${run}/signals/${name}`, body)
    const stored = status >= 200 && status < 300
    if (stored) this.#signals.push({ run, name, dedupe })
    return stored
  }

  /** Waits until the oracle has seen an effect of this name of the run. */
  async saw(run: string, name: string): Promise<void> {
    await this.#until(`effect ${name} of ${run}`, 1, () =>
      readEffects(this.workshop.effectsFile).some((entry) => entry.run === run && entry.name === name),
    )
  }

  /** Waits until the run says that it waits for this. */
  async waits(node: PlugworkNode, run: string, reason: string): Promise<void> {
    await this.#until(`run ${run} to wait for ${reason}`, 20, async () => {
      const { body } = await node.call('GET', `/api/v1/runs/${run}`)
      return body['status'] === 'waiting' && body['reason'] === reason
    })
  }

  /** Has the flow run once without faults, on a data folder of its own. */
  async refer(name: string): Promise<void> {
    const node = this.workshop.node('reference')
    await node.ready()
    const answer = await node.call('POST', `/api/v1/flows/${name}/runs`, { inputs: { n: N } })
    await allEnded(node, PATIENCE_MS)
    const { body } = await node.call('GET', `/api/v1/runs/${String(answer.body['id'])}`)
    this.reference.set(referenceKey(name, N), canonical(body['outputs']))
    await node.stop()
  }

  /** Lets the last process end what is open, stops it, and checks the invariants. */
  async check(last: PlugworkNode): Promise<readonly Violation[]> {
    await allEnded(last, LAST_MS)
    await last.stop()
    const endedAt = Date.now()
    return checkInvariants({
      acknowledged: { starts: this.#starts, signals: this.#signals },
      effects: readEffects(this.workshop.effectsFile),
      runs: await this.workshop.collect('data'),
      kills: this.kills,
      reference: this.reference,
      endedAt,
    })
  }

  async #until(what: string, everyMs: number, holds: () => boolean | Promise<boolean>): Promise<void> {
    const until = Date.now() + PATIENCE_MS
    while (!(await holds())) {
      if (Date.now() > until) throw new Error(`waited ${PATIENCE_MS} ms in vain for ${what}`)
      await delay(everyMs)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.workshop[Symbol.asyncDispose]()
  }
}
