/** `plugwork doctor`: machine, project and store, and the settings in force with their origins. */
import { accessSync, constants, existsSync, statfsSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { PlugworkError } from '@plugwork/core/error'
import {
  KEYS_FILE,
  openKeys,
  readOwner,
  SCHEMA_VERSION,
  SETTINGS,
  settingNames,
  type Connector,
} from '@plugwork/core/node'
import { readBuild } from '../build.ts'
import { connectorsOf } from '../connectors.ts'
import type { Context } from '../context.ts'
import { dataFolder, type DataFolder } from '../data-folder.ts'
import { EXIT } from '../exit.ts'
import { lookForPackages } from '../package-need.ts'
import { findProjectFolder, namedFolder, openFolder, type ProjectFolder } from '../project-folder.ts'
import { showPath } from '../render/path.ts'
import { bytes, count, duration, table } from '../render/text.ts'
import { loadProjectOf } from './run.ts'

interface Finding {
  readonly check: string
  readonly status: 'ok' | 'warning' | 'error'
  readonly message: string
  /** What to do about it. */
  readonly remedy?: string
}

export interface DoctorOptions {
  readonly dataDir?: string
  readonly databaseUrl?: string
  readonly json?: boolean
}

export async function doctor(context: Context, name: string | undefined, options: DoctorOptions): Promise<number> {
  const directory = name === undefined ? findProjectFolder(context.workingDirectory) : namedFolder(context, name)
  const findings: Finding[] = [checkNode(), await checkTypeScript()]
  let folder: ProjectFolder | null = null
  try {
    folder = openFolder(context, directory, { dataDir: options.dataDir, databaseUrl: options.databaseUrl })
  } catch (error) {
    if (!(error instanceof PlugworkError)) throw error
    findings.push({ check: 'settings', status: 'error', message: error.message })
  }
  if (folder !== null) findings.push(...(await checkFolder(context, folder)))
  const settings = folder === null ? [] : settingRows(folder)
  if (options.json) context.json({ findings, settings })
  else print(context, directory, findings, settings)
  return findings.some((finding) => finding.status === 'error') ? EXIT.failed : EXIT.done
}

async function checkFolder(context: Context, folder: ProjectFolder): Promise<Finding[]> {
  const data = dataFolder(folder.settings.dataDir)
  return [
    await checkProject(context, folder),
    ...(await checkConnectors(folder)),
    checkWritable(context, data),
    checkDisk(data),
    ...(folder.settings.databaseUrl === null
      ? checkStore(context, data)
      : await checkDatabase(folder.settings.databaseUrl)),
    checkKeys(context, folder, data),
    await checkPort(folder, data),
  ]
}

function checkNode(): Finding {
  const [major] = process.versions.node.split('.')
  const { version, commit } = readBuild()
  const build = commit === null ? version : `${version} (${commit})`
  return {
    check: 'node',
    status: Number(major) >= 24 ? 'ok' : 'error',
    message: `Node ${process.versions.node}, SQLite ${process.versions['sqlite'] ?? 'unknown'}, Plugwork ${build}`,
  }
}

async function checkTypeScript(): Promise<Finding> {
  try {
    const { default: ts } = await import('typescript')
    const fits = ts.version.startsWith('6.0.')
    return {
      check: 'typescript',
      status: fits ? 'ok' : 'warning',
      message: `TypeScript ${ts.version}${fits ? '' : '; 6.0.x is what `plugwork check` is made for'}`,
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error
    return {
      check: 'typescript',
      status: 'warning',
      message: 'TypeScript is not installed: types of plain task functions are not checked',
      remedy: 'npm install --save-dev typescript@6.0',
    }
  }
}

async function checkProject(context: Context, folder: ProjectFolder): Promise<Finding> {
  const project = await loadProjectOf(context, folder)
  try {
    const errors = project.problems.filter((problem) => problem.severity === 'error').length
    const warnings = project.problems.length - errors
    const flows = count(project.flows.size, 'flow')
    if (errors > 0) {
      return {
        check: 'project',
        status: 'error',
        message: `${flows}, ${count(errors, 'error')}`,
        remedy: 'plugwork check',
      }
    }
    const message = warnings > 0 ? `${flows}, ${count(warnings, 'warning')}` : flows
    return { check: 'project', status: warnings > 0 ? 'warning' : 'ok', message }
  } finally {
    await project.close()
  }
}

async function checkConnectors({ directory }: ProjectFolder): Promise<Finding[]> {
  using known = await connectorsOf(directory)
  const connectors = known.connectors.map(({ connector }) => connector)
  const needing = connectors.filter((connector) => (connector.packages ?? []).length > 0)
  const names = known.connectors.map(({ connector, from }) =>
    from === null ? connector.name : `${connector.name} (${from.name}@${from.version})`,
  )
  return [
    { check: 'connectors', status: 'ok', message: names.join(', ') },
    ...known.leftOut.map(({ name, version, fault }): Finding => ({
      check: 'connectors',
      status: 'warning',
      message: `the connector package ${name}@${version} is left out. ${fault ?? ''}`,
      remedy: `Mend or update it, or: npm uninstall ${name}`,
    })),
    ...(await Promise.all(needing.map((connector) => checkPackages(directory, connector)))).flat(),
  ]
}

async function checkPackages(directory: string, connector: Connector): Promise<Finding[]> {
  const needs = await lookForPackages(directory, connector.packages ?? [])
  return needs
    .filter(({ status }) => status !== 'ok')
    .map(({ name, range, installed }) => ({
      check: 'connectors',
      status: 'warning',
      message: `${connector.name} needs ${name}@${range}, ${installed === null ? 'which is not installed' : `and ${installed} is installed`}`,
      remedy: `plugwork connection deps ${connector.name} --install`,
    }))
}

/** The folder itself, or the nearest one that exists: it is made on a first start. */
function existing(path: string): string {
  return existsSync(path) ? path : existing(dirname(path))
}

function checkWritable(context: Context, data: DataFolder): Finding {
  const place = existing(data.directory)
  const shown = showPath(context, data.directory)
  try {
    accessSync(place, constants.W_OK | constants.X_OK)
    return {
      check: 'data folder',
      status: 'ok',
      message: place === data.directory ? shown : `${shown} (made on a first start)`,
    }
  } catch {
    return {
      check: 'data folder',
      status: 'error',
      message: `${showPath(context, place)} cannot be written`,
      remedy: 'Give another --data-dir, or change its rights.',
    }
  }
}

const LITTLE_SPACE = 256 * 1024 * 1024

function checkDisk(data: DataFolder): Finding {
  const { bavail, bsize } = statfsSync(existing(data.directory))
  const free = bavail * bsize
  const little = free < LITTLE_SPACE
  return {
    check: 'disk',
    status: little ? 'warning' : 'ok',
    message: `${bytes(free)} free`,
    ...(little ? { remedy: 'Free some: a full disk stops new work (nothing is lost).' } : {}),
  }
}

function checkStore(context: Context, data: DataFolder): Finding[] {
  const shown = showPath(context, data.database)
  if (!existsSync(data.database)) return [{ check: 'store', status: 'ok', message: 'none yet; the first run makes it' }]
  const findings: Finding[] = []
  try {
    const owner = readOwner(data.database)
    const state = owner === null ? 'nobody' : `process ${owner.pid} (Plugwork ${owner.version}, ${owner.state})`
    findings.push({ check: 'owner', status: owner?.state === 'stalled' ? 'warning' : 'ok', message: state })
    const db = new DatabaseSync(data.database, { readOnly: true, timeout: 2_000 })
    try {
      const { quick_check: integrity } = db.prepare('PRAGMA quick_check(1)').get() as { quick_check: string }
      const { user_version: version } = db.prepare('PRAGMA user_version').get() as { user_version: number }
      findings.push(storeFinding(shown, integrity, version, statSync(data.database).size), checkClock(db))
    } finally {
      db.close()
    }
  } catch (error) {
    findings.push({
      check: 'store',
      status: 'error',
      message: `${shown}: ${(error as Error).message}`,
      remedy: 'plugwork restore',
    })
  }
  return findings
}

async function checkDatabase(url: string): Promise<Finding[]> {
  try {
    const { inspectPostgres, POSTGRES_SCHEMA_VERSION } = await import('@plugwork/core/postgres')
    const { shown, server, version, sessions } = await inspectPostgres(url)
    const processes = sessions.map((one) => `process ${one.pid} on ${one.host} (Plugwork ${one.version})`)
    const who = processes.length === 0 ? 'nobody' : processes.join(', ')
    const state = version === 0 ? 'no tables yet; the first run makes them' : `version ${version}`
    const behind = version > 0 && version < POSTGRES_SCHEMA_VERSION
    return [
      {
        check: 'store',
        status: behind ? 'warning' : 'ok',
        message: `${shown}, PostgreSQL ${server}, ${state}`,
        ...(behind ? { remedy: 'plugwork migrate, or simply start' } : {}),
      },
      { check: 'sessions', status: 'ok', message: who },
    ]
  } catch (error) {
    if (!(error instanceof PlugworkError)) throw error
    return [{ check: 'store', status: 'error', message: error.message }]
  }
}

function storeFinding(shown: string, integrity: string, version: number, size: number): Finding {
  if (integrity !== 'ok') {
    return { check: 'store', status: 'error', message: `${shown} is damaged: ${integrity}`, remedy: 'plugwork restore' }
  }
  const message = `${shown}, ${bytes(size)}, version ${version}`
  if (version > SCHEMA_VERSION) {
    return {
      check: 'store',
      status: 'error',
      message: `${message}; this build knows ${SCHEMA_VERSION}`,
      remedy: 'Use a newer Plugwork.',
    }
  }
  if (version < SCHEMA_VERSION) {
    return {
      check: 'store',
      status: 'warning',
      message: `${message}; this build has ${SCHEMA_VERSION}`,
      remedy: 'plugwork migrate, or simply start',
    }
  }
  return { check: 'store', status: 'ok', message }
}

/** A clock that was set back makes timers late: what is stored must not lie ahead of it. */
function checkClock(db: DatabaseSync): Finding {
  const row = db.prepare('SELECT max(created_at) AS latest FROM runs').get() as { latest: number | null }
  const ahead = (row.latest ?? 0) - Date.now()
  if (ahead > 60_000) {
    return {
      check: 'clock',
      status: 'error',
      message: `the clock is ${duration(ahead)} behind the newest run`,
      remedy: 'Set the clock.',
    }
  }
  return { check: 'clock', status: 'ok', message: new Date().toISOString() }
}

function checkKeys(context: Context, folder: ProjectFolder, data: DataFolder): Finding {
  const path = join(data.directory, KEYS_FILE)
  if (folder.settings.keys === null && !existsSync(path)) {
    return { check: 'keys', status: 'ok', message: 'none yet; made on a first start' }
  }
  try {
    const keys = openKeys(data.directory, folder.settings.keys)
    return {
      check: 'keys',
      status: 'ok',
      message: keys.from === 'environment' ? 'PLUGWORK_KEYS' : `${showPath(context, path)}, mode 600`,
    }
  } catch (error) {
    if (!(error instanceof PlugworkError)) throw error
    return { check: 'keys', status: 'error', message: error.message }
  }
}

async function checkPort(folder: ProjectFolder, data: DataFolder): Promise<Finding> {
  const { host, port } = folder.settings
  const free = await new Promise<boolean>((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, host, () => server.close(() => resolve(true)))
  })
  if (free) return { check: 'port', status: 'ok', message: `${host}:${port} is free` }
  const owner = existsSync(data.database) ? readOwner(data.database) : null
  if (owner?.state === 'live')
    return { check: 'port', status: 'ok', message: `${host}:${port} is taken, by the owner probably` }
  return { check: 'port', status: 'warning', message: `${host}:${port} is taken`, remedy: 'Give another --port.' }
}

interface SettingRow {
  readonly name: string
  readonly value: string
  readonly from: string
}

function settingRows({ settings, origins }: ProjectFolder): SettingRow[] {
  return settingNames().map((name) => {
    const value = settings[name]
    const shown =
      value === null
        ? '–'
        : SETTINGS[name].secret
          ? '***'
          : name === 'retention'
            ? duration(settings.retention)
            : String(value)
    return { name: SETTINGS[name].key, value: shown === '' ? '–' : shown, from: origins[name].place }
  })
}

function print(
  context: Context,
  directory: string,
  findings: readonly Finding[],
  settings: readonly SettingRow[],
): void {
  const { good, bad, warn, dim, bold } = context.style
  const signs = { ok: good('✔'), warning: warn('!'), error: bad('✘') }
  context.print(`${bold('Plugwork')} in ${showPath(context, directory)}\n`)
  const remedy = (finding: Finding): string => (finding.remedy === undefined ? '' : dim(`  → ${finding.remedy}`))
  context.print(
    table(
      findings.map((finding) => [signs[finding.status], finding.check, `${finding.message}${remedy(finding)}`]),
      context.wrapAt,
    ),
  )
  if (settings.length === 0) return
  context.print(`\n${bold('Settings')}`)
  context.print(
    table(
      settings.map(({ name, value, from }) => [`  ${name}`, value, dim(from)]),
      context.wrapAt,
    ),
  )
}
