/** Pages without scripts: text is escaped where it enters, styles are allowed by their hash. */
import { hash } from 'node:crypto'
import { text } from '../http/reply.ts'
import type { Reply } from '../http/reply.ts'

/** Finished markup; only `markup` makes it. */
export interface Markup {
  readonly html: string
}

type Part = string | number | Markup | readonly Markup[]

/** A template of HTML: every value that is not markup itself is escaped. */
export function markup(strings: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  const pieces = strings.map((literal, index) => literal + (index < parts.length ? render(parts[index]!) : ''))
  return { html: pieces.join('') }
}

function render(part: Part): string {
  if (typeof part === 'string' || typeof part === 'number') return escapeHtml(String(part))
  return 'html' in part ? part.html : part.map((item) => item.html).join('')
}

function escapeHtml(value: string): string {
  return value
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
}

/** A whole page. `forms`: it may send forms to this server. */
export function page(options: {
  readonly status: number
  readonly title: string
  readonly style: string
  readonly body: Markup
  readonly forms?: boolean
}): Reply {
  const { status, title, style, body, forms = false } = options
  const head = markup`<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${title}</title>`
  // The style is a constant of this package: the policy allows exactly its bytes, so it is not escaped.
  const content = markup`<!doctype html><html lang="en"><head>${head}<style>${{ html: style }}</style></head><body>${body}</body></html>`
  const policy = [
    "default-src 'none'",
    `style-src 'sha256-${hash('sha256', style, 'base64')}'`,
    `form-action ${forms ? "'self'" : "'none'"}`,
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ]
  return text(status, 'text/html; charset=utf-8', content.html, { 'content-security-policy': policy.join('; ') })
}
