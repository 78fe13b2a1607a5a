#!/usr/bin/env node
// Entry of the command line. Plain JavaScript that any Node since 14 can read, so that one that is too old can say so:
// in a clone it hands over to the Node that the repository brings, elsewhere it names the version that is needed.
import { existsSync } from 'fs'
import { constants } from 'os'
import { dirname, join } from 'path'
import { fileURLToPath } from 'url'
import { spawn } from 'child_process'

const NEEDED = 24
const here = dirname(fileURLToPath(import.meta.url))

/** The Node of the repository that this file lies in, if there is one. */
function repositoryNode() {
  const name = process.platform === 'win32' ? 'node.exe' : 'node'
  for (let folder = here; ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', 'node', 'bin', name)
    if (existsSync(candidate)) return candidate
    if (dirname(folder) === folder) return null
  }
}

function handOver(node) {
  const child = spawn(node, process.argv.slice(1), { stdio: 'inherit' })
  // A signal may have reached both processes or this one alone; commands take two at the same moment for one.
  let interrupted = false
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      interrupted = interrupted || signal === 'SIGINT'
      child.kill(signal)
    })
  }
  child.on('error', (error) => {
    process.stderr.write(`plugwork: ${node} cannot be run: ${error.message}\n`)
    process.exit(2)
  })
  child.on('exit', (code, signal) => {
    // What is busy when Ctrl-C comes a second time is killed.
    if (signal === 'SIGKILL' && interrupted) process.exit(130)
    process.exit(signal ? 128 + constants.signals[signal] : code)
  })
}

if (Number(process.versions.node.split('.')[0]) < NEEDED) {
  const node = process.env.PLUGWORK_HANDED_OVER ? null : repositoryNode()
  if (node) {
    process.env.PLUGWORK_HANDED_OVER = '1'
    handOver(node)
  } else {
    process.stderr.write(
      `plugwork needs Node ${NEEDED} or later; this is ${process.version}. Install a newer one from https://nodejs.org.\n`,
    )
    process.exitCode = 2
  }
} else {
  delete process.env.PLUGWORK_HANDED_OVER
  const { enableCompileCache } = await import('module')
  const cache = enableCompileCache()
  // The store's thread compiles the same files; it reads the setting from here.
  if (cache.directory) process.env.NODE_COMPILE_CACHE ??= dirname(cache.directory)
  const source = join(here, '..', 'src', 'main.ts')
  const { main } = await import(existsSync(source) ? source : join(here, '..', 'dist', 'main.js'))
  await main()
}
