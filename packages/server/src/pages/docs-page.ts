/** The API's reference as one page without scripts, rendered from the OpenAPI document. */
import type { Reply } from '../http/reply.ts'
import { markup, page } from './html.ts'
import type { Markup } from './html.ts'

const STYLE = `
:root{color-scheme:light dark;--line:#8884;--soft:#8882}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
h2{margin-top:2.5rem;border-bottom:1px solid var(--line)}
code,pre{font:13px/1.5 ui-monospace,monospace}
pre{background:var(--soft);padding:.75rem;border-radius:.4rem;overflow:auto;max-height:30rem}
details{border:1px solid var(--line);border-radius:.4rem;margin:.5rem 0;padding:.5rem .75rem}
summary{cursor:pointer}
summary b{display:inline-block;min-width:5rem}
.path{font-family:ui-monospace,monospace}
.quiet{opacity:.7}
table{border-collapse:collapse;width:100%}
td,th{border-top:1px solid var(--line);padding:.3rem .5rem;text-align:left;vertical-align:top}
`

interface Parameter {
  readonly name: string
  readonly in: string
  readonly required: boolean
  readonly description?: string
  readonly schema: unknown
}

interface Content {
  readonly [type: string]: { readonly schema: unknown }
}

interface Operation {
  readonly tags: readonly string[]
  readonly summary: string
  readonly description: string
  readonly parameters: readonly Parameter[]
  readonly requestBody?: { readonly required: boolean; readonly content: Content }
  readonly responses: { readonly [status: string]: { readonly description: string; readonly content?: Content } }
}

/** What the page reads of an OpenAPI document that `openApiDocument` made. */
export interface OpenApiView {
  readonly info: { readonly title: string; readonly version: string; readonly description: string }
  readonly tags: readonly { readonly name: string }[]
  readonly paths: { readonly [path: string]: { readonly [method: string]: Operation } }
  readonly components: { readonly schemas: { readonly [name: string]: unknown } }
}

export function docsPage(document: OpenApiView): Reply {
  const { info, tags, paths, components } = document
  const operations = Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
  )
  const sections = tags.map(({ name }) => {
    const own = operations.filter(({ operation }) => operation.tags.includes(name))
    return markup`<h2>${name}</h2>${own.map((entry) => operationMarkup(entry.method, entry.path, entry.operation))}`
  })
  const schemas = Object.entries(components.schemas).map(
    ([name, schema]) => markup`<details id="schema-${name}"><summary>${name}</summary>${code(schema)}</details>`,
  )
  const body = markup`<h1>${info.title} API <small class="quiet">${info.version}</small></h1>
<p>${prose(info.description)}</p>
<p>Send <code>Authorization: Bearer &lt;token&gt;</code>. The document behind this page:
<a href="/api/v1/openapi.json">openapi.json</a>.</p>
${sections}<h2>Schemas</h2>${schemas}`
  return page({ status: 200, title: `${info.title} API`, style: STYLE, body })
}

function operationMarkup(method: string, path: string, operation: Operation): Markup {
  const { summary, description, parameters, responses } = operation
  return markup`<details>
<summary><b>${method.toUpperCase()}</b> <span class="path">${path}</span> <span class="quiet">${summary}</span></summary>
<p>${prose(description)}</p>
${parameterTable(parameters)}${bodyMarkup(operation)}${Object.entries(responses).map(responseMarkup)}</details>`
}

/** Text of a description, whose backticks are code. */
function prose(text: string): readonly Markup[] {
  return text.split('`').map((part, index) => (index % 2 === 0 ? markup`${part}` : markup`<code>${part}</code>`))
}

function responseMarkup([status, { description, content = {} }]: [string, Operation['responses'][string]]): Markup {
  const types = Object.entries(content).filter(([type]) => type !== 'application/problem+json')
  const shapes = types.map(([type, { schema }]) => markup`<p class="quiet">${type}</p>${code(schema)}`)
  return markup`<p><b>${status}</b> ${prose(description)}</p>${shapes}`
}

function parameterTable(parameters: readonly Parameter[]): Markup | string {
  if (parameters.length === 0) return ''
  const rows = parameters.map(({ name, in: place, required, description = '', schema }) => {
    const where = required ? `${place}, required` : place
    const shape = JSON.stringify(schema)
    return markup`<tr><td><code>${name}</code></td><td>${where}</td><td>${prose(description)}</td><td><code>${shape}</code></td></tr>`
  })
  return markup`<table><tr><th>Parameter</th><th>In</th><th></th><th>Schema</th></tr>${rows}</table>`
}

function bodyMarkup({ requestBody }: Operation): Markup | string {
  if (requestBody === undefined) return ''
  const types = Object.keys(requestBody.content).join(', ')
  const [first] = Object.values(requestBody.content)
  const optional = requestBody.required ? '' : '(optional) '
  return markup`<p><b>Body</b> ${optional}<span class="quiet">${types}</span></p>${code(first?.schema)}`
}

function code(schema: unknown): Markup {
  return markup`<pre>${JSON.stringify(schema, null, 2)}</pre>`
}
