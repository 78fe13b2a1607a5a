/** Document to plan: defaults filled in, spellings unified, expressions in their canonical print. */
import { NAMES_OF_FLOWS, compileConnections, compileOutputs, compileSettings } from './sections.ts'
import type { Catalog } from './catalog.ts'
import { problem } from './codes.ts'
import { Compilation } from './compilation.ts'
import type { FlowDocument } from './document.ts'
import { FLOW } from './grammar.ts'
import { compileInputs } from './inputs.ts'
import { mentionedEnv } from './mentions.ts'
import { documentOf } from './object.ts'
import { parseFlow, type ParsedFlow } from './parse.ts'
import { describeValue, isPlainMap, listItems, rootPlace, type Place } from './place.ts'
import { PLAN_VERSION, type Plan, type PlanTrigger } from './plan.ts'
import type { FlowProblem } from './problem.ts'
import { readFields } from './read.ts'
import { SourceMap } from './source-map.ts'
import { compileBlock } from './steps.ts'
import { compileTrigger } from './triggers.ts'
import { walkNodes } from './visibility.ts'

/** The text of a flow file, an object (`defineFlow`), or what `parseFlow` gave. */
export type FlowSource = string | FlowDocument | ParsedFlow

export interface CompiledFlow {
  /** Null when there is an error among the problems. */
  readonly plan: Plan | null
  readonly problems: readonly FlowProblem[]
}

/** A plan that may have broken parts, and the compilation that knows where everything comes from. */
export interface Draft {
  /** Null when the document could not be read at all. */
  readonly plan: Plan | null
  readonly compilation: Compilation
}

/**
 * Compiles a flow. Reports what keeps it from having a meaning (unknown keys, actions, bad values); what only the types
 * and the order of steps show is found by `checkFlow`, which calls this. Never throws on an author's mistake.
 */
export function compileFlow(source: FlowSource, catalog: Catalog): CompiledFlow {
  const { plan, compilation } = compileDraft(source, catalog)
  const problems = sortProblems(compilation.problems)
  return { plan: problems.some((found) => found.severity === 'error') ? null : plan, problems }
}

/** In the order of the file. */
export function sortProblems(problems: readonly FlowProblem[]): FlowProblem[] {
  return problems.toSorted((a, b) => a.line - b.line || a.column - b.column)
}

export function compileDraft(source: FlowSource, catalog: Catalog): Draft {
  const parsed = readSource(source)
  const c = new Compilation(catalog, parsed.sources)
  c.problems.push(...parsed.problems)
  const root = rootPlace(parsed.value)
  if (!isPlainMap(parsed.value)) {
    if (parsed.problems.length === 0) {
      const message = `A flow is a map that begins with \`flow: Name\`, not ${describeValue(parsed.value)}.`
      c.problems.push(problem('PW1005', message, c.sources.value(null, '')))
    }
    return { plan: null, compilation: c }
  }
  return { plan: compileRoot(c, root), compilation: c }
}

function readSource(source: FlowSource): ParsedFlow {
  if (typeof source === 'string') return parseFlow(source)
  return isParsed(source) ? source : documentOf(source)
}

const isParsed = (source: object): source is ParsedFlow => 'sources' in source && source.sources instanceof SourceMap

function compileRoot(c: Compilation, root: Place): Plan {
  const fields = readFields(c, root, FLOW, 'a flow')
  const steps = compileBlock(c, fields.steps, '')
  const onError = fields.on_error === undefined ? undefined : compileBlock(c, fields.on_error, 'on_error')
  const onCancel = fields.on_cancel === undefined ? undefined : compileBlock(c, fields.on_cancel, 'on_cancel')
  if (fields.steps !== undefined && steps.length === 0 && Array.isArray(fields.steps.value)) {
    c.report('PW1013', fields.steps, 'A flow needs at least one step.')
  }
  const plan: Plan = {
    version: PLAN_VERSION,
    flow: flowName(c, root, fields.flow),
    ...(fields.description === undefined ? {} : { description: fields.description }),
    connections: compileConnections(c, fields.connections),
    triggers: compileTriggers(c, fields.triggers),
    inputs: compileInputs(c, fields.inputs),
    steps,
    outputs: compileOutputs(c, fields.outputs),
    ...(onError === undefined ? {} : { onError }),
    ...(onCancel === undefined ? {} : { onCancel }),
    settings: compileSettings(c, fields.settings),
    env: [],
    subflows: [],
  }
  return { ...plan, env: mentionedEnv(plan), subflows: mentionedFlows(plan) }
}

function flowName(c: Compilation, root: Place, name: string | undefined): string {
  if (name === undefined) return ''
  if (!NAMES_OF_FLOWS.test(name)) {
    const place = { value: name, container: root.value as object, key: 'flow', parent: root }
    const suggestion = `write \`${name.replaceAll(/[^A-Za-z0-9_]+/g, '_').replace(/^[^A-Za-z]+/, '') || 'MyFlow'}\``
    c.report(
      'PW1015',
      place,
      `\`${name}\` cannot be the name of a flow: a letter, then letters, digits, underscores.`,
      {
        suggestion,
      },
    )
  }
  return name
}

function compileTriggers(c: Compilation, place: Place | undefined): PlanTrigger[] {
  if (place === undefined) return []
  if (!Array.isArray(place.value)) {
    c.report('PW1012', place, `\`triggers\` is a list, not ${describeValue(place.value)}.`)
    return []
  }
  return listItems(place).flatMap((item) => compileTrigger(c, item) ?? [])
}

function mentionedFlows(plan: Plan): string[] {
  const names = new Set<string>()
  for (const block of [plan.steps, plan.onError ?? [], plan.onCancel ?? []]) {
    for (const node of walkNodes(block)) if (node.kind === 'subflow') names.add(node.flow)
  }
  return [...names].toSorted()
}
