/** `plugwork test --from-run ID`: writes a case with fakes from what a run did, beside its flow. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseDocument, stringify } from 'yaml'
import type { Project, RunDetail } from '@plugwork/core/node'
import { recordCase, type RecordedRun } from '@plugwork/core/testing'
import type { Context } from '../context.ts'
import { EXIT, UsageError } from '../exit.ts'
import { openSession } from '../open-session.ts'
import { showPath } from '../render/path.ts'
import { timestamp } from '../render/text.ts'
import type { Session } from '../session.ts'
import { loadProjectOf } from './run.ts'
import { folderOf, foundRun, type StoreFlags } from './runs.ts'

export async function recordTest(context: Context, name: string, flags: StoreFlags): Promise<number> {
  const folder = folderOf(context, flags)
  const project = await loadProjectOf(context, folder)
  try {
    const session = await openSession(context, { folder, intent: 'look' })
    await using _closed = session
    const run = await foundRun(session, name)
    const runs = await withChildren(session, project, run)
    const flow = project.flows.get(run.flow)!
    const file = join(folder.directory, flow.file.replace(/(\.flow)?\.(ya?ml|ts)$/, '') + '.test.yaml')
    const title = freeName(file, `recorded from run ${run.id.slice(-12)} of ${timestamp(run.createdAt)}`)
    const { test, notes } = recordCase(title, runs)
    writeCase(file, flow.name, test)
    if (flags.json) context.json({ file, name: title, notes })
    else context.print(`${context.style.good('✔')} ${showPath(context, file)}  ${title}`)
    for (const note of notes) context.note(context.noteStyle.warn(note))
    return EXIT.done
  } finally {
    await project.close()
  }
}

async function withChildren(session: Session, project: Project, run: RunDetail): Promise<RecordedRun[]> {
  const flow = project.flows.get(run.flow)
  if (!flow) throw new UsageError(`The flow ${run.flow} of the run is not in this project.`)
  const env: Record<string, string> = {}
  for (const name of flow.plan.env) {
    const value = project.definitions.env('default', flow.name, name)
    if (value !== null && !/KEY|TOKEN|SECRET|PASSWORD/i.test(name)) env[name] = value
  }
  const recorded: RecordedRun[] = [{ run, plan: flow.plan, env }]
  for (const step of run.steps) {
    const child = step.childRunId === null ? null : await session.get(step.childRunId)
    if (child !== null) recorded.push(...(await withChildren(session, project, child)))
  }
  return recorded
}

/** Names of cases are unique in a file, and a run may be recorded again: when it has gone on, for one. */
function freeName(file: string, name: string): string {
  const taken = existsSync(file) ? readFileSync(file, 'utf8') : ''
  let free = name
  for (let number = 2; taken.includes(free); number++) free = `${name} (${number})`
  return free
}

/** Adds the case to the file; what is written there, comments too, stays. */
function writeCase(file: string, flow: string, test: object): void {
  if (!existsSync(file)) {
    writeFileSync(file, stringify({ flow, cases: [test] }, { lineWidth: 110, aliasDuplicateObjects: false }))
    return
  }
  const document = parseDocument(readFileSync(file, 'utf8'))
  if (document.errors.length > 0) throw new UsageError(`${file} is not YAML; correct it first.`)
  document.addIn(['cases'], document.createNode(test, { aliasDuplicateObjects: false }))
  writeFileSync(file, document.toString({ lineWidth: 110 }))
}
