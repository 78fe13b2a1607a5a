/** Reloading happens in Node's own loader, so a real process does it; the test runner would load TypeScript its own way. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'plugwork-watch-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const write = (name: string, text: string): void => writeFileSync(join(directory, name), text)

/** Prints what the task answers at first, after each change, and what a call that began on the first version answers. */
const SCRIPT = `
import { loadProject } from '${pathToFileURL(join(import.meta.dirname, 'load-project.ts')).href}'
const project = await loadProject(process.argv[2], { connectors: [], environment: {} })
const say = (value) => process.stdout.write(JSON.stringify(value) + '\\n')
const task = () => project.definitions.task('default', 'A', 'Answer')
let finish
const started = task().run({ wait: new Promise((resolve) => (finish = resolve)) }, {})
say({ answer: await task().run({}, {}), code: task().code })
project.watch(async (change) => {
  say({
    change,
    answer: await task()?.run({}, {}),
    code: task()?.code,
    served: [...project.flows.keys()],
    problems: project.problems.map((problem) => problem.file + ' ' + problem.code),
  })
})
process.stdin.on('data', async () => {
  finish()
  say({ started: await started })
  await project.close()
  process.exit(0)
})
`

test('a changed task, a file it imports, and a changed flow are loaded anew; what runs keeps its code', async () => {
  write('flow.yaml', 'flow: A\nsteps:\n  - { id: s, task: Answer }\n')
  write('lib.ts', 'export const value: number = 1\n')
  write(
    'tasks.ts',
    `import { value } from './lib.ts'
export async function Answer({ wait }: { wait?: Promise<void> }) { await wait; return 'first ' + value }\n`,
  )
  write('watch.mjs', SCRIPT)
  const child = spawn(process.execPath, [join(directory, 'watch.mjs'), directory], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async () => JSON.parse((await lines.next()).value as string) as Record<string, unknown>
  /** Further notices may follow one change; waits for the one that shows it. */
  const until = async (fits: (said: Record<string, unknown>) => boolean) => {
    for (;;) {
      const said = await next()
      if (fits(said)) return said
    }
  }
  try {
    const first = await next()
    expect(first['answer']).toBe('first 1')

    write('lib.ts', 'export const value: number = 2\n')
    const second = await until((said) => said['answer'] === 'first 2')
    expect(second).toMatchObject({ change: { flows: [], removed: [], tasks: ['tasks.ts'] }, problems: [] })
    expect(second['code']).not.toBe(first['code'])

    write('tasks.ts', 'export function Answer( {\n')
    expect(await until((said) => (said['problems'] as string[]).length > 0)).toMatchObject({
      answer: 'first 2',
      problems: ['tasks.ts PW1303'],
    })

    write('tasks.ts', `export function Answer() { return 'second' }\n`)
    expect(await until((said) => said['answer'] === 'second')).toMatchObject({ problems: [] })

    write('flow.yaml', 'flow: A\nsteps:\n  - { id: s, tusk: Answer }\n')
    expect(await until((said) => (said['problems'] as string[]).length > 0)).toMatchObject({ served: ['A'] })

    write('more.flow.yaml', 'flow: B\nsteps:\n  - { id: s, set: { a: 1 } }\n')
    expect(await until((said) => (said['served'] as string[]).includes('B'))).toMatchObject({ served: ['A', 'B'] })

    rmSync(join(directory, 'flow.yaml'))
    const removed = await until((said) => !(said['served'] as string[]).includes('A'))
    expect(removed).toMatchObject({ change: { removed: ['A'] }, answer: 'second' })

    child.stdin.write('go\n')
    expect(await until((said) => 'started' in said)).toEqual({ started: 'first 1' })
  } finally {
    child.kill()
  }
})
