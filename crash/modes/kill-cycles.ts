/** SIGKILL at random moments and at named crash points, again and again, over one data folder. */
import { allEnded, Client } from '../client.ts'
import { checkInvariants, type Violation } from '../invariants.ts'
import { delay } from '../node.ts'
import { seeded } from '../random.ts'
import { readEffects } from '../evidence.ts'
import { references } from '../references.ts'
import { openWorkshop } from '../workshop.ts'

/** Places where the product can be told to kill itself at the N-th hit. */
export const CRASH_POINTS = [
  'store.begin',
  'store.commit.before',
  'store.commit.after',
  'effect.before',
  'effect.after',
  'commit.acked',
  'park.before',
  'claim.after',
  'snapshot.during',
] as const

export async function killCycles(options: {
  readonly seed: number
  readonly cycles: number
  readonly keep: boolean
  readonly env?: Readonly<Record<string, string>>
  readonly store?: 'sqlite' | 'postgres'
}): Promise<readonly Violation[]> {
  const random = seeded(options.seed)
  await using workshop = await openWorkshop({
    random,
    flows: 12,
    keep: options.keep,
    store: options.store ?? 'sqlite',
  })
  const reference = await references(workshop)
  const client = new Client(workshop, random)
  const kills: number[] = []
  const points = new Map<string, number>()
  for (let cycle = 0; cycle < options.cycles; cycle++) {
    const point = random.chance(0.5) ? random.pick(CRASH_POINTS) : null
    const env = { ...options.env, ...(point ? { PLUGWORK_CRASH_POINT: `${point}:${random.int(1, 25)}` } : {}) }
    const node = workshop.node('data', env)
    const talking = node.ready().then((ready) => (ready ? client.talk(node, 20) : undefined))
    const ended = await Promise.race([
      node.exited.then(() => true),
      // Counted from readiness: a kill during start-up alone would test nothing but start-up.
      talkingFor(node.ready(), random.int(10, 450)),
    ])
    if (ended && point) points.set(point, (points.get(point) ?? 0) + 1)
    kills.push(Date.now())
    await node.kill()
    await talking
    if ((cycle + 1) % 20 === 0) {
      process.stdout.write(
        `${cycle + 1} kills, ${client.starts.length} starts and ${client.signals.length} signals acknowledged\n`,
      )
    }
  }
  const last = workshop.node('data')
  await last.ready()
  await client.settle(last)
  const ended = await allEnded(last, 60_000)
  await last.stop()
  const endedAt = Date.now()
  const runs = await workshop.collect('data')
  const effects = readEffects(workshop.effectsFile)
  process.stdout.write(
    `${kills.length} kills (${[...points].map(([name, n]) => `${name} ${n}`).join(', ') || 'none at a named point'}), ` +
      `${runs.length} runs, ${effects.length} effects, ${ended ? 'all runs ended' : 'some runs did not end'}\n`,
  )
  return checkInvariants({ acknowledged: client, effects, runs, kills, reference, endedAt })
}

/** False after `ms` from readiness (or from the end of a node that never was ready). */
async function talkingFor(ready: Promise<boolean>, ms: number): Promise<false> {
  if (await ready) await delay(ms)
  return false
}
