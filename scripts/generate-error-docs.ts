/**
 * Writes docs/errors.md from the tables of the code: every `errors.ts` of the packages, the checker's codes and the
 * expression language's. `--check` only compares.
 */
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ErrorSpec } from '../packages/core/src/error.ts'
import { EXPRESSION_ERRORS } from '../packages/core/src/expression/error.ts'
import { CHECK_CODES } from '../packages/core/src/flow/codes.ts'
import { PROJECT_CODES } from '../packages/core/src/project/errors.ts'

const root = join(import.meta.dirname, '..')
const target = join(root, 'docs/errors.md')

function isTable(value: unknown): value is Record<string, ErrorSpec> {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).every(
      (row: unknown) => typeof row === 'object' && row !== null && 'summary' in row && 'status' in row,
    )
  )
}

const row = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`

/** Area of a file: `packages/core/src/store/errors.ts` is `store`, `packages/server/src/errors.ts` is `server`. */
function areaOf(file: string): string {
  const [, name, , ...rest] = file.split('/')
  return rest.length > 1 ? (name === 'core' ? rest[0]! : `${name}: ${rest[0]}`) : name!
}

export async function errorDocs(): Promise<string> {
  const lines = [
    '# Errors',
    '',
    'Every code that Plugwork answers with. Codes are stable: a meaning is never reused. This page is generated from the code',
    '(`node scripts/generate-error-docs.ts`).',
    '',
    '## Problems that `plugwork check` reports',
    '',
    row(['code', 'severity', 'what it means', 'what to do']),
    row(['---', '---', '---', '---']),
  ]
  for (const [code, spec] of Object.entries({ ...CHECK_CODES, ...PROJECT_CODES })) {
    lines.push(row([`\`${code}\``, spec.severity, spec.summary, spec.remedy]))
  }
  lines.push(
    '',
    '## Expressions',
    '',
    '`PW11xx` is syntax, `PW12xx` is found by the checker, `expression_…` happens while an expression runs.',
  )
  lines.push('', row(['code', 'message']), row(['---', '---']))
  for (const [code, message] of Object.entries(EXPRESSION_ERRORS)) lines.push(row([`\`${code}\``, String(message)]))
  const files = globSync('packages/*/src/**/errors.ts', { cwd: root }).toSorted()
  for (const file of files) {
    const module = (await import(join(root, file))) as Record<string, unknown>
    const tables = Object.values(module).filter(isTable)
    if (tables.length === 0) throw new Error(`${file} exports no table of errors`)
    lines.push(
      '',
      `## ${areaOf(file)}`,
      '',
      row(['code', 'HTTP status', 'retry helps', 'what it means']),
      row(['---', '---', '---', '---']),
    )
    for (const table of tables) {
      for (const [code, spec] of Object.entries(table)) {
        lines.push(row([`\`${code}\``, String(spec.status), spec.retryable ? 'yes' : 'no', spec.summary]))
      }
    }
  }
  return `${lines.join('\n')}\n`
}

if (process.argv[1] === import.meta.filename) {
  const text = await errorDocs()
  if (!process.argv.includes('--check')) writeFileSync(target, text)
  else if (readFileSync(target, 'utf8') !== text) {
    process.stderr.write('docs/errors.md is not what the code says; run `node scripts/generate-error-docs.ts`.\n')
    process.exitCode = 1
  }
}
