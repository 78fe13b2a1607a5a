/** Writes docs/cli.md from the command tree. `--check` only compares. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { processContext } from '../packages/plugwork/src/context.ts'
import { createProgram } from '../packages/plugwork/src/program.ts'
import { renderCliReference } from '../packages/plugwork/src/reference.ts'

const target = join(import.meta.dirname, '../docs/cli.md')

export function cliDocs(): string {
  return renderCliReference(createProgram(processContext(), () => undefined))
}

if (process.argv[1] === import.meta.filename) {
  const text = cliDocs()
  if (!process.argv.includes('--check')) writeFileSync(target, text)
  else if (readFileSync(target, 'utf8') !== text) {
    process.stderr.write('docs/cli.md is not what the commands say; run `node scripts/generate-cli-docs.ts`.\n')
    process.exitCode = 1
  }
}
