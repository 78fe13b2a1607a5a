/**
 * Test results as JUnit XML, which CI systems show. The attributes and elements are what the schema of Ant's reports wants
 * (windyroad/JUnit-Schema), the strictest of those in use; Jenkins' (junit-10.xsd) accepts a superset.
 */
import type { CaseOutcome, FileResult } from './results.ts'

export interface JunitOptions {
  /** When the tests began. */
  readonly at: Date
  /** Name of the machine. */
  readonly host: string
}

/** The report as one XML document; times are seconds, the time stamp is UTC. */
export function junitReport(files: readonly FileResult[], options: JunitOptions): string {
  const suites = files.map((file, index) => suiteElement(file, index, options))
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n${suites.join('\n')}\n</testsuites>\n`
}

function suiteElement(file: FileResult, index: number, { at, host }: JunitOptions): string {
  const count = (status: CaseOutcome['status']): number => file.cases.filter((one) => one.status === status).length
  const attributes = {
    name: file.file,
    package: file.flow ?? '',
    id: index,
    timestamp: at.toISOString().slice(0, 19),
    hostname: host,
    tests: file.cases.length + file.problems.length,
    failures: count('failed'),
    errors: file.problems.length,
    skipped: count('skipped'),
    time: seconds(file.cases.reduce((sum, one) => sum + one.durationMs, 0)),
  }
  const cases = [
    ...file.problems.map((problem, number) => {
      const place = `${file.file}:${problem.line}:${problem.column}`
      const name = number === 0 ? 'the file' : `the file, problem ${number + 1}`
      return caseElement({ file, name, durationMs: 0 }, detail('error', problem.message, `${place} ${problem.message}`))
    }),
    ...file.cases.map((one) => caseElement({ file, ...one }, outcomeElement(one))),
  ]
  const inner = ['    <properties/>', ...cases, '    <system-out/>', '    <system-err/>']
  return `  <testsuite${attributesText(attributes)}>\n${inner.join('\n')}\n  </testsuite>`
}

function caseElement(
  one: { readonly file: FileResult; readonly name: string; readonly durationMs: number },
  outcome: string,
): string {
  const open = `    <testcase${attributesText({ classname: one.file.file, name: one.name, time: seconds(one.durationMs) })}`
  return outcome === '' ? `${open}/>` : `${open}>${outcome}</testcase>`
}

function outcomeElement({ status, reason, failures }: CaseOutcome): string {
  if (status === 'passed') return ''
  if (status === 'skipped') return `<skipped${reason === undefined ? '' : attributesText({ message: reason })}/>`
  return detail('failure', failures[0] ?? 'failed', failures.join('\n'))
}

function detail(element: 'failure' | 'error', message: string, text: string): string {
  const type = element === 'failure' ? 'expectation' : 'file'
  return `<${element}${attributesText({ type, message })}>${escape(text)}</${element}>`
}

function attributesText(attributes: { readonly [name: string]: string | number }): string {
  return Object.entries(attributes)
    .map(([name, value]) => ` ${name}="${escape(String(value))}"`)
    .join('')
}

const seconds = (ms: number): string => (ms / 1000).toFixed(3)

const ENTITIES: { readonly [character: string]: string } = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

function escape(text: string): string {
  const allowed = Array.from(text, (character) => (isXmlCharacter(character.codePointAt(0)!) ? character : '?')).join(
    '',
  )
  return allowed.replaceAll(/[&<>"]/g, (found) => ENTITIES[found]!)
}

/** XML 1.0 has no place for most control characters, escaped or not. */
function isXmlCharacter(code: number): boolean {
  return code >= 0x20 ? code !== 0xfffe && code !== 0xffff : code === 0x09 || code === 0x0a || code === 0x0d
}
