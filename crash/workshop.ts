/** A temporary folder with a project of random flows, the oracle process, and data folders to run nodes on. */
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { postgres } from '@plugwork/test-services'
import { openForInspection } from './inspect.ts'
import { LEAF, randomFlow, TASKS, WEDGE, type CrashFlow } from './flows.ts'
import type { RunEvidence } from './invariants.ts'
import { PlugworkNode } from './node.ts'
import type { Random } from './random.ts'

export interface Workshop extends AsyncDisposable {
  readonly folder: string
  readonly flows: readonly CrashFlow[]
  readonly effectsFile: string
  readonly project: string
  /** Starts `plugwork start` on the named data folder; a second one beside the first needs a port of its own. */
  node(data: string, env?: Readonly<Record<string, string>>, port?: number, prefix?: readonly string[]): PlugworkNode
  collect(data: string): Promise<readonly RunEvidence[]>
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

export async function openWorkshop(options: {
  readonly random: Random
  /** How many random flows. */
  readonly flows: number
  /** Flows besides. */
  readonly fixed?: readonly CrashFlow[]
  readonly keep: boolean
  /** Where nodes keep their runs. Default: their data folder. */
  readonly store?: 'sqlite' | 'postgres'
}): Promise<Workshop> {
  const folder = mkdtempSync(join(tmpdir(), 'plugwork-crash-'))
  const project = join(folder, 'project')
  mkdirSync(project)
  mkdirSync(join(folder, 'logs'))
  const random = Array.from({ length: options.flows }, (_, i) => randomFlow(`Random${i}`, options.random))
  const flows = [...random, ...(options.fixed ?? [])]
  for (const flow of flows) writeFileSync(join(project, `${flow.name.toLowerCase()}.flow.yaml`), flow.source)
  writeFileSync(join(project, 'leaf.flow.yaml'), LEAF)
  writeFileSync(join(project, 'wedge.flow.yaml'), WEDGE)
  writeFileSync(join(project, 'tasks.ts'), TASKS)
  writeFileSync(join(project, 'plugwork.yaml'), '{}\n')
  const effectsFile = join(folder, 'effects.jsonl')
  const oracle = spawn(process.execPath, [join(import.meta.dirname, 'oracle.ts'), effectsFile], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const address = await new Promise<string>((resolve, reject) => {
    oracle.once('error', reject)
    oracle.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString().trim()))
  })
  const port = await freePort()
  const database = options.store === 'postgres' ? await (await postgres()).createDatabase() : null
  /** A schema for each data folder. */
  const urlOf = (data: string): string | null =>
    database && `${database.url}?schema=${data.replaceAll(/\W/g, '_').toLowerCase()}`
  let starts = 0
  const live = new Set<PlugworkNode>()
  return {
    folder,
    project,
    flows,
    effectsFile,
    node(data, env = {}, ownPort = port, prefix = []) {
      const node = new PlugworkNode({
        project,
        dataDir: join(folder, data),
        oracle: address,
        port: ownPort,
        logFile: join(folder, 'logs', `${data}-${++starts}.log`),
        env: { ...(database && { PLUGWORK_DATABASE_URL: urlOf(data)! }), ...env },
        prefix,
      })
      live.add(node)
      void node.exited.then(() => live.delete(node))
      return node
    },
    async collect(data) {
      const sources = new Map(flows.map((flow) => [flow.name, flow.source]))
      return openForInspection({ dataDir: join(folder, data), databaseUrl: urlOf(data), project, sources })
    },
    async [Symbol.asyncDispose]() {
      for (const node of live) await node.kill()
      oracle.kill('SIGTERM')
      await database?.drop()
      if (options.keep) process.stdout.write(`kept ${folder}\n`)
      else rmSync(folder, { recursive: true, force: true })
    },
  }
}
