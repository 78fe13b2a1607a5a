/**
 * Writes docs/expressions.md from the expression library. With `--check` it writes nothing and fails when the page is not
 * what it would write.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expressionDocs } from '../packages/core/src/expression/docs.ts'

const path = join(import.meta.dirname, '..', 'docs', 'expressions.md')
const page = expressionDocs()

if (!process.argv.includes('--check')) {
  writeFileSync(path, page)
} else if (readFileSync(path, 'utf8') !== page) {
  process.stderr.write('docs/expressions.md is out of date: run `node scripts/generate-expression-docs.ts`.\n')
  process.exitCode = 1
}
