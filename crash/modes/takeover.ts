/**
 * A process that is alive but no longer renews its ownership is replaced after 15 s, and commits nothing when it wakes.
 * Two ways to get there: SIGSTOP (stopped from outside) and a wedged event loop (a task that never yields).
 */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout } from 'node:timers/promises'
import { allEnded, Client } from '../client.ts'
import { checkInvariants, type Violation } from '../invariants.ts'
import { delay, type PlugworkNode } from '../node.ts'
import { seeded } from '../random.ts'
import { readEffects } from '../evidence.ts'
import { references } from '../references.ts'
import { freePort, openWorkshop, type Workshop } from '../workshop.ts'

export type TakeoverKind = 'stop' | 'wedge'

/** Starts a second node until it is let in; answers it and how many were refused before. */
export async function takeOver(
  workshop: Workshop,
  timeoutMs: number,
  env: Readonly<Record<string, string>>,
): Promise<{ node: PlugworkNode; refused: number }> {
  const port = await freePort()
  const until = Date.now() + timeoutMs
  let refused = 0
  while (Date.now() < until) {
    const node = workshop.node('data', env, port)
    if (await node.ready()) return { node, refused }
    refused += 1
    await delay(1000)
  }
  throw new Error(`no second process was let in within ${timeoutMs} ms`)
}

/**
 * Stops the process while it holds no lock of the database. (One that is stopped in the middle of a commit cannot be replaced
 * without ending it, which is what happens then; the fence is what this test is about.)
 */
export async function stopBetweenCommits(node: PlugworkNode, file: string): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    node.signal('SIGSTOP')
    const database = new DatabaseSync(file)
    try {
      database.exec('PRAGMA busy_timeout = 0; BEGIN IMMEDIATE; ROLLBACK')
      return
    } catch {
      node.signal('SIGCONT')
      await delay(3)
    } finally {
      database.close()
    }
  }
  throw new Error('the process was never found between two commits')
}

export async function takeover(options: {
  readonly kind: TakeoverKind
  readonly seed: number
  readonly keep: boolean
  readonly env?: Readonly<Record<string, string>>
}): Promise<readonly Violation[]> {
  const random = seeded(options.seed)
  const env = options.env ?? {}
  await using workshop = await openWorkshop({ random, flows: 6, keep: options.keep })
  const reference = await references(workshop)
  const client = new Client(workshop, random)
  const violations: Violation[] = []

  const first = workshop.node('data', env)
  await first.ready()
  await client.talk(first, 6)
  const talking = client.talk(first, 2)
  if (options.kind === 'stop') await stopBetweenCommits(first, join(workshop.folder, 'data', 'plugwork.db'))
  else void first.call('POST', '/api/v1/flows/Wedge/runs', { inputs: { seconds: 40 } })
  const began = Date.now()
  const second = await takeOver(workshop, 60_000, env)
  const kills = [began, Date.now()]
  process.stdout.write(
    `taken over after ${((Date.now() - began) / 1000).toFixed(1)} s (${second.refused} refused before)\n`,
  )
  if (second.refused === 0) violations.push({ invariant: 'fence', what: 'a second process was let in at once' })
  await talking
  await client.settle(second.node)
  if (options.kind === 'stop') first.signal('SIGCONT')
  const patience = new AbortController()
  const tooLong = setTimeout(45_000, 'still running', { signal: patience.signal }).catch(() => 'in time')
  const exit = await Promise.race([first.exited, tooLong])
  patience.abort()
  kills.push(Date.now())
  process.stdout.write(`the woken process ended with ${exit}\n`)
  if (exit === 0 || exit === 'still running') {
    violations.push({
      invariant: 'fence',
      what: `the process that lost its store ended with ${exit}, not with an error`,
    })
  }
  await client.talk(second.node, 3)
  await client.settle(second.node)
  await allEnded(second.node, 60_000)
  await second.node.stop()
  const endedAt = Date.now()
  const runs = await workshop.collect('data')
  const wedged = new Set(['Wedge'])
  violations.push(
    ...checkInvariants({
      acknowledged: client,
      effects: readEffects(workshop.effectsFile),
      runs: runs.filter((run) => !wedged.has(run.row.flow)),
      kills,
      reference,
      endedAt,
    }),
  )
  return violations
}
