/**
 * What every connector must do, as a test suite. Call it inside a test file with the functions of your runner (vitest's,
 * or others of the same shape) and an environment: a config that works, and one call of each action that can be made.
 *
 *     describeConnectorContract(github, { describe, test }, async () => ({ config, egress, directory, calls, close }))
 *
 * Checker, runtime, forms and documentation rely on these promises and on nothing else.
 */
import assert from 'node:assert/strict'
import type { Egress } from '../egress/egress.ts'
import type { CatalogAction } from '../flow/catalog.ts'
import { checkFlow } from '../flow/check.ts'
import { parseFlow } from '../flow/parse.ts'
import type { Json, JsonObject, JsonSchema } from '../json.ts'
import { checkConnector } from './check-connector.ts'
import type { Action, ActionContext, ConnectContext, Connector } from './connector.ts'
import { describeConnector } from './describe-connector.ts'
import { renderReference } from './reference.ts'

/** The functions of a test runner that the suite uses. */
export interface ContractRunner {
  describe(name: string, body: () => void): void
  test(name: string, body: () => Promise<void> | void): void
}

/** One call of an action against the environment's service. */
export interface ContractCall {
  readonly action: string
  readonly input: Readonly<Record<string, unknown>>
  /** Made before it, without being judged: what the call needs to find. */
  readonly before?: readonly Pick<ContractCall, 'action' | 'input'>[]
}

/** A real service (or a local server that speaks its wire), fresh for each test. */
export interface ConnectorEnvironment {
  /** Config of a connection that works, as an author writes it. */
  readonly config: Readonly<Record<string, unknown>>
  readonly egress: Egress
  /** Project folder: relative paths of the config begin here. */
  readonly directory: string
  /** At least one call of every action. */
  readonly calls: readonly ContractCall[]
  close(): Promise<void>
}

/** Adds the suite's tests. */
export function describeConnectorContract(
  connector: Connector,
  { describe, test }: ContractRunner,
  open: () => Promise<ConnectorEnvironment>,
): void {
  const within = (body: (environment: ConnectorEnvironment) => Promise<void>) => async () => {
    const environment = await open()
    try {
      await body(environment)
    } finally {
      await environment.close()
    }
  }
  describe(`connector contract: ${connector.name}`, () => {
    test('the definition is valid', () => assert.deepEqual(checkConnector(connector), []))
    test('every schema can be expressed as JSON Schema, and every parameter of a connection is described', () =>
      schemasAreDerivable(connector))
    test(
      'the config survives being stored',
      within((environment) => configRoundTrips(connector, environment)),
    )
    test('the scaffold is a connection that the checker accepts', () => scaffoldChecks(connector))
    test('the example flow has no problem', () => exampleChecks(connector))
    test('the examples of the actions have no problem', () => actionExamplesCheck(connector))
    test('the reference page names every action, way to authenticate and trigger', () => referenceIsComplete(connector))
    test('the sample of each trigger is a payload that it declares', () => samplesFit(connector))
    test(
      'connecting, testing and disconnecting leaves nothing open',
      within((env) => leavesNothing(connector, env)),
    )
    test(
      'every action is called, and answers what its schema says',
      within((env) => outputsFit(connector, env)),
    )
    test(
      'an action whose signal is aborted does not go on',
      within((env) => abortIsHeard(connector, env)),
    )
    test(
      'a look-up finds what an earlier attempt did, and nothing else',
      within((env) => lookupsFind(connector, env)),
    )
  })
}

function schemasAreDerivable(connector: Connector): void {
  const described = describeConnector(connector)
  const undescribed = propertiesOf(described.config).filter(([, schema]) => typeof schema['description'] !== 'string')
  assert.deepEqual(
    undescribed.map(([name]) => name),
    [],
    'settings of the connection without a description',
  )
  for (const action of described.actions) {
    assert.equal(action.input['type'], 'object', `the input of ${action.name} is an object`)
    assert.equal(action.output['type'], 'object', `the output of ${action.name} is an object`)
    assert.notDeepEqual(propertiesOf(action.output), [], `${action.name} names its outputs`)
  }
}

async function configRoundTrips(connector: Connector, { config }: ConnectorEnvironment): Promise<void> {
  const once: unknown = connector.config.parse(config)
  const again: unknown = connector.config.parse(JSON.parse(JSON.stringify(once)))
  assert.deepEqual(again, once)
  const unknown = connector.config.safeParse({ ...config, no_such_setting: 1 })
  assert.equal(unknown.success, false, 'an unknown setting is refused (use z.strictObject)')
}

function scaffoldChecks(connector: Connector): void {
  const { connections } = document(`connections:\n${connector.scaffold({ name: 'some_name' })}`)
  const scaffolded = (connections as JsonObject | undefined)?.['some_name'] as JsonObject | undefined
  assert.equal(
    scaffolded?.['type'],
    connector.name,
    'the scaffold is indented by two spaces, below the name it is given',
  )
  const known = new Set(propertiesOf(describeConnector(connector).config).map(([name]) => name))
  const unknown = Object.keys(scaffolded).filter((key) => key !== 'type' && !known.has(key))
  assert.deepEqual(unknown, [], 'keys of the scaffold that the config does not have')
}

function exampleChecks(connector: Connector): void {
  const { fileName, source } = connector.example({ name: 'some_name' })
  assert.match(fileName, /^[\w-]+\.flow\.yaml$/)
  assert.ok(source.includes('some_name'), 'the example uses the name it is given')
  const { problems, plan } = checkFlow(source, { connectors: [describeConnector(connector)] })
  assert.deepEqual(problems, [])
  assert.ok(
    Object.values(plan?.connections ?? {}).some(({ type }) => type === connector.name),
    'the example has a connection of this connector',
  )
}

/** An example of an action is a list of steps; its connection is called `main`, its inputs what it mentions. */
function actionExamplesCheck(connector: Connector): void {
  for (const [name, { example }] of Object.entries(connector.actions)) {
    if (example === undefined) continue
    const inputs = new Set([...example.matchAll(/\binputs\.(\w+)/g)].map(([, input]) => input!))
    const flow = [
      'flow: Example',
      `connections:\n${connector.scaffold({ name: 'main' }).trimEnd()}`,
      `inputs: [${[...inputs].map((input) => `{ name: ${input}, type: any }`).join(', ')}]`,
      `steps:\n${example.trim()}`,
    ]
    assert.deepEqual(checkFlow(flow.join('\n'), { connectors: [describeConnector(connector)] }).problems, [], name)
  }
}

function referenceIsComplete(connector: Connector): void {
  const page = renderReference(connector)
  for (const name of Object.keys(connector.actions)) assert.ok(page.includes(`### ${connector.name}.${name}`), name)
  for (const name of Object.keys(connector.auth ?? {})) assert.ok(page.includes(`| \`${name}\``), name)
  for (const name of Object.keys(connector.triggers ?? {})) assert.ok(page.includes(`### ${name}\n`), name)
}

function samplesFit(connector: Connector): void {
  for (const [name, { payload, sample }] of Object.entries(connector.triggers ?? {})) {
    if (sample !== undefined) assert.deepEqual(payload.parse(sample), sample, name)
  }
}

async function leavesNothing(connector: Connector, environment: ConnectorEnvironment): Promise<void> {
  const before = resources()
  for (let round = 0; round < 3; round += 1) {
    await connected(connector, environment, async (client, handle, context) => {
      assert.notEqual(connector.healthy?.(client), false, 'a fresh connection is healthy')
      if (connector.test === undefined) return
      const { message } = await connector.test(handle, context)
      assert.ok(message.length > 0)
    })
  }
  await until(
    () => {
      const now = resources()
      return [...now].every(([kind, count]) => count <= (before.get(kind) ?? 0))
    },
    `what was open before: ${show(before)}; what is open now:`,
  )
}

async function outputsFit(connector: Connector, environment: ConnectorEnvironment): Promise<void> {
  const called = new Set(environment.calls.map(({ action }) => action))
  assert.deepEqual(
    Object.keys(connector.actions).filter((name) => !called.has(name)),
    [],
    'actions without a call in the environment',
  )
  await connected(connector, environment, async (_client, handle) => {
    for (const [index, call] of environment.calls.entries()) {
      await prepare(connector, environment, handle, call, index)
      const action = actionOf(connector, call.action)
      const output = await action.run(contextFor(environment, handle, `call-${index}`), action.input.parse(call.input))
      const parsed = action.output.safeParse(output)
      assert.ok(parsed.success, `${call.action}: ${parsed.error?.message}`)
      assert.deepEqual(
        JSON.parse(JSON.stringify(parsed.data)),
        parsed.data,
        `the output of ${call.action} is plain JSON`,
      )
    }
  })
}

async function abortIsHeard(connector: Connector, environment: ConnectorEnvironment): Promise<void> {
  const reason = new Error('the step was cancelled')
  await connected(connector, environment, async (_client, handle) => {
    for (const [index, call] of environment.calls.entries()) {
      await prepare(connector, environment, handle, call, index)
      const action = actionOf(connector, call.action)
      const context = { ...contextFor(environment, handle, `abort-${index}`), signal: AbortSignal.abort(reason) }
      const outcome = await Promise.resolve()
        .then(() => action.run(context, action.input.parse(call.input)))
        .then(
          () => 'it answered',
          () => 'it stopped',
        )
      assert.equal(outcome, 'it stopped', `${call.action} goes on although its signal is aborted`)
    }
  })
}

async function lookupsFind(connector: Connector, environment: ConnectorEnvironment): Promise<void> {
  await connected(connector, environment, async (_client, handle) => {
    for (const [index, call] of environment.calls.entries()) {
      const action = actionOf(connector, call.action)
      if (action.lookup === undefined) continue
      await prepare(connector, environment, handle, call, index)
      const input: unknown = action.input.parse(call.input)
      const context = contextFor(environment, handle, `lookup-${index}`)
      assert.equal(await action.lookup(context, input), null, `${call.action} finds what nobody did`)
      const output: unknown = await action.run(context, input)
      assert.deepEqual(await action.lookup(context, input), output, `${call.action} does not find what was done`)
      const other = contextFor(environment, handle, `lookup-${index}-other`)
      assert.equal(await action.lookup(other, input), null, `${call.action} finds it under another key`)
    }
  })
}

async function prepare(
  connector: Connector,
  environment: ConnectorEnvironment,
  handle: unknown,
  call: ContractCall,
  index: number,
): Promise<void> {
  for (const [step, { action: name, input }] of (call.before ?? []).entries()) {
    const action = actionOf(connector, name)
    await action.run(contextFor(environment, handle, `before-${index}-${step}`), action.input.parse(input))
  }
}

async function connected(
  connector: Connector,
  environment: ConnectorEnvironment,
  body: (client: unknown, handle: unknown, context: ConnectContext) => Promise<void>,
): Promise<void> {
  const signal = new AbortController().signal
  const { egress, directory } = environment
  const context: ConnectContext = {
    name: 'some_name',
    tenant: 'default',
    egress,
    directory,
    signal,
    log: () => undefined,
  }
  const client = await connector.connect(connector.config.parse(environment.config), context)
  try {
    const handle = connector.acquire === undefined ? client : await connector.acquire(client, signal)
    try {
      await body(client, handle, context)
    } finally {
      await connector.release?.(client, handle)
    }
  } finally {
    await connector.disconnect?.(client)
  }
}

function contextFor(
  environment: ConnectorEnvironment,
  client: unknown,
  idempotencyKey: string,
): ActionContext<unknown> {
  return {
    client,
    connection: 'some_name',
    egress: environment.egress,
    signal: new AbortController().signal,
    idempotencyKey,
    attempt: 1,
    tenant: 'default',
    log: () => undefined,
  }
}

function actionOf(connector: Connector, name: string): Action {
  const action = connector.actions[name]
  assert.ok(action, `the environment calls ${name}, which is no action`)
  return action
}

function propertiesOf(schema: JsonSchema | CatalogAction['input']): [string, JsonSchema][] {
  return Object.entries((schema['properties'] ?? {}) as Record<string, JsonSchema>)
}

function document(yaml: string): { readonly [key: string]: Json | undefined } {
  const { value, problems } = parseFlow(yaml)
  assert.deepEqual(problems, [])
  return (value ?? {}) as JsonObject
}

/** What keeps the process alive, by kind. */
function resources(): Map<string, number> {
  const counts = new Map<string, number>()
  for (const kind of process.getActiveResourcesInfo()) {
    // Timers and immediate work come and go with the test runner.
    if (!/Timeout|Immediate/.test(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  }
  return counts
}

const show = (counts: ReadonlyMap<string, number>): string => JSON.stringify(Object.fromEntries(counts))

/** Sockets and threads end a moment after they are closed. */
async function until(condition: () => boolean, message: string): Promise<void> {
  for (let waited = 0; !condition(); waited += 20) {
    if (waited > 5_000) assert.fail(`${message} ${show(resources())}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
