/** Generated documents are what their generators write; links between documents resolve. */
import { execFileSync } from 'node:child_process'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'

const root = import.meta.dirname

const generators = globSync('scripts/generate-*.ts', { cwd: root }).filter((file) => !file.endsWith('.test.ts'))

test('there are generators', () => {
  expect(generators.length).toBeGreaterThan(3)
})

test.each(generators)('%s --check', (script) => {
  const check = (): Buffer =>
    execFileSync(process.execPath, [join(root, script), '--check'], { cwd: root, stdio: 'pipe' })
  expect(check).not.toThrow()
})

test('links between documents resolve', () => {
  const broken: string[] = []
  for (const file of globSync(['*.md', 'docs/**/*.md', 'examples/**/*.md', 'crash/*.md'], { cwd: root })) {
    const text = readFileSync(join(root, file), 'utf8')
    for (const [, link] of text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)) {
      if (/^[a-z]+:/.test(link!)) continue
      if (!existsSync(join(root, dirname(file), link!))) broken.push(`${file}: ${link}`)
    }
  }
  expect(broken).toEqual([])
})

test('error codes are declared once', async () => {
  const seen = new Map<string, string>()
  const twice: string[] = []
  for (const file of globSync('packages/*/src/**/errors.ts', { cwd: root })) {
    const module = (await import(join(root, file))) as Record<string, unknown>
    for (const table of Object.values(module)) {
      if (typeof table !== 'object' || table === null) continue
      for (const code of Object.keys(table)) {
        if (seen.has(code)) twice.push(`${code}: ${seen.get(code)} and ${file}`)
        seen.set(code, file)
      }
    }
  }
  expect(twice).toEqual([])
})
