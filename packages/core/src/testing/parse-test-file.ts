/** Reads files of flow tests: YAML with the line of every problem, TypeScript by import. */
import { isNode, LineCounter, parseDocument, type Document } from 'yaml'
import type { z } from 'zod'
import { closest } from '../expression/suggest.ts'
import { TEST_FILE_SCHEMA, type TestCase, type TestFile } from './test-file.ts'

export interface TestFileProblem {
  readonly line: number
  readonly column: number
  readonly message: string
}

export type ParsedTestFile =
  | { readonly kind: 'file'; readonly file: TestFile }
  | { readonly kind: 'problems'; readonly problems: readonly TestFileProblem[] }

/** Reads YAML. Never throws. */
export function parseTestFile(text: string): ParsedTestFile {
  const lines = new LineCounter()
  const document = parseDocument(text, {
    lineCounter: lines,
    logLevel: 'silent',
    prettyErrors: false,
    stringKeys: true,
  })
  const at = (offset: number): { line: number; column: number } => {
    const { line, col } = lines.linePos(offset)
    return { line, column: col }
  }
  const [syntax] = document.errors
  if (syntax) {
    // What follows the first error is read in a wrong state, and would only hide it.
    const message = `This is not YAML: ${syntax.message}. Put text with braces, brackets or commas into quotes.`
    return { kind: 'problems', problems: [{ ...at(syntax.pos[0]), message }] }
  }
  const parsed = TEST_FILE_SCHEMA.safeParse(document.toJS())
  if (!parsed.success) {
    const problems = parsed.error.issues.flatMap((issue) =>
      flatten(issue).map(({ path, message }) => ({ ...at(offsetOf(document, path)), message })),
    )
    return { kind: 'problems', problems }
  }
  const cases = parsed.data.cases.map((one, index) => ({ ...one, line: at(offsetOf(document, ['cases', index])).line }))
  return { kind: 'file', file: { ...parsed.data, cases } }
}

/** Takes the default export of a TypeScript file; the functions in it are kept. */
export function acceptTestFile(value: object): ParsedTestFile {
  const { cases, fakes, ...rest } = value as TestFile
  const plain = {
    ...rest,
    ...(fakes === undefined ? {} : { fakes: withoutFunctions(fakes) }),
    cases: Array.isArray(cases)
      ? cases.map(({ check: _check, fakes: own, ...one }: TestCase) =>
          own === undefined ? one : { ...one, fakes: withoutFunctions(own) },
        )
      : cases,
  }
  const parsed = TEST_FILE_SCHEMA.safeParse(plain)
  if (!parsed.success) {
    const problems = parsed.error.issues
      .flatMap((issue) => flatten(issue))
      .map(({ message }) => ({ line: 1, column: 1, message }))
    return { kind: 'problems', problems }
  }
  const file = {
    ...parsed.data,
    ...(fakes === undefined ? {} : { fakes }),
    cases: parsed.data.cases.map((one, index) => {
      const { check, fakes: own } = cases[index]!
      return { ...one, ...(own === undefined ? {} : { fakes: own }), ...(check ? { check } : {}), line: 1 }
    }),
  }
  return { kind: 'file', file }
}

/** Functions stand for answers that the schema need not see. */
function withoutFunctions(fakes: object): object {
  return Object.fromEntries(
    Object.entries(fakes).map(([target, fake]) => [
      target,
      typeof fake === 'function' ? { returns: null } : (fake as unknown),
    ]),
  )
}

type Issue = z.core.$ZodIssue

/** Of a union only the member that came furthest is of interest. */
function flatten(
  issue: Issue,
  before: readonly PropertyKey[] = [],
): { path: readonly PropertyKey[]; message: string }[] {
  const path = [...before, ...issue.path]
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const depth = (issues: readonly Issue[]): number => Math.max(...issues.map((one) => one.path.length))
    const keys = (issues: readonly Issue[]): number => issues.filter((one) => one.code !== 'invalid_type').length
    const best = issue.errors.toSorted((a, b) => depth(b) - depth(a) || keys(b) - keys(a) || a.length - b.length)[0]!
    return best.flatMap((one) => flatten(one, path))
  }
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const meant = closest(key, KNOWN_KEYS)
      const suggestion = meant === undefined ? '' : ` Did you mean \`${meant}\`?`
      return { path: [...path, key], message: `\`${key}\` is not known here.${suggestion}` }
    })
  }
  const name = path.length === 0 ? 'The file' : `\`${path.map(String).join('.')}\``
  return [{ path, message: `${name}: ${issue.message.charAt(0).toLowerCase()}${issue.message.slice(1)}.` }]
}

const KNOWN_KEYS = (
  'flow fixtures fakes allow env secrets now cases name skip only inputs send expect status outputs error called ' +
  'not_called calls events assert snapshot takes when returns sequence delay real code message data retryable step ' +
  'approve reject signal event cancel as after'
).split(' ')

/** Where the deepest part of a path that exists begins. */
function offsetOf(document: Document, path: readonly PropertyKey[]): number {
  for (let length = path.length; length > 0; length--) {
    const found: unknown = document.getIn(path.slice(0, length), true)
    if (isNode(found) && found.range) return found.range[0]
  }
  return 0
}
