/** Which fake answers a call, and what it answers. */
import { PlugworkError } from '../error.ts'
import type { Json } from '../json.ts'
import type { FakeAnswer, FakeCall, FakeError, FakeFunction, Fakes } from './test-file.ts'
import { holds, milliseconds, render, type Names } from './test-values.ts'

/** What stands for a call. */
export type Answer =
  | { readonly kind: 'output'; readonly output: Json; readonly delayMs: number }
  | { readonly kind: 'error'; readonly error: PlugworkError; readonly delayMs: number }
  /** The real one runs. */
  | { readonly kind: 'real' }
  /** No fake names it. */
  | { readonly kind: 'none' }

export interface NamedCall extends FakeCall {
  readonly staticPath: string
  readonly id: string | undefined
}

/**
 * Names under which a call is found, most particular first: the step in its iteration, the step, its id, the task or
 * action, all actions of the connector.
 */
export function namesOfCall(call: NamedCall): readonly string[] {
  const names = [call.path, call.staticPath, ...(call.id === undefined ? [] : [call.id]), call.name]
  if (call.kind === 'action') names.push(call.name.replace('.', '_'), `${call.name.slice(0, call.name.indexOf('.'))}.*`)
  return names
}

/** Answers a call. `tables` are looked up in order (the case's own fakes first) before the next, less particular name. */
export async function answerCall(
  call: NamedCall,
  tables: readonly Fakes[],
  fixtures: Names,
  used: UseCounter,
): Promise<Answer> {
  for (const name of namesOfCall(call)) {
    for (const table of tables) {
      if (Object.hasOwn(table, name)) return answerWith(table[name]!, { target: name, call, fixtures, used })
    }
  }
  return { kind: 'none' }
}

/** How often each fake has answered: a sequence goes on whichever step or iteration asks. */
export type UseCounter = Map<object, number>

interface Asked {
  readonly target: string
  readonly call: NamedCall
  readonly fixtures: Names
  readonly used: UseCounter
}

async function answerWith(
  fake: FakeAnswer | readonly FakeAnswer[] | FakeFunction,
  { target, call, fixtures, used }: Asked,
): Promise<Answer> {
  const times = used.get(fake) ?? 0
  used.set(fake, times + 1)
  if (typeof fake === 'function') {
    const { staticPath: _, id: __, ...plain } = call
    return { kind: 'output', output: (await fake({ ...plain, previous: times })) ?? null, delayMs: 0 }
  }
  const names: Names = {
    input: call.input,
    attempt: call.attempt,
    path: call.path,
    call: times + 1,
    fixtures: { ...fixtures },
  }
  const choices = answersOf(fake)
  const chosen = choices.find((choice) => choice.when === undefined || holds(choice.when, names))
  if (!chosen) {
    throw new PlugworkError(
      'test_fake_unmatched',
      `None of the ${choices.length} fakes of ${target} has a \`when\` that holds for the input ${JSON.stringify(call.input)}.`,
    )
  }
  if (chosen.real) return { kind: 'real' }
  const turns = used.get(chosen) ?? 0
  // Alone the fake and the choice are one object, which has been counted above.
  const turn = chosen === fake ? times : turns
  if (chosen !== fake) used.set(chosen, turns + 1)
  const now = chosen.sequence ? chosen.sequence[Math.min(turn, chosen.sequence.length - 1)]! : chosen
  const delay = now.delay ?? chosen.delay
  const delayMs = delay === undefined ? 0 : milliseconds(delay)
  if (now.error !== undefined) return { kind: 'error', error: fakeError(now.error, names), delayMs }
  return { kind: 'output', output: render(now.returns ?? null, names), delayMs }
}

/** What a fake may answer; a function's answers are not known. */
export function answersOf(fake: Fakes[string]): readonly FakeAnswer[] {
  if (typeof fake === 'function') return []
  return isList(fake) ? fake : [fake]
}

const isList = (fake: FakeAnswer | readonly FakeAnswer[]): fake is readonly FakeAnswer[] => Array.isArray(fake)

function fakeError(error: FakeError, names: Names): PlugworkError {
  if (typeof error === 'string')
    return new PlugworkError(error, `A fake answers with the error ${error}.`, { retryable: true })
  const { code, message, data, retryable } = error
  return new PlugworkError(
    code,
    message === undefined ? `A fake answers with the error ${code}.` : String(render(message, names)),
    {
      retryable: retryable ?? true,
      ...(data === undefined ? {} : { data: render(data, names) }),
    },
  )
}
