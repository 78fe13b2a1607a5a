/** Random plans and random lives of runs, drawn from a tape of numbers: a shorter tape is a simpler case. */
import type { PlanNode } from '../../flow/plan.ts'
import type { Plan } from '../../flow/plan.ts'
import { inFlight, needsAttention, statusOf, wakeAt, waits } from '../state.ts'
import * as build from './build.ts'
import type { Simulation } from './simulate.ts'

export class Tape {
  readonly #numbers: readonly number[]
  #next = 0

  constructor(numbers: readonly number[]) {
    this.#numbers = numbers
  }

  get ended(): boolean {
    return this.#next >= this.#numbers.length
  }

  /** A number from 0 to below `limit`; 0 when the tape is at its end. */
  draw(limit: number): number {
    return (this.#numbers[this.#next++] ?? 0) % limit
  }

  /** True once in so many times. */
  once(times: number): boolean {
    return this.draw(times) === times - 1
  }
}

export function randomPlan(tape: Tape): Plan {
  let ids = 0
  const id = (kind: string): string => `${kind}${ids++}`

  const common = (depth: number): build.Common => ({
    ...(tape.once(6) ? { if: `inputs.n > ${tape.draw(3)}` } : {}),
    ...(tape.once(6) && depth > 0 ? { onError: steps(depth - 1, 2) } : {}),
    ...(tape.once(8) ? { timeoutMs: 1000 * (1 + tape.draw(60)) } : {}),
  })

  const effect = (depth: number): build.EffectOptions => ({
    ...common(depth),
    input: { n: '${inputs.n}' },
    ...(tape.once(3)
      ? { retry: { maxAttempts: 1 + tape.draw(3), delayMs: 500 * tape.draw(3), jitter: tape.once(2) } }
      : {}),
    onInterrupt: (['retry', 'check', 'hold', 'fail'] as const)[tape.draw(4)]!,
  })

  const step = (depth: number, handler: boolean): PlanNode => {
    switch (tape.draw(depth > 0 ? 15 : 7)) {
      case 0:
      case 1:
        return build.task(id('t'), effect(depth))
      case 2:
        return build.set(id('s'), { v: '${inputs.n + 1}' }, common(depth))
      case 3:
        return tape.once(3) ? build.subflow(id('c'), effect(depth)) : build.action(id('a'), effect(depth))
      case 4:
        return wait(depth)
      case 5:
        return tape.once(8)
          ? build.set(id('bad'), { v: '${inputs.n.x.y}' }, common(depth))
          : build.emit('thing.happened')
      case 6:
        if (tape.once(3)) return build.fail('random failure', 'random')
        return handler || !tape.once(4)
          ? build.task(id('t'))
          : build.exit(tape.once(2) ? 'failure' : 'success', { n: '${inputs.n}' })
      case 7:
        return build.cond(
          `inputs.n > ${tape.draw(3)}`,
          steps(depth - 1, 2, handler),
          steps(depth - 1, 2, handler),
          common(depth),
        )
      case 8:
        return build.choose(
          'inputs.n',
          [
            [0, steps(depth - 1, 2, handler)],
            [1, steps(depth - 1, 2, handler)],
          ],
          steps(depth - 1, 2, handler),
        )
      case 9:
      case 10:
        return build.loop(id('l'), `[0, 1, 2, 3, 4].slice(0, ${tape.draw(6)})`, steps(depth - 1, 3, handler), {
          ...common(depth),
          concurrency: 1 + tape.draw(4),
          goOn: tape.once(3),
        })
      case 11:
        return build.repeat(id('r'), steps(depth - 1, 2, handler), {
          ...common(depth),
          vars: { k: 0 },
          next: { k: '${k + 1}' },
          until: `k >= ${tape.draw(3)}`,
          max: 1 + tape.draw(3),
          delayMs: tape.once(2) ? 1000 : 0,
        })
      case 12: {
        const branches = Array.from({ length: 1 + tape.draw(3) }, () => steps(depth - 1, 2, handler))
        const after = branches.map((_, index) => (index > 0 && tape.once(3) ? [tape.draw(index)] : []))
        return build.parallel(branches, { ...common(depth), after, wait: tape.once(3) })
      }
      default:
        return build.attempt(steps(depth - 1, 3, handler), {
          ...common(depth),
          ...(tape.once(2) ? {} : { catch: tape.once(4) ? [build.rethrow()] : steps(depth - 1, 2, handler) }),
          ...(tape.once(2) ? {} : { finally: steps(depth - 1, 2, true) }),
        })
    }
  }

  const wait = (depth: number): PlanNode => {
    const options = tape.once(2) ? { timeout: '20s' } : {}
    switch (tape.draw(4)) {
      case 0:
        return build.delay(id('w'), `${tape.draw(5)}s`, common(depth))
      case 1:
        return build.event(id('w'), 'thing', { ...options, match: `event.data > ${tape.draw(2)}` })
      case 2:
        return build.approval(id('w'), options)
      default:
        return build.webhook(id('w'), options)
    }
  }

  const steps = (depth: number, most: number, handler = false): PlanNode[] =>
    Array.from({ length: 1 + tape.draw(most) }, () => step(depth, handler))

  const body = steps(3, 4)
  return build.plan(body, {
    outputs: { n: '${inputs.n}' },
    ...(tape.once(4) ? { onError: steps(1, 2, true) } : {}),
    ...(tape.once(4) ? { onCancel: steps(1, 2, true) } : {}),
    settings: { cancelGraceMs: 5000, ...(tape.once(6) ? { timeoutMs: 60_000 } : {}) },
  })
}

/** One thing that happens to a run; false when nothing can happen any more. */
export function randomEvent(run: Simulation, tape: Tape): boolean {
  const { status } = statusOf(run.state)
  if (status === 'failed') return tape.once(2) && run.send({ type: 'retry' })
  if (status !== 'running' && status !== 'waiting') return false
  run.pass(tape.draw(3) * 400)
  if (rarely(run, tape)) return true
  const flights = inFlight(run.state)
  const open = waits(run.state).filter((wait) => wait.kind !== 'delay' && wait.kind !== 'until')
  const held = needsAttention(run.state)
  const choices: (() => boolean)[] = [
    ...flights.map((flight) => () => answer(run, tape, flight)),
    ...open.map((wait) => () => resume(run, tape, wait)),
    ...held.map(({ path }) => () => {
      const decision = (['retry', 'output', 'fail'] as const)[tape.draw(3)]!
      return run.send({ type: 'resolve', path, decision, ...(decision === 'output' ? { output: { by: 'hand' } } : {}) })
    }),
    ...(wakeAt(run.state) === null ? [] : [() => run.tick()]),
  ]
  const choice = choices[tape.draw(Math.max(choices.length, 1))]
  if (choice === undefined) throw new Error(`an open run can do nothing: ${run.status}`)
  choice()
  return true
}

function rarely(run: Simulation, tape: Tape): boolean {
  switch (tape.draw(40)) {
    case 39:
      return run.send({ type: 'cancel', force: false })
    case 38:
      return tape.once(3) && run.send({ type: 'cancel', force: true })
    case 37:
    case 36:
      return run.send({ type: 'takeover' })
    case 35:
      return run.signal('w1', 'approved', tape.draw(4))
    case 34: {
      // A result of an attempt that is not the one in flight.
      const [flight] = inFlight(run.state)
      if (flight === undefined) return false
      const { path } = flight
      if (run.send({ type: 'completed', path, attempt: flight.attempt + 7, output: 1, startedAt: run.now })) {
        throw new Error('a stranger completed a step')
      }
      return false
    }
    default:
      return false
  }
}

function answer(run: Simulation, tape: Tape, flight: ReturnType<typeof inFlight>[number]): boolean {
  const { path, attempt, kind } = flight
  if (kind === 'lookup') return run.send({ type: 'looked_up', path, found: tape.once(2), output: { found: true } })
  if (kind === 'child') {
    const status = (['succeeded', 'succeeded', 'failed', 'cancelled'] as const)[tape.draw(4)]!
    const error = { code: 'inside', message: 'inside' }
    return run.send({
      type: 'child_ended',
      path,
      attempt,
      runId: 'child',
      status,
      ...(status === 'failed' ? { error } : { outputs: { n: 1 } }),
    })
  }
  switch (tape.draw(8)) {
    case 6:
      return run.fail(path, 'boom')
    case 7:
      if (tape.once(3)) return run.send({ type: 'hold', path, reason: 'no such task' })
      return run.fail(path, 'fatal', { final: true })
    default:
      return run.complete(path, { n: tape.draw(4) })
  }
}

function resume(run: Simulation, tape: Tape, wait: ReturnType<typeof waits>[number]): boolean {
  const { path, kind } = wait
  const data = tape.draw(4)
  if (kind === 'event' && tape.once(2)) {
    return run.send({ type: 'event', path, eventId: 1 + run.records.length, name: 'thing', data, publishedAt: run.now })
  }
  const outcome = (['received', 'approved', 'rejected'] as const)[kind === 'approval' ? 1 + tape.draw(2) : 0]!
  return run.signal(tape.once(2) ? path : (wait.name ?? path), outcome, data)
}
