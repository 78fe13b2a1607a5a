/** Test results as JUnit XML, which CI systems show. */
import type { FileResult } from './results.ts'

export function junitReport(files: readonly FileResult[]): string {
  const suites = files.map((file) => {
    const cases = file.cases.map((one) => {
      const open = `    <testcase classname="${escape(file.file)}" name="${escape(one.name)}" time="${seconds(one.durationMs)}"`
      if (one.status === 'passed') return `${open}/>`
      if (one.status === 'skipped')
        return `${open}><skipped${one.reason === undefined ? '' : ` message="${escape(one.reason)}"`}/></testcase>`
      const text = one.failures.join('\n')
      return `${open}>\n      <failure message="${escape(one.failures[0] ?? 'failed')}">${escape(text)}</failure>\n    </testcase>`
    })
    const broken = file.problems.map(
      (problem) =>
        `    <testcase classname="${escape(file.file)}" name="file"><error message="${escape(problem.message)}">${escape(`${file.file}:${problem.line}:${problem.column} ${problem.message}`)}</error></testcase>`,
    )
    const count = (status: string): number => file.cases.filter((one) => one.status === status).length
    const time = seconds(file.cases.reduce((sum, one) => sum + one.durationMs, 0))
    return `  <testsuite name="${escape(file.file)}" tests="${file.cases.length + broken.length}" failures="${count('failed')}" errors="${broken.length}" skipped="${count('skipped')}" time="${time}">\n${[...broken, ...cases].join('\n')}\n  </testsuite>`
  })
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n${suites.join('\n')}\n</testsuites>\n`
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
