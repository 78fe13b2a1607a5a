/** Flow documents that are objects of a program (`defineFlow`, an API's body): copied to plain JSON, positions unknown. */
import type { Json } from '../json.ts'
import { problem } from './codes.ts'
import { MAX_DEPTH, MAX_NODES, type ParsedFlow } from './parse.ts'
import type { FlowProblem } from './problem.ts'
import { SourceMap } from './source-map.ts'

/** Copies an object to a document. What is no JSON value is a problem with a JSON pointer. Never throws. */
export function documentOf(object: unknown): ParsedFlow {
  const sources = new SourceMap('')
  const problems: FlowProblem[] = []
  let nodes = 0

  function report(code: string, message: string, pointer: string): null {
    problems.push(problem(code, message, sources.range(0, 0), { pointer }))
    return null
  }

  function copy(value: unknown, pointer: string, depth: number): Json {
    if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
    if (depth > MAX_DEPTH || ++nodes > MAX_NODES)
      return report('PW1002', 'The document is too large or refers to itself.', pointer)
    if (typeof value === 'number') {
      if (Number.isFinite(value)) return value
      return report('PW1004', `The number ${value} is not a JSON value.`, pointer)
    }
    if (Array.isArray(value)) return value.map((item, index) => copy(item ?? null, `${pointer}/${index}`, depth + 1))
    if (typeof value !== 'object' || !isPlain(value)) {
      const what = typeof value === 'object' ? 'an instance of a class' : `a ${typeof value}`
      return report('PW1004', `Only JSON values can stand in a flow, not ${what}.`, pointer)
    }
    const map: { [key: string]: Json } = {}
    for (const [key, item] of Object.entries(value)) {
      if (key === '__proto__') report('PW1003', 'The key `__proto__` is not allowed.', pointer)
      else if (item !== undefined)
        map[key] = copy(item, `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`, depth + 1)
    }
    return map
  }

  return { value: copy(object, '', 0), sources, problems }
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
