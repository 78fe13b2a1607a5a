import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'

test('naming the connectors loads no driver', () => {
  const script = `
    import { createRequire } from 'node:module'
    await import(${JSON.stringify(join(import.meta.dirname, '../index.ts'))})
    const loaded = Object.keys(createRequire(import.meta.url).cache)
    console.log(JSON.stringify(loaded.filter((file) => /node_modules.(pg|pg-.*|mysql2).lib/.test(file))))`
  const args = ['--input-type=module', '-e', script]
  expect(execFileSync(process.execPath, args, { cwd: import.meta.dirname, encoding: 'utf8' }).trim()).toBe('[]')
})
