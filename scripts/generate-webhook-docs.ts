/** Writes the list of signature schemes in docs/webhooks.md from the table of the code. `--check` only compares. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SIGNATURE_SCHEMES } from '../packages/connections/src/webhook/signature-schemes.ts'
import type { SignatureScheme } from '../packages/connections/src/webhook/signature-scheme.ts'

const target = join(import.meta.dirname, '../docs/webhooks.md')

/** A page with the list as the code has it. */
export function withSchemes(page: string): string {
  const rows = Object.entries<SignatureScheme>(SIGNATURE_SCHEMES)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { notes, toleranceMs, delivery }]) => [
      `\`${name}\``,
      notes.title,
      notes.carriedBy,
      notes.algorithm,
      notes.signed,
      notes.secret,
      toleranceMs === 0 ? 'none' : duration(toleranceMs),
      delivery === undefined ? 'no' : 'yes',
    ])
  const head = ['name', 'service', 'carried by', 'algorithm', 'signed', 'secret', 'tolerance', 'id']
  const lines = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.map(escaped).join(' | ')} |`)
  return page.replace(
    /(<!-- schemes -->\n)[\s\S]*?(<!-- \/schemes -->)/,
    (_, begin: string, end: string) => `${begin}\n${lines.join('\n')}\n\n${end}`,
  )
}

const escaped = (cell: string): string => cell.replaceAll('|', '\\|')

function duration(ms: number): string {
  const minutes = ms / 60_000
  return minutes >= 60 ? `${minutes / 60} h` : `${minutes} min`
}

if (process.argv[1] === import.meta.filename) {
  const page = readFileSync(target, 'utf8')
  const wanted = withSchemes(page)
  if (process.argv.includes('--check')) {
    if (page !== wanted) {
      process.stderr.write('docs/webhooks.md is outdated; run `node scripts/generate-webhook-docs.ts`.\n')
      process.exitCode = 1
    }
  } else {
    writeFileSync(target, wanted)
  }
}
