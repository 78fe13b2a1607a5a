import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { builtinConnectors } from '@plugwork/connectors'

/** Every module that a process has loaded after an import, by its path or name. */
function loadedBy(code: string): string[] {
  const script = `
    import { registerHooks } from 'node:module'
    const loaded = []
    registerHooks({ load(url, context, next) { loaded.push(url); return next(url, context) } })
    ${code}
    process.stdout.write(JSON.stringify(loaded))
  `
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: import.meta.dirname,
    encoding: 'utf8',
  })
  expect(stderr).toBe('')
  return JSON.parse(stdout) as string[]
}

const VENDORS =
  /node_modules\/(?:pg|pg-.*|mysql2|ioredis|mongodb|memcache|@aws-sdk|@smithy|basic-ftp|ssh2|nodemailer|undici|hono|pino|oauth4webapi|jose)\//

test('import of plugwork loads neither the core, nor the server, nor a client of a vendor', async () => {
  const loaded = loadedBy("await import('plugwork')")
  expect(loaded.some((url) => url.includes('packages/sdk/src/create-plugwork.ts'))).toBe(true)
  const heavy = /packages\/(?:server|connections|connectors)\/|packages\/core\/src\/(?:node|runtime|store|egress)/
  expect(loaded.filter((url) => heavy.test(url) || VENDORS.test(url))).toEqual([])
})

test('making a plug loads nothing more than its connector', async () => {
  const loaded = loadedBy(`
    const { createPlugwork } = await import('plugwork')
    const { github } = await import('plugwork/connectors/github')
    createPlugwork({
      database: 'postgres://nobody@localhost/none', encryptionKey: '${Buffer.alloc(32).toString('base64')}',
      baseUrl: 'https://app.example.com', auth: { authenticate: () => null }, connectors: [github()],
    })`)
  expect(
    loaded.filter((url) => /node_modules\/(?:pg|pg-.*|hono|pino)\/|packages\/(?:server|connections)\//.test(url)),
  ).toEqual([])
})

test('every connector has an entry', async () => {
  const files = globSync('*.ts', { cwd: import.meta.dirname }).filter((file) => !file.endsWith('.test.ts'))
  expect(files.map((file) => file.replace('.ts', '')).toSorted()).toEqual(
    builtinConnectors.map(({ name }) => name).toSorted(),
  )
  for (const file of files) {
    const name = file.replace('.ts', '')
    const module = (await import(join(import.meta.dirname, file))) as Record<string, { connector: { name: string } }>
    expect(module[name]!.connector.name).toBe(name)
  }
})
