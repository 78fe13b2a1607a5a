import type { Command } from 'commander'
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { requireBinary } from '@plugwork/test-services'
import { processContext } from './context.ts'
import { createProgram, exampleOf } from './program.ts'
import { BIN, openSandbox } from './testing/spawn.ts'

const sandbox = openSandbox()
afterAll(() => sandbox[Symbol.dispose]())

const program = createProgram(processContext(), () => undefined)

function leaves(command: Command, path: string): [string, Command][] {
  return command.commands
    .filter((child) => child.name() !== 'help')
    .flatMap((child) =>
      child.commands.length > 0 ? leaves(child, `${path}${child.name()} `) : [[path + child.name(), child]],
    )
}

test.each(leaves(program, ''))(
  '%s has a summary, options that say what they do, and an example that names it',
  (path, command) => {
    expect(command.summary()).toMatch(/^[A-Z].*[.`\w]$/)
    expect(command.options.filter((option) => option.description === '')).toEqual([])
    expect(exampleOf(command)).toContain(`plugwork ${path}`)
  },
)

test('--help shows usage, options and the example on stdout', async () => {
  const { code, stdout, stderr } = await sandbox.plugwork(['runs', 'replay', '--help'])
  expect(code).toBe(0)
  expect(stderr).toBe('')
  expect(stdout).toContain('Usage: plugwork runs replay [options] <id>')
  expect(stdout).toContain('--from <step>')
  expect(stdout).toContain('Example:\n  plugwork runs replay 0197… --from charge')
})

test('an unknown command suggests one and exits with 2', async () => {
  const { code, stdout, stderr } = await sandbox.plugwork(['chekc'])
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toContain(`unknown command 'chekc'`)
  expect(stderr).toContain('Did you mean check?')
})

test('an unknown option with --json is one JSON document, exit code 2', async () => {
  const { code, stdout } = await sandbox.plugwork(['check', '--jason', '--json'])
  expect(code).toBe(2)
  expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'usage' } })
})

test('version tells what is running, without loading the server', async () => {
  const { code, stdout } = await sandbox.plugwork(['version', '--json'])
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ version: expect.stringMatching(/^\d/), node: process.versions.node })
  const loaded = `data:text/javascript,process.on('exit',()=>console.log(process.moduleLoadList.join('\\n')))`
  const { stdout: list } = await sandbox.plugwork(['version'], { node: ['--import', loaded] })
  expect(list).toContain('NativeModule')
  expect(list).not.toMatch(/NativeModule (sqlite|internal\/sqlite|http)$/m)
})

/** Pretends to be an old Node: only the version that it tells differs. */
const OLD = [
  '--import',
  `data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.1.0'}})`,
]

test('under an old Node it runs itself on the one of the repository', async () => {
  const { code, stdout, stderr } = await sandbox.plugwork(['eval', '1 + 1'], { node: OLD })
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '2\n', stderr: '' })
})

test('outside the repository an old Node is told in one line what is needed', async () => {
  mkdirSync(join(sandbox.directory, 'bin'))
  const bin = join(sandbox.directory, 'bin/plugwork.mjs')
  copyFileSync(BIN, bin)
  const { code, stderr } = await sandbox.plugwork(['version'], { node: OLD, bin })
  expect(code).toBe(2)
  expect(stderr).toMatch(/^plugwork needs Node 24 or later; this is v[\d.]+\. .*\n$/)
})

test.each(['bash', 'zsh', 'fish'])('completions for %s know the commands and their options', async (shell) => {
  const { code, stdout } = await sandbox.plugwork(['completions', shell])
  expect(code).toBe(0)
  for (const word of ['replay', 'same-version', 'template', 'typescript']) expect(stdout).toContain(word)
})

const COMPLETED: readonly (readonly [typed: string, offered: readonly string[]])[] = [
  ['plugwork ru', ['run', 'runs']],
  ['plugwork runs re', ['replay', 'resolve', 'resume', 'retry']],
  ['plugwork runs list --st', ['--status']],
  ['plugwork runs list --status f', ['failed']],
  ['plugwork completions ', ['bash', 'fish', 'zsh']],
  // Options are offered after a dash, files where the command takes some, and nothing where only the user knows.
  ['plugwork run ', ['orders.yaml']],
  ['plugwork runs show ', []],
]
const ASK = {
  bash: 'source "$1"; COMP_WORDS=($2); [[ $2 == *" " ]] && COMP_WORDS+=(""); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _plugwork; printf "%s\\n" "${COMPREPLY[@]}"',
  fish: 'source $argv[2]; complete -C $argv[3]',
}

describe.each(['bash', 'fish'] as const)('%s', (shell) => {
  beforeAll(async () => void (await requireBinary({ names: [shell], packageName: shell })), 600_000)

  test.each(COMPLETED)('completes %j', async (typed, offered) => {
    const { stdout: script } = await sandbox.plugwork(['completions', shell])
    sandbox.write(`.script/${shell}`, script)
    sandbox.write('orders.yaml', '')
    const file = join(sandbox.directory, '.script', shell)
    const { stdout } = spawnSync(shell, ['-c', ASK[shell], shell, file, typed], {
      cwd: sandbox.directory,
      encoding: 'utf8',
      env: { ...process.env, HOME: join(sandbox.directory, '.home') },
    })
    const words = stdout.split('\n').map((line) => line.split('\t')[0]!.trim())
    const found = words.filter((word) => word !== '' && !/^(\.|bin)/.test(word))
    expect(found.toSorted()).toEqual(offered)
  })
})

test('completions for an unknown shell name those there are', async () => {
  const { code, stderr } = await sandbox.plugwork(['completions', 'tcsh'])
  expect(code).toBe(2)
  expect(stderr).toContain('bash, zsh, fish')
})
