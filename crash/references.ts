/** What every flow gives when nothing is killed: the yardstick of I10. */
import { INPUTS } from './client.ts'
import { canonical, referenceKey } from './invariants.ts'
import { delay, type Answer, type PlugworkNode } from './node.ts'
import type { Workshop } from './workshop.ts'

export async function references(workshop: Workshop): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  const node = workshop.node('reference')
  await node.ready()
  const jobs = workshop.flows.flatMap((flow) => INPUTS.map((n) => ({ flow, n })))
  await Promise.all(
    jobs.map(async ({ flow, n }) => {
      const started = await node.call('POST', `/api/v1/flows/${flow.name}/runs`, { inputs: { n } })
      const what = `the reference run of ${flow.name}(${n})`
      if (started.status !== 202 && started.status !== 200) throw unexpected(`${what} was not accepted`, started, node)
      const id = String(started.body['id'])
      for (const name of flow.signals) {
        const body = { data: {}, id: `ref-${id}-${name}` }
        const answer = await node.call('POST', `/api/v1/runs/${id}/signals/${name}`, body)
        if (answer.status >= 300 || answer.status === 0) throw unexpected(`${what} did not take ${name}`, answer, node)
      }
      const until = Date.now() + 60_000
      for (;;) {
        const answer = await node.call('GET', `/api/v1/runs/${id}`)
        if (answer.body['status'] === 'succeeded') {
          found.set(referenceKey(flow.name, n), canonical(answer.body['outputs']))
          return
        }
        if (answer.body['status'] === 'failed' || Date.now() > until)
          throw unexpected(`${what} did not succeed`, answer, node)
        await delay(50)
      }
    }),
  )
  await node.stop()
  return found
}

function unexpected(what: string, { status, body }: Answer, { options }: PlugworkNode): Error {
  const answer = status === 0 ? 'no answer came' : `status ${status}: ${JSON.stringify(body)}`
  return new Error(`${what}; ${answer}. What the process said is in ${options.logFile} (kept with --keep).`)
}
