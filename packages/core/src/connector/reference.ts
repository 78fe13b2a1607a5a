/** The reference page of a connector, in Markdown, from its definition alone. */
import type { JsonSchema } from '../json.ts'
import type { CatalogAction } from '../flow/catalog.ts'
import type { AuthMethod } from './auth.ts'
import type { Connector } from './connector.ts'
import { derive, describeConnector } from './describe-connector.ts'

const IDEMPOTENCY: { readonly [kind in CatalogAction['idempotency']]: string } = {
  natural: 'doing it twice is the same as doing it once',
  key: "every attempt sends the step's idempotency key",
  lookup: 'exactly once: a repeated attempt finds what the first one did',
  none: 'an interrupted attempt may be done again',
}

/** Prints the page; the same definition always gives the same text. */
export function renderReference(connector: Connector): string {
  const described = describeConnector(connector)
  const { fileName, source } = connector.example({ name: 'main' })
  const packages = connector.packages ?? []
  return [
    `# ${connector.title}`,
    '',
    `<!-- Generated from the connector by scripts/generate-connector-docs.ts. -->`,
    '',
    connector.description,
    '',
    ...(connector.notes === undefined ? [] : [connector.notes.trim(), '']),
    '## Connection',
    '',
    ...fence('yaml', `connections:\n${connector.scaffold({ name: 'main' }).trimEnd()}`),
    '',
    ...table(described.config, 'The connection takes no settings.'),
    '',
    packages.length === 0
      ? 'It needs no further packages.'
      : `It needs ${packages.map(({ name, range }) => `\`${name}@${range}\``).join(', ')}.`,
    '',
    ...renderLimits(connector),
    ...renderAuth(connector),
    '## Actions',
    '',
    ...described.actions.flatMap((action) => renderAction(connector, action)),
    ...renderTriggers(connector),
    '## Example',
    '',
    `\`${fileName}\`:`,
    '',
    ...fence('yaml', source.trimEnd()),
    '',
  ].join('\n')
}

const KINDS: { readonly [kind in AuthMethod['kind']]: string } = {
  api_key: 'API key',
  basic: 'user name and password',
  bearer: 'token',
  custom: 'secret',
  jwt: 'signed JWT',
  oauth2: 'OAuth 2',
}

function renderLimits({ limits }: Connector): string[] {
  if (limits === undefined) return []
  const { requests, per, burst = requests } = limits
  const bursts = burst === requests ? '' : `, ${burst} at once`
  return [
    `A connection keeps to ${requests} ${requests === 1 ? 'call' : 'calls'} each ${per}${bursts}; further ones wait.`,
    '',
  ]
}

function renderAuth({ auth }: Connector): string[] {
  const methods = Object.entries(auth ?? {})
  if (methods.length === 0) return []
  return [
    '## Authentication',
    '',
    '| method | kind | how |',
    '| --- | --- | --- |',
    ...methods.map(([name, { kind, title, help }], index) => {
      const first = index === 0 ? ' (default)' : ''
      return `| \`${name}\`${first} | ${KINDS[kind]} | ${cell(`${title}. ${help}`)} |`
    }),
    '',
  ]
}

function renderTriggers({ triggers, webhooks }: Connector): string[] {
  const named = Object.entries(triggers ?? {})
  if (named.length === 0) return []
  return [
    '## Triggers',
    '',
    ...(webhooks === undefined ? [] : [webhooks.help, '']),
    ...named.flatMap(([name, { description, payload, sample }]) => [
      `### ${name}`,
      '',
      description,
      '',
      ...table(derive(payload, 'output', `the payload of ${name}`), 'Nothing is promised of its payload.'),
      '',
      ...(sample === undefined
        ? []
        : [
            '<details><summary>Payload</summary>',
            '',
            ...fence('json', JSON.stringify(sample, null, 2)),
            '',
            '</details>',
            '',
          ]),
    ]),
  ]
}

function renderAction(connector: Connector, action: CatalogAction): string[] {
  const example = connector.actions[action.name]?.example
  const short = connector.prefixes[0] ?? connector.name
  const connection = action.needsConnection ? '' : ' The connection is optional.'
  return [
    `### ${connector.name}.${action.name}`,
    '',
    `${action.description} Also spelt \`${short}_${action.name.replaceAll('.', '_')}\`.`,
    '',
    `Effect: ${action.effect}; ${IDEMPOTENCY[action.idempotency]}.${connection}`,
    '',
    ...table(action.input, 'It takes no parameters.'),
    '',
    ...(example === undefined ? [] : [...fence('yaml', example.trim()), '']),
    'Outputs:',
    '',
    ...table(action.output, 'It has no outputs.'),
    '',
  ]
}

function table(schema: JsonSchema, none: string): string[] {
  const rows = Object.entries((schema['properties'] ?? {}) as Record<string, JsonSchema>)
  if (rows.length === 0) return [none]
  const required = new Set((schema['required'] ?? []) as string[])
  return [
    '| name | type | meaning |',
    '| --- | --- | --- |',
    ...rows.map(([name, property]) => {
      const meaning = [
        String(property['description'] ?? ''),
        property['default'] === undefined ? '' : `Default: \`${JSON.stringify(property['default'])}\`.`,
      ]
      const type = `${typeOf(property)}${required.has(name) && property['default'] === undefined ? '' : '?'}`
      return `| \`${name}\` | ${cell(type)} | ${cell(meaning.filter(Boolean).join(' '))} |`
    }),
  ]
}

function typeOf(schema: JsonSchema): string {
  if (schema['x-plugwork'] === 'sql') return 'SQL'
  if (schema['x-plugwork'] === 'path') return 'path'
  if (schema['const'] !== undefined) return JSON.stringify(schema['const'])
  if (Array.isArray(schema['enum'])) return schema['enum'].map((value) => JSON.stringify(value)).join(' or ')
  const variants = (schema['anyOf'] ?? schema['oneOf']) as readonly JsonSchema[] | undefined
  if (variants !== undefined) return [...new Set(variants.map(typeOf))].join(' or ')
  if (schema['type'] === 'array') {
    const items = schema['items'] as JsonSchema | undefined
    return items === undefined ? 'list' : `list of ${typeOf(items)}`
  }
  if (schema['type'] === 'object') return typeOfObject(schema)
  return typeof schema['type'] === 'string' ? schema['type'] : 'any'
}

function typeOfObject(schema: JsonSchema): string {
  const names = Object.keys((schema['properties'] ?? {}) as object)
  return names.length === 0 ? 'object' : `{ ${names.join(', ')} }`
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ')

const fence = (language: string, text: string): string[] => [`\`\`\`${language}`, text, '```']
