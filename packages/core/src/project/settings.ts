/**
 * Settings: command-line flag, then environment, then `plugwork.yaml`, then the default. Every value knows where it came
 * from, which `plugwork doctor` shows.
 */
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { LineCounter, parseDocument } from 'yaml'
import { PlugworkError } from '../error.ts'
import { closest } from '../expression/suggest.ts'
import { projectProblem } from './errors.ts'
import type { FileProblem } from './project.ts'
import { CLIENT_VARIABLE } from './oauth-clients.ts'
import { SETTINGS, settingNames, type SettingName, type Settings } from './setting-table.ts'

export const SETTINGS_FILE = 'plugwork.yaml'

export interface SettingOrigin {
  readonly from: 'flag' | 'environment' | 'file' | 'default'
  /** What the user would change: `--port`, `PLUGWORK_PORT`, `plugwork.yaml:3`, `default`. */
  readonly place: string
}

export interface ReadSettings {
  readonly values: Settings
  readonly origins: { readonly [name in SettingName]: SettingOrigin }
  /** Unknown names of the environment and the file. */
  readonly problems: readonly FileProblem[]
}

export interface SettingsInput {
  readonly directory: string
  /** Values of flags, by setting; undefined ones were not given. Relative paths start at `workingDirectory`. */
  readonly flags?: { readonly [name in SettingName]?: string | undefined }
  readonly environment: { readonly [name: string]: string | undefined }
  readonly workingDirectory: string
}

interface Given {
  readonly value: unknown
  readonly origin: SettingOrigin
}

/** Reads all settings of a project. Throws `settings_invalid` or `settings_unavailable`, naming the place of the value. */
export function readSettings(input: SettingsInput): ReadSettings {
  const file = readSettingsFile(input.directory)
  const values: Record<string, unknown> = {}
  const origins: Record<string, SettingOrigin> = {}
  for (const name of settingNames()) {
    const spec = SETTINGS[name]
    const given = givenValue(name, input, file.values)
    const origin = given?.origin ?? { from: 'default', place: 'default' }
    const base = origin.from === 'file' || origin.from === 'default' ? input.directory : input.workingDirectory
    const raw = given?.value ?? spec.default
    origins[name] = origin
    values[name] = raw === null ? null : readValue(name, raw, origin, base)
  }
  return {
    values: values as unknown as Settings,
    origins: origins as ReadSettings['origins'],
    problems: [...file.problems, ...unknownEnvironment(input.environment)],
  }
}

function givenValue(name: SettingName, input: SettingsInput, file: ReadonlyMap<SettingName, Given>): Given | undefined {
  const spec = SETTINGS[name]
  const flag = input.flags?.[name]
  if (flag !== undefined) return { value: flag, origin: { from: 'flag', place: `--${spec.key.replaceAll('_', '-')}` } }
  const variable = input.environment[spec.variable]
  if (variable !== undefined && variable !== '') {
    return { value: variable, origin: { from: 'environment', place: spec.variable } }
  }
  return file.get(name)
}

function readValue(name: SettingName, raw: unknown, origin: SettingOrigin, base: string): unknown {
  const spec = SETTINGS[name]
  if (spec.unavailable !== undefined && origin.from !== 'default') {
    throw new PlugworkError('settings_unavailable', `${origin.place}: ${spec.unavailable}`)
  }
  const read = spec.read(raw)
  if ('problem' in read) {
    const shown = spec.secret || spec.quiet ? '' : `, not ${JSON.stringify(raw)}`
    throw new PlugworkError('settings_invalid', `${origin.place} must be ${read.problem}${shown}.`)
  }
  return spec.path && typeof read.value === 'string' ? resolve(base, read.value) : read.value
}

interface SettingsFile {
  readonly values: ReadonlyMap<SettingName, Given>
  readonly problems: readonly FileProblem[]
}

function readSettingsFile(directory: string): SettingsFile {
  const values = new Map<SettingName, Given>()
  const problems: FileProblem[] = []
  const text = readText(join(directory, SETTINGS_FILE))
  if (text === null) return { values, problems }
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, logLevel: 'silent' })
  const [syntax] = document.errors
  if (syntax) {
    const message = syntax.message.replace(/\s+at line \d+[\s\S]*$/, '')
    const { line } = lines.linePos(syntax.pos[0])
    throw new PlugworkError('settings_invalid', `${SETTINGS_FILE}:${line} is not YAML: ${message}.`)
  }
  const content: unknown = document.toJS()
  if (content !== null && (typeof content !== 'object' || Array.isArray(content))) {
    throw new PlugworkError('settings_invalid', `${SETTINGS_FILE} must be a map of settings, such as \`port: 7420\`.`)
  }
  const keys = new Map(settingNames().map((name) => [SETTINGS[name].key, name]))
  for (const [key, value] of Object.entries(content ?? {})) {
    const node = document.get(key, true) as { range?: [number, number, number] } | undefined
    const { line } = node?.range ? lines.linePos(node.range[0]) : { line: 1 }
    const name = keys.get(key)
    if (name === undefined) {
      const suggestion = closest(key, keys.keys())
      const message = `\`${key}\` is not a setting.`
      problems.push(unknownSetting(SETTINGS_FILE, message, suggestion, line))
    } else if (SETTINGS[name].secret) {
      const message = `\`${key}\` is a secret and is not read from a file that is committed; set ${SETTINGS[name].variable}.`
      problems.push(projectProblem('PW1307', SETTINGS_FILE, message, { line }))
    } else {
      values.set(name, { value, origin: { from: 'file', place: `${SETTINGS_FILE}:${line}` } })
    }
  }
  return { values, problems }
}

/** `PLUGWORK_SECRET_*` are values of `secrets.NAME`, `PLUGWORK_*_CLIENT_ID` belongs to the setting `connectors`; any other name that begins with `PLUGWORK_` has to be a setting. */
function unknownEnvironment(environment: SettingsInput['environment']): FileProblem[] {
  const known = new Set(settingNames().map((name) => SETTINGS[name].variable))
  return Object.keys(environment)
    .filter(
      (name) =>
        name.startsWith('PLUGWORK_') &&
        !name.startsWith('PLUGWORK_SECRET_') &&
        !CLIENT_VARIABLE.test(name) &&
        !known.has(name),
    )
    .map((name) => unknownSetting('environment', `${name} is not a setting.`, closest(name, known), 1))
}

function unknownSetting(file: string, message: string, suggestion: string | undefined, line: number): FileProblem {
  const meant = suggestion === undefined ? {} : { suggestion: `Did you mean \`${suggestion}\`?` }
  return projectProblem('PW1307', file, message, { line, ...meant })
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}
