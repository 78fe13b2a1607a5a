/** The parts of a flow beside its steps: connections, outputs, settings. */
import type { Compilation } from './compilation.ts'
import { CONCURRENCY, OUTPUT, SETTINGS } from './grammar.ts'
import { childPlace, describeValue, isPlainMap, listItems, mapEntries, type Place } from './place.ts'
import type { Plan, PlanConnection, PlanSettings, Template } from './plan.ts'
import { NAME_PATTERN, nearestName, readFields } from './read.ts'
import { broken, checkKey, compileTemplate, foldMap } from './template.ts'

export const NAMES_OF_FLOWS = /^[A-Za-z][A-Za-z0-9_]*$/

export function compileConnections(c: Compilation, place: Place | undefined): Plan['connections'] {
  if (place === undefined) return {}
  if (!isPlainMap(place.value)) {
    c.report('PW1012', place, `\`connections\` is a map of names to connections, not ${describeValue(place.value)}.`)
    return {}
  }
  const connections: { [name: string]: PlanConnection } = {}
  for (const [name, child] of mapEntries(place)) {
    if (!NAME_PATTERN.test(name)) {
      c.report(
        'PW1015',
        child,
        `\`${name}\` cannot name a connection: letters, digits and underscores, no digit first.`,
        { key: true, suggestion: `write \`${nearestName(name)}\`` },
      )
    }
    const connection = compileConnection(c, name, child)
    if (connection === undefined) continue
    c.origins.setPlace(connection, child)
    connections[name] = connection
  }
  return connections
}

function compileConnection(c: Compilation, name: string, place: Place): PlanConnection | undefined {
  if (!isPlainMap(place.value)) {
    c.report('PW1012', place, `The connection \`${name}\` is a map with a \`type\`, not ${describeValue(place.value)}.`)
    return undefined
  }
  const type = fixedText(c, place, 'type')
  if (childPlace(place, 'type') === undefined) {
    c.report('PW1011', place, `The connection \`${name}\` needs \`type\`: the name of a connector.`, { key: true })
  }
  const use = fixedText(c, place, 'use')
  const settings = mapEntries(place).filter(([key]) => key !== 'type' && key !== 'use')
  const config = foldMap(settings.map(([key, child]) => [checkKey(c, key, child), compileTemplate(c, child)]))
  c.origins.setPlace(config, place)
  return { type: type ?? '', ...(use === undefined ? {} : { use }), config }
}

function fixedText(c: Compilation, place: Place, key: string): string | undefined {
  const child = childPlace(place, key)
  if (child === undefined) return undefined
  if (typeof child.value !== 'string') {
    c.report('PW1012', child, `\`${key}\` is text, not ${describeValue(child.value)}.`)
    return undefined
  }
  if (child.value.includes('${')) {
    c.report('PW1016', child, `\`${key}\` is fixed when the flow is loaded; an expression cannot stand here.`)
    return undefined
  }
  return child.value
}

export function compileOutputs(c: Compilation, place: Place | undefined): Plan['outputs'] {
  if (place === undefined) return []
  if (!Array.isArray(place.value)) {
    const suggestion = isPlainMap(place.value) ? 'write `- name: NAME` and `value: …` for each' : undefined
    c.report('PW1012', place, `\`outputs\` is a list of \`{ name, value }\`, not ${describeValue(place.value)}.`, {
      suggestion,
    })
    return []
  }
  const outputs: { name: string; value: Template }[] = []
  for (const item of listItems(place)) {
    const { name, value } = readFields(c, item, OUTPUT, 'an output')
    if (name === undefined) continue
    if (outputs.some((output) => output.name === name)) {
      c.report('PW1040', childPlace(item, 'name') ?? item, `There are two outputs \`${name}\`.`)
    }
    outputs.push({ name, value: value ?? broken(c) })
  }
  return outputs
}

const DEFAULTS = { cancelGraceMs: 30_000, priority: 5 } as const

export function compileSettings(c: Compilation, place: Place | undefined): PlanSettings {
  if (place === undefined) return DEFAULTS
  const fields = readFields(c, place, SETTINGS, '`settings`')
  const concurrency = fields.concurrency === undefined ? undefined : readConcurrency(c, fields.concurrency)
  return {
    ...(fields.timeout === undefined ? {} : { timeoutMs: fields.timeout }),
    cancelGraceMs: fields.cancel_grace ?? DEFAULTS.cancelGraceMs,
    ...(concurrency === undefined ? {} : { concurrency }),
    priority: fields.priority ?? DEFAULTS.priority,
    ...(fields.retention === undefined ? {} : { retentionMs: fields.retention }),
  }
}

function readConcurrency(c: Compilation, place: Place): PlanSettings['concurrency'] {
  const fields = readFields(c, place, CONCURRENCY, '`concurrency`')
  return {
    key: fields.key ?? broken(c),
    limit: fields.limit ?? 1,
    whenFull: fields.when_full ?? 'queue',
    holdWhileWaiting: fields.hold_while_waiting ?? true,
  }
}
