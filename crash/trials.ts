/** One scenario per mutation switch: what has to happen for the missing protection to be missed. */
import { join } from 'node:path'
import type { Violation } from './invariants.ts'
import type { Lab } from './lab.ts'
import { stopBetweenCommits, takeOver } from './modes/takeover.ts'
import { canTrace, loseUnsynced, traced } from './power-cut.ts'

export interface Trial {
  /** Switches of `PLUGWORK_MUTATE`, with commas. */
  readonly mutate: string
  /** The invariant that must turn red, and part of what it must say. */
  readonly invariant: string
  readonly says: string
  /** Why it cannot be had on this machine; null where it can. */
  cannotRun?(): string | null
  /** Ends with `lab.check`. Without the switch it must find nothing. */
  run(lab: Lab): Promise<readonly Violation[]>
}

/** Starts of which at least one must be lost, or begin too early. */
const ROUNDS = 3

/** Killed as soon as the client has its answer. */
async function killedAtAnswer(lab: Lab): Promise<readonly Violation[]> {
  for (let round = 0; round < ROUNDS; round++) {
    const node = await lab.node()
    await lab.start(node, 'Steps')
    await lab.kill(node)
  }
  return lab.check(await lab.node())
}

/** Killed at the answer, and what was not synced is lost. The store itself was made, and synced, before. */
async function powerCut(lab: Lab): Promise<readonly Violation[]> {
  await (await lab.node()).stop()
  const trace = join(lab.workshop.folder, 'logs', 'syscalls.txt')
  const node = await lab.node(traced(trace))
  await lab.start(node, 'Steps')
  await lab.kill(node)
  await loseUnsynced(trace, node.pid, join(lab.workshop.folder, 'data'))
  return lab.check(await lab.node())
}

/** Killed as soon as the second effect is seen, while it runs. */
async function killedInEffect(lab: Lab, rounds: number): Promise<readonly Violation[]> {
  for (let round = 0; round < rounds; round++) {
    const node = await lab.node()
    await lab.saw(await lab.start(node, 'Steps'), 't2')
    await lab.kill(node)
  }
  return lab.check(await lab.node())
}

async function undisturbed(lab: Lab, flow: string): Promise<readonly Violation[]> {
  const node = await lab.node()
  await lab.start(node, flow)
  return lab.check(node)
}

/**
 * A process is stopped, replaced, and woken after its successor has moved the run on and died: it must not write. The run
 * is one that the woken process has not touched yet, or the numbers of records would keep it from writing as well.
 */
async function woken(lab: Lab): Promise<readonly Violation[]> {
  const zeroth = await lab.node()
  const run = await lab.start(zeroth, 'Parked')
  await lab.waits(zeroth, run, 'timer')
  await lab.kill(zeroth)
  const first = await lab.node()
  await stopBetweenCommits(first, join(lab.workshop.folder, 'data', 'plugwork.db'))
  const second = await takeOver(lab.workshop, 60_000, lab.env)
  await lab.waits(second.node, run, 'webhook')
  await lab.kill(second.node)
  first.signal('SIGCONT')
  if (await lab.signal(first, run, 'w2', 'call')) return lab.check(first)
  await lab.kill(first)
  const third = await lab.node()
  await lab.signal(third, run, 'w2', 'call')
  return lab.check(third)
}

async function killedWhileParked(lab: Lab): Promise<readonly Violation[]> {
  const node = await lab.node()
  await lab.waits(node, await lab.start(node, 'Later'), 'timer')
  await lab.kill(node)
  return lab.check(await lab.node())
}

/** The second run queues for the key while two calls to it arrive. */
async function calledWhileQueued(lab: Lab): Promise<readonly Violation[]> {
  const node = await lab.node()
  const holder = await lab.start(node, 'Keyed')
  const queued = await lab.start(node, 'Keyed')
  await lab.signal(node, queued, 'w1', 'earlier')
  await lab.signal(node, queued, 'w1', 'later')
  await lab.signal(node, holder, 'w1', 'free')
  return lab.check(node)
}

/** Killed between two calls: the first one is in the inbox, consumed. */
async function killedBetweenCalls(lab: Lab): Promise<readonly Violation[]> {
  const node = await lab.node()
  const run = await lab.start(node, 'TwoCalls')
  await lab.signal(node, run, 'w1', 'first')
  await lab.saw(run, 't1')
  await lab.waits(node, run, 'webhook')
  await lab.kill(node)
  const next = await lab.node()
  await lab.signal(next, run, 'w2', 'second')
  return lab.check(next)
}

async function comparedWithReference(lab: Lab): Promise<readonly Violation[]> {
  await lab.refer('Steps')
  return killedInEffect(lab, 1)
}

/** The longest one first: they run side by side. */
export const TRIALS: readonly Trial[] = [
  { mutate: 'no_fence', invariant: 'I4', says: 'epoch', run: woken },
  { mutate: 'ack_before_commit', invariant: 'I1', says: 'does not exist', run: killedAtAnswer },
  {
    mutate: 'sync_off',
    invariant: 'I1',
    says: 'does not exist',
    cannotRun: () => (canTrace() ? null : 'needs strace'),
    run: powerCut,
  },
  {
    mutate: 'effect_before_commit',
    invariant: 'I2',
    says: 'before the record that starts it',
    run: (lab) => killedInEffect(lab, ROUNDS),
  },
  {
    mutate: 'stale_replay,no_unique',
    invariant: 'I2',
    says: 'twice',
    run: (lab) => killedInEffect(lab, 1),
  },
  { mutate: 'effect_twice', invariant: 'I3', says: 'effects for', run: (lab) => undisturbed(lab, 'Steps') },
  { mutate: 'lost_record', invariant: 'I5', says: 'hole', run: (lab) => undisturbed(lab, 'Steps') },
  { mutate: 'half_write', invariant: 'I5', says: 'the journal says', run: (lab) => undisturbed(lab, 'Steps') },
  { mutate: 'no_recovery', invariant: 'I6', says: 'is running', run: (lab) => killedInEffect(lab, 1) },
  { mutate: 'no_dispatch', invariant: 'I7', says: 'not taken', run: (lab) => undisturbed(lab, 'Nest') },
  { mutate: 'early_timer', invariant: 'I8', says: 'early', run: (lab) => undisturbed(lab, 'Soon') },
  { mutate: 'no_wake', invariant: 'I8', says: 'was due', run: killedWhileParked },
  { mutate: 'no_consume,new_ids', invariant: 'I9', says: 'consumed', run: killedBetweenCalls },
  { mutate: 'unordered_inbox', invariant: 'I9', says: 'order', run: calledWhileQueued },
  { mutate: 'other_inputs', invariant: 'I10', says: 'gave', run: comparedWithReference },
]
