/** A client that remembers everything it was told, and says again what was not answered. */
import { delay, type PlugworkNode } from './node.ts'
import type { Random } from './random.ts'
import type { Workshop } from './workshop.ts'

export const INPUTS = [0, 1, 2, 3, 4, 5]

interface Start {
  readonly flow: string
  readonly n: number
  readonly key: string
}

interface Signal {
  readonly run: string
  readonly name: string
  readonly dedupe: string
}

export class Client {
  readonly starts: (Start & { readonly id: string })[] = []
  readonly signals: Signal[] = []
  /** Codes of answers that were neither success nor silence, such as `store_full`. */
  readonly refusals = new Map<string, number>()
  #unanswered: Start[] = []
  #toSignal: Signal[] = []
  #counter = 0
  readonly #workshop: Workshop
  readonly #random: Random

  constructor(workshop: Workshop, random: Random) {
    this.#workshop = workshop
    this.#random = random
  }

  /** Sends starts and signals until the node stops answering or `rounds` are over. */
  async talk(node: PlugworkNode, rounds: number): Promise<void> {
    for (let round = 0; round < rounds; round++) {
      const retried = this.#unanswered.splice(0)
      const fresh = Array.from({ length: 2 }, () => ({
        flow: this.#random.pick(this.#workshop.flows).name,
        n: this.#random.pick(INPUTS),
        key: `start-${++this.#counter}`,
      }))
      const answers = await Promise.all([...retried, ...fresh].map((start) => this.#start(node, start)))
      if (answers.every((status) => status === 0)) return
      await this.#sendSignals(node)
      await delay(this.#random.int(5, 60))
    }
  }

  /** Says everything that was not answered yet, to a node that is healthy now. */
  async settle(node: PlugworkNode): Promise<void> {
    for (let tries = 0; tries < 100 && this.#unanswered.length + this.#toSignal.length > 0; tries++) {
      const waiting = this.#unanswered.splice(0)
      await Promise.all(waiting.map((start) => this.#start(node, start)))
      await this.#sendSignals(node)
      await delay(20)
    }
  }

  async #start(node: PlugworkNode, start: Start): Promise<number> {
    const body = { inputs: { n: start.n }, idempotency_key: start.key }
    const answer = await node.call('POST', `/api/v1/flows/${start.flow}/runs`, body)
    if (answer.status !== 202 && answer.status !== 200) {
      this.#unanswered.push(start)
      if (answer.status !== 0) this.#refused(String(answer.body['code']))
      return answer.status
    }
    const id = String(answer.body['id'])
    const known = this.starts.some((other) => other.id === id)
    this.starts.push({ id, ...start })
    if (!known) {
      const flow = this.#workshop.flows.find((one) => one.name === start.flow)!
      for (const name of flow.signals) this.#toSignal.push({ run: id, name, dedupe: `sig-${start.key}-${name}` })
    }
    return answer.status
  }

  async #sendSignals(node: PlugworkNode): Promise<void> {
    const sending = this.#toSignal.splice(0)
    await Promise.all(
      sending.map(async (signal) => {
        const body = { data: { from: signal.dedupe }, id: signal.dedupe }
        const answer = await node.call('POST', `/api/v1/runs/${signal.run}/signals/${signal.name}`, body)
        if (answer.status >= 200 && answer.status < 300) this.signals.push(signal)
        else {
          this.#toSignal.push(signal)
          if (answer.status !== 0) this.#refused(String(answer.body['code']))
        }
      }),
    )
  }

  #refused(code: string): void {
    this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1)
  }
}

/**
 * Waits until no run is queued, running or waiting. Runs that are held because the process died too often while they ran
 * (which is what these tests do) are let go on, as an operator would.
 */
export async function allEnded(node: PlugworkNode, timeoutMs: number): Promise<boolean> {
  const until = Date.now() + timeoutMs
  while (Date.now() < until) {
    const answer = await node.call('GET', '/api/v1/runs?status=queued,running,waiting&limit=200')
    const runs = answer.body['runs'] as { id: string; reason: string | null }[] | undefined
    if (answer.status === 200 && runs?.length === 0) return true
    for (const run of runs ?? []) if (run.reason === 'needs_attention') await letGoOn(node, run.id)
    await delay(100)
  }
  return false
}

async function letGoOn(node: PlugworkNode, id: string): Promise<void> {
  const run = await node.call('GET', `/api/v1/runs/${id}`)
  const steps = (run.body['steps'] ?? []) as { path: string; status: string }[]
  for (const step of steps) {
    if (step.status === 'needs_attention') {
      await node.call('POST', `/api/v1/runs/${id}/resolve`, { step: step.path, decision: 'retry' })
    }
  }
}
