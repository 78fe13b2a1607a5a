/** Which webhook trigger a request belongs to. The table is built whole and swapped, so a reload leaves no gap. */
import type { PlanTrigger } from '@plugwork/core'
import type { ServedFlow } from '../flow/registry.ts'
import { ServerError } from '../errors.ts'

export type WebhookTrigger = Extract<PlanTrigger, { readonly kind: 'webhook' }>

export interface WebhookTarget {
  readonly flow: ServedFlow
  readonly trigger: WebhookTrigger
  /** Position among the flow's triggers. */
  readonly index: number
  /** Whether the run's trigger facts must hold the whole request, because a step reads them. */
  readonly readsTrigger: boolean
  /** Whether inputs or facts are made of the request's headers. */
  readonly readsHeaders: boolean
}

export interface WebhookMatch {
  readonly target: WebhookTarget
  readonly params: Readonly<Record<string, string>>
}

/** Two webhooks at one address: the second is not served. */
export interface WebhookConflict {
  readonly address: string
  readonly served: string
  readonly refused: string
}

export interface WebhookTable {
  readonly conflicts: readonly WebhookConflict[]
  readonly targets: readonly WebhookTarget[]
  /** Throws `webhook_not_found`, `method_not_allowed`. */
  match(method: string, path: string): WebhookMatch
}

interface Pattern {
  readonly segments: readonly string[]
  readonly methods: Map<string, WebhookTarget>
}

/** Builds the table of all enabled flows, in the order given. */
export function createWebhookTable(flows: readonly ServedFlow[]): WebhookTable {
  const literal = new Map<string, Map<string, WebhookTarget>>()
  const patterns = new Map<string, Pattern>()
  const conflicts: WebhookConflict[] = []
  const targets: WebhookTarget[] = []

  for (const flow of flows) {
    if (!flow.enabled) continue
    const readsTrigger = mentionsTrigger(flow)
    flow.plan.triggers.forEach((trigger, index) => {
      if (trigger.kind !== 'webhook') return
      const methods = slotFor(trigger.path)
      const method = trigger.method.toUpperCase()
      const taken = methods.get(method)
      if (taken !== undefined) {
        conflicts.push({ address: `${method} ${trigger.path}`, served: taken.flow.name, refused: flow.name })
        return
      }
      const { inputMapping } = trigger
      const readsHeaders =
        readsTrigger || inputMapping === 'headers' || inputMapping === 'all' || typeof inputMapping === 'object'
      const target = { flow, trigger, index, readsTrigger, readsHeaders }
      methods.set(method, target)
      targets.push(target)
    })
  }

  function slotFor(path: string): Map<string, WebhookTarget> {
    if (!path.includes('{')) {
      const methods = literal.get(path) ?? new Map<string, WebhookTarget>()
      literal.set(path, methods)
      return methods
    }
    const segments = path.split('/')
    const shape = segments.map((segment) => (isParam(segment) ? '{}' : segment)).join('/')
    const pattern = patterns.get(shape) ?? { segments, methods: new Map<string, WebhookTarget>() }
    patterns.set(shape, pattern)
    return pattern.methods
  }

  // The pattern whose parameters come latest is the most specific one.
  const ordered = [...patterns.values()].toSorted((a, b) => specificity(b).localeCompare(specificity(a)))

  return {
    conflicts,
    targets,
    match(method, path) {
      const allowed = new Set<string>()
      const exact = literal.get(path)
      if (exact !== undefined) {
        const target = exact.get(method)
        if (target !== undefined) return { target, params: {} }
        for (const other of exact.keys()) allowed.add(other)
      }
      if (ordered.length > 0) {
        const segments = path.split('/')
        for (const pattern of ordered) {
          if (!fits(pattern.segments, segments)) continue
          const target = pattern.methods.get(method)
          if (target !== undefined) return { target, params: paramsOf(target.trigger.path.split('/'), segments) }
          for (const other of pattern.methods.keys()) allowed.add(other)
        }
      }
      if (allowed.size === 0) {
        throw new ServerError('webhook_not_found', `No enabled flow has a webhook at ${path}.`)
      }
      const allow = [...allowed].join(', ')
      throw new ServerError('method_not_allowed', `The webhook at ${path} takes ${allow}, not ${method}.`, {
        headers: { allow },
      })
    },
  }
}

/** Whether any expression of the flow's steps reads `trigger`: a search over the plan's text errs on the safe side. */
function mentionsTrigger(flow: ServedFlow): boolean {
  const { steps, outputs, onError, onCancel, settings } = flow.plan
  return /\btrigger\b/.test(JSON.stringify([steps, outputs, onError, onCancel, settings]))
}

function isParam(segment: string): boolean {
  return segment.startsWith('{') && segment.endsWith('}')
}

function fits(pattern: readonly string[], segments: readonly string[]): boolean {
  if (pattern.length !== segments.length) return false
  return pattern.every((wanted, index) => (isParam(wanted) ? segments[index] !== '' : wanted === segments[index]))
}

function paramsOf(pattern: readonly string[], segments: readonly string[]): Record<string, string> {
  const params: Record<string, string> = {}
  pattern.forEach((wanted, index) => {
    if (!isParam(wanted)) return
    try {
      params[wanted.slice(1, -1)] = decodeURIComponent(segments[index]!)
    } catch (cause) {
      throw new ServerError('request_invalid', `The path segment "${segments[index]}" is not valid percent-encoding.`, {
        cause,
      })
    }
  })
  return params
}

/** Literal segments sort before parameters, from the left. */
function specificity({ segments }: Pattern): string {
  return segments.map((segment) => (isParam(segment) ? '0' : '1')).join('')
}
