/** What every flow gives when nothing is killed: the yardstick of I10. */
import { INPUTS } from './client.ts'
import { canonical, referenceKey } from './invariants.ts'
import { delay } from './node.ts'
import type { Workshop } from './workshop.ts'

export async function references(workshop: Workshop): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  const node = workshop.node('reference')
  await node.ready()
  const jobs = workshop.flows.flatMap((flow) => INPUTS.map((n) => ({ flow, n })))
  await Promise.all(
    jobs.map(async ({ flow, n }) => {
      const started = await node.call('POST', `/api/v1/flows/${flow.name}/runs`, { inputs: { n } })
      const id = String(started.body['id'])
      for (const name of flow.signals) {
        await node.call('POST', `/api/v1/runs/${id}/signals/${name}`, { data: {}, id: `ref-${id}-${name}` })
      }
      const until = Date.now() + 60_000
      for (;;) {
        const answer = await node.call('GET', `/api/v1/runs/${id}`)
        if (answer.body['status'] === 'succeeded') {
          found.set(referenceKey(flow.name, n), canonical(answer.body['outputs']))
          return
        }
        if (answer.body['status'] === 'failed' || Date.now() > until) {
          throw new Error(`the reference run of ${flow.name}(${n}) did not succeed: ${JSON.stringify(answer.body)}`)
        }
        await delay(50)
      }
    }),
  )
  await node.stop()
  return found
}
