/** Compares what a run did with what a case expects. Every line that comes back is one failed expectation. */
import { ExpressionError } from '../expression/error.ts'
import type { Json, JsonObject } from '../json.ts'
import { differences, show } from './difference.ts'
import { namesOfCall, type NamedCall } from './fakes.ts'
import type { CaseResult, Expectation } from './test-file.ts'
import { holds, milliseconds, render, type Names } from './test-values.ts'

export interface Compared {
  readonly result: CaseResult
  readonly calls: readonly NamedCall[]
  readonly fixtures: Names
  /** Values of the steps by id. */
  readonly steps: JsonObject
}

/** A case that expects nothing of the status expects success, or `failed` where it expects an error. */
export function checkExpectation(expect: Expectation, compared: Compared): string[] {
  const { result } = compared
  const names = namesOf(compared)
  return [
    ...checkStatus(expect, result),
    ...checkError(expect, result),
    ...checkOutputs(expect, result, names),
    ...checkCalls(expect, compared, names),
    ...checkEvents(expect, result, names),
    ...checkConditions(expect, names),
    ...checkTime(expect, result),
  ]
}

function namesOf({ result, fixtures, steps }: Compared): Names {
  const { status, inputs, outputs, error, elapsedMs } = result
  return {
    status,
    inputs,
    outputs,
    error: error === null ? null : (JSON.parse(JSON.stringify(error)) as Json),
    steps,
    fixtures: { ...fixtures },
    elapsed_ms: elapsedMs,
  }
}

function checkStatus(expect: Expectation, result: CaseResult): string[] {
  const expected = expect.status ?? (expect.error === undefined ? 'succeeded' : 'failed')
  if (result.status === expected) return []
  const why =
    result.error === null
      ? ''
      : `: ${result.error.message} (${result.error.code}${result.error.step ? `, step ${result.error.step}` : ''})`
  const waits = result.status === 'waiting' && result.reason ? `, for ${result.reason}` : ''
  return [`status: expected ${expected}, but the run is ${result.status}${waits}${why}`]
}

function checkError(expect: Expectation, { error }: CaseResult): string[] {
  if (expect.error === undefined) return []
  if (error === null) return [`error: expected ${show(expect.error)}, but there is none`]
  const wanted = typeof expect.error === 'string' ? { code: expect.error } : expect.error
  const failures: string[] = []
  if (wanted.code !== undefined && wanted.code !== error.code) {
    failures.push(`error.code: expected ${wanted.code}, but got ${error.code} (${error.message})`)
  }
  if (wanted.message !== undefined && !error.message.includes(wanted.message)) {
    failures.push(`error.message: expected it to contain ${show(wanted.message)}, but it is ${show(error.message)}`)
  }
  if (wanted.step !== undefined && wanted.step !== error.step) {
    failures.push(`error.step: expected ${wanted.step}, but it is ${error.step ?? 'none'}`)
  }
  return failures
}

function checkOutputs(expect: Expectation, { outputs }: CaseResult, names: Names): string[] {
  if (expect.outputs === undefined) return []
  const actual = outputs ?? {}
  return Object.entries(expect.outputs).flatMap(([name, value]) => {
    if (!Object.hasOwn(actual, name)) {
      const there = Object.keys(actual).join(', ')
      return [`outputs.${name}: there is no such output${there === '' ? '' : ` (there are: ${there})`}`]
    }
    return differences({ [name]: render(value, names) }, { [name]: actual[name]! }, { partial: false }).map(
      (line) => `outputs.${line}`,
    )
  })
}

function checkCalls(expect: Expectation, { calls }: Compared, names: Names): string[] {
  const failures: string[] = []
  const of = (target: string): readonly NamedCall[] => calls.filter((call) => namesOfCall(call).includes(target))
  const happened = (): string => {
    const list = [...new Set(calls.map((call) => `${call.path} (${call.name})`))]
    return list.length === 0 ? 'nothing was called' : `called were: ${list.join(', ')}`
  }
  for (const wanted of expect.called ?? []) {
    if (typeof wanted === 'string') {
      if (of(wanted).length === 0) failures.push(`called: ${wanted} was not called; ${happened()}`)
      continue
    }
    const [target, value] = Object.entries(wanted)[0]!
    const found = of(target)
    const args = render(value, names)
    if (found.length === 0) failures.push(`called: ${target} was not called; ${happened()}`)
    else if (!found.some((call) => differences(args, call.input, { partial: true }).length === 0)) {
      const nearest = found
        .map((call) => differences(args, call.input, { partial: true }))
        .toSorted((a, b) => a.length - b.length)[0]!
      const others = found.length > 1 ? ` in any of its ${found.length} calls; nearest` : ''
      failures.push(`called: ${target} did not get these arguments${others}: ${nearest.join('; ')}`)
    }
  }
  for (const target of expect.not_called ?? []) {
    const found = of(target)
    if (found.length > 0) failures.push(`not_called: ${target} was called with ${show(found[0]!.input)}`)
  }
  for (const [target, times] of Object.entries(expect.calls ?? {})) {
    const found = of(target).length
    if (found !== times)
      failures.push(`calls: expected ${target} to be called ${often(times)}, but it was called ${often(found)}`)
  }
  return failures
}

function checkEvents(expect: Expectation, { events }: CaseResult, names: Names): string[] {
  return (expect.events ?? []).flatMap((wanted) => {
    const [name, data] = typeof wanted === 'string' ? [wanted, undefined] : Object.entries(wanted)[0]!
    const found = events.filter((event) => event.name === name)
    if (found.length === 0) {
      const list = events.map((event) => event.name).join(', ')
      return [`events: ${name} was not published${list === '' ? '' : ` (published were: ${list})`}`]
    }
    if (data === undefined) return []
    const apart = found.map((event) => differences(render(data, names), event.data, { partial: true }))
    return apart.some((lines) => lines.length === 0) ? [] : [`events: ${name}: ${apart[0]!.join('; ')}`]
  })
}

function checkConditions(expect: Expectation, names: Names): string[] {
  return (expect.assert ?? []).flatMap((condition) => {
    try {
      return holds(condition, names) ? [] : [`assert: ${condition} does not hold`]
    } catch (error) {
      if (!(error instanceof ExpressionError || error instanceof TypeError)) throw error
      return [`assert: ${condition}: ${error.message}`]
    }
  })
}

function checkTime(expect: Expectation, { elapsedMs }: CaseResult): string[] {
  if (expect.takes === undefined) return []
  const most = milliseconds(expect.takes)
  return elapsedMs <= most
    ? []
    : [`takes: expected at most ${most} ms of virtual time, but the run took ${elapsedMs} ms`]
}

function often(times: number): string {
  return times === 0 ? 'never' : times === 1 ? 'once' : `${times} times`
}
