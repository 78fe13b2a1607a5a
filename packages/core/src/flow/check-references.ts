/** Checks what steps and connections name in the catalog: connectors, connections, tasks, sub-flows, their parameters. */
import { closest } from '../expression/suggest.ts'
import { findAction } from './actions.ts'
import type { CatalogAction } from './catalog.ts'
import type { Compilation } from './compilation.ts'
import { childPlace, listItems, mapEntries, wordOf, type Place } from './place.ts'
import type { ActionNode, Plan, SubflowNode, TaskNode } from './plan.ts'
import { list } from './read.ts'
import type { Scope } from './scope.ts'
import { containsSecret } from './secret-types.ts'
import { outputNames, outputSchema } from './step-types.ts'
import type { Target, ValueChecker } from './values.ts'

export class ReferenceChecker {
  readonly #c: Compilation
  readonly #values: ValueChecker
  readonly #plan: Plan
  readonly #unknown = new Set<string>()

  constructor(c: Compilation, values: ValueChecker, plan: Plan) {
    this.#c = c
    this.#values = values
    this.#plan = plan
  }

  /** Checks the connections of the flow. */
  connections(scope: Scope): void {
    for (const [name, connection] of Object.entries(this.#plan.connections)) {
      const place = this.#c.origins.place(connection)
      if (place === undefined || connection.type === '') continue
      const connector = this.#c.catalog.connectors.find((candidate) => candidate.name === connection.type)
      const { use } = connection
      const stored = this.#c.catalog.storedConnections
      if (use !== undefined && stored !== undefined && !stored.includes(use)) {
        this.#report(
          'PW1057',
          childPlace(place, 'use') ?? place,
          `There is no stored connection \`${use}\`.`,
          use,
          stored,
        )
      }
      if (connector === undefined) {
        const names = this.#c.catalog.connectors.map((candidate) => candidate.name)
        this.#report(
          'PW1050',
          childPlace(place, 'type') ?? place,
          `There is no connector \`${connection.type}\`.`,
          connection.type,
          names,
        )
        this.#values.template(connection.config, scope)
        continue
      }
      if (use !== undefined) {
        this.#settingsBesideUse(name, place)
        continue
      }
      const schema = connector.config
      const target: Target = {
        root: schema,
        what: 'the config',
        of: `the connection \`${name}\``,
        place,
        accepts: 'secret',
        strict: true,
      }
      this.#values.fits(connection.config, schema, scope, target)
    }
  }

  /** Credentials go where their owner said: a flow that could change the address would have them sent elsewhere. */
  #settingsBesideUse(name: string, place: Place): void {
    for (const [key, child] of mapEntries(place)) {
      if (key === 'type' || key === 'use') continue
      const message = `\`${key}\` stands beside \`use\`: the connection \`${name}\` has the settings that are stored with it.`
      this.#c.report('PW1063', child, message, { key: true })
    }
  }

  action(node: ActionNode, place: Place, scope: Scope): void {
    const found = findAction(this.#c.catalog, `${node.connector}.${node.action}`)
    if (found.kind !== 'found') return
    const call = this.#c.origins.place(node.input) ?? place
    const of = `\`${node.connector}.${node.action}\``
    this.#connection(node, found.action, call, of)
    const inside = childPlace(call, 'with')
    this.#values.fits(node.input, found.action.input, scope, {
      root: found.action.input,
      what: 'the input',
      of,
      place: call,
      accepts: 'secret',
      strict: true,
      keyPlace: (key) => (inside === undefined ? undefined : childPlace(inside, key)) ?? childPlace(call, key),
    })
    this.#outputs(node, call, of)
    this.#repetition(node, found.action, place, call, of)
  }

  #connection(node: ActionNode, action: CatalogAction, call: Place, of: string): void {
    const names = Object.keys(this.#plan.connections)
    const fitting = names.find((name) => this.#plan.connections[name]?.type === node.connector)
    if (node.connection === undefined) {
      if (!action.needsConnection) return
      const suggestion =
        fitting === undefined ? `declare one of \`type: ${node.connector}\`` : `add \`connection: ${fitting}\``
      this.#c.report('PW1053', call, `${of} needs a connection.`, { key: true, suggestion })
      return
    }
    const at = childPlace(call, 'connection') ?? call
    const declared = Object.hasOwn(this.#plan.connections, node.connection)
      ? this.#plan.connections[node.connection]
      : undefined
    if (declared === undefined) {
      this.#report('PW1051', at, `The flow has no connection \`${node.connection}\`.`, node.connection, names)
    } else if (declared.type !== node.connector && declared.type !== '') {
      const message = `The connection \`${node.connection}\` is of type \`${declared.type}\`, but ${of} needs \`${node.connector}\`.`
      this.#c.report('PW1052', at, message, {
        suggestion: fitting === undefined ? undefined : `did you mean \`${fitting}\`?`,
      })
    }
  }

  /** A write that may happen twice is better not tried twice. */
  #repetition(node: ActionNode, action: CatalogAction, place: Place, call: Place, of: string): void {
    const repeats = node.retry !== undefined && node.retry.maxAttempts > 1
    if (!repeats || action.effect === 'read' || action.idempotency !== 'none') return
    const at = childPlace(call, 'retry') ?? childPlace(place, 'retry') ?? call
    const message = `${of} writes, and has neither an idempotency key nor a look-up: a retry after a lost answer does it twice.`
    this.#c.report('PW1090', at, message, { key: true })
  }

  task(node: TaskNode, place: Place, scope: Scope): void {
    const { tasks } = this.#c.catalog
    const at = childPlace(place, 'task') ?? place
    const of = `the task \`${node.task}\``
    if (tasks === undefined) {
      this.#notKnown('tasks', at, 'The tasks of this flow are not known here; their names and types were not checked.')
    }
    const task = tasks?.find((candidate) => candidate.name === node.task)
    if (tasks !== undefined && task === undefined && node.task !== '') {
      const message = `There is no task \`${node.task}\` in \`tasks.ts\` beside the flow.`
      this.#report(
        'PW1055',
        at,
        message,
        node.task,
        tasks.map((candidate) => candidate.name),
      )
    }
    this.#inputs(node, task?.input, place, scope, of)
    this.#outputs(node, place, of)
  }

  subflow(node: SubflowNode, place: Place, scope: Scope): void {
    const { flows } = this.#c.catalog
    const at = childPlace(place, 'subflow') ?? place
    const of = `the flow \`${node.flow}\``
    if (flows === undefined) {
      this.#notKnown('flows', at, 'Other flows are not known here; sub-flows were not checked.')
    }
    const flow = flows?.find((candidate) => candidate.name === node.flow)
    if (flows !== undefined && flow === undefined && node.flow !== '' && node.flow !== this.#plan.flow) {
      this.#report(
        'PW1056',
        at,
        `There is no flow \`${node.flow}\`.`,
        node.flow,
        flows.map((candidate) => candidate.name),
      )
    }
    this.#inputs(node, flow?.input, place, scope, of)
    this.#outputs(node, place, of)
  }

  #inputs(
    node: TaskNode | SubflowNode,
    schema: CatalogAction['input'] | undefined,
    place: Place,
    scope: Scope,
    of: string,
  ): void {
    const inputs = childPlace(place, 'inputs')
    if (schema === undefined) {
      const type = this.#values.template(node.input, scope)
      const isKnown = node.kind === 'task' && this.#c.catalog.tasks?.some((task) => task.name === node.task) === true
      if (isKnown && containsSecret(type)) {
        this.#c.report('PW1067', inputs ?? place, `An input of ${of} would be stored with a secret in it.`, {
          suggestion: 'declare the input as a secret: `defineTask({ input, … })`',
        })
      }
      return
    }
    // Without `inputs:` the missing ones are reported at the step.
    this.#values.fits(node.input, schema, scope, {
      root: schema,
      what: '`inputs`',
      of,
      place: inputs ?? place,
      strict: true,
    })
  }

  #outputs(node: TaskNode | ActionNode | SubflowNode, place: Place, of: string): void {
    const schema = outputSchema(this.#c.catalog, node)
    const outputs = childPlace(place, 'outputs')
    const names = schema === undefined ? undefined : outputNames(schema)
    if (names === undefined || outputs === undefined) return
    for (const item of Array.isArray(outputs.value) ? listItems(outputs) : [outputs]) {
      const name = wordOf(item.value)
      if (names.includes(name)) continue
      this.#report('PW1042', item, `${of} has no output \`${name}\`; there are ${list(names)}.`, name, names)
    }
  }

  #notKnown(what: string, place: Place, message: string): void {
    if (this.#unknown.has(what)) return
    this.#unknown.add(what)
    this.#c.report('PW1059', place, message)
  }

  #report(code: string, place: Place, message: string, name: string, known: readonly string[]): void {
    const near = closest(name, known)
    const others = code === 'PW1042' || known.length === 0 || known.length > 12 ? undefined : `there are ${list(known)}`
    this.#c.report(code, place, message, { suggestion: near === undefined ? others : `did you mean \`${near}\`?` })
  }
}
