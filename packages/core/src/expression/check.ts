import type {
  ArrayNode,
  Expression,
  IndexNode,
  LogicalNode,
  MemberNode,
  NameNode,
  ObjectNode,
  TemplateNode,
  UnaryNode,
} from './ast.ts'
import { checkCall, checkMethod } from './check-call.ts'
import { checkBinary } from './check-operator.ts'
import { NAMESPACES } from './library.ts'
import { beginsAt, bothFacts, NO_FACTS, pathKey, proves, type Facts } from './narrow.ts'
import { print } from './print.ts'
import { problem } from './problem.ts'
import type { Problem } from './problem.ts'
import { closest } from './suggest.ts'
import {
  ANY,
  BOOLEAN,
  NEVER,
  NULL,
  NUMBER,
  SECRET,
  STRING,
  arrayOf,
  describeWithArticle,
  isAssignable,
  literalType,
  mapMembers,
  mayBeNull,
  membersOf,
  overlaps,
  union,
  withoutNull,
} from './type.ts'
import type { ArrayType, Field, Type } from './type.ts'
import { FOREIGN_NAMES } from './words.ts'

export type { Problem } from './problem.ts'

/** What the checker knows of the scope. */
export interface CheckEnvironment {
  /** The type of a name; `undefined` says that there is no such name. */
  lookup(name: string): Type | undefined
  /** All names, for suggestions. */
  names(): readonly string[]
  /** Whether a name is a step's id: its member chains are null as a whole when the step has no value. */
  isStep?(name: string): boolean
  /** What conditions around the expression have proven. */
  facts?(): Facts
  /** A condition has to be true or false. */
  readonly position?: 'condition' | 'value'
}

export interface Checked {
  readonly type: Type
  readonly problems: readonly Problem[]
}

/** Finds the type of an expression and everything in it that cannot work. Problems come in source order. */
export function checkExpression(expression: Expression, env: CheckEnvironment): Checked {
  const checker = new Checker(env)
  const type = checker.infer(expression)
  if (env.position === 'condition') checker.condition(expression, type)
  const problems = checker.problems.toSorted((a, b) => a.start - b.start || a.end - b.end)
  return { type, problems }
}

/** A link of a member chain: its type, and whether the rest of the chain may be skipped. */
interface Link {
  readonly type: Type
  /** A `?.` met null: the chain is null up to its end. */
  readonly skipped: boolean
  /** The step at the root has no value: the chain is null whatever follows. */
  readonly stepNull: boolean
}

export class Checker {
  readonly problems: Problem[] = []
  readonly #env: CheckEnvironment
  #locals: ReadonlyMap<string, Type> = new Map()
  #facts: Facts

  constructor(env: CheckEnvironment) {
    this.#env = env
    this.#facts = env.facts?.() ?? NO_FACTS
  }

  report(...parameters: Parameters<typeof problem>): void {
    this.problems.push(problem(...parameters))
  }

  infer(node: Expression): Type {
    switch (node.kind) {
      case 'literal':
        return node.value === null ? NULL : literalType(node.value)
      case 'name':
      case 'member':
      case 'index':
      case 'method':
      case 'chain': {
        const link = this.link(node)
        return link.skipped || link.stepNull ? union(link.type, NULL) : link.type
      }
      case 'call':
        return checkCall(this, node, node.name)
      case 'unary':
        return this.#unary(node)
      case 'binary':
        return checkBinary(this, node)
      case 'logical':
        return this.#logical(node)
      case 'conditional': {
        this.truth(node.test, this.infer(node.test))
        const consequent = this.#given(node.test, true, () => this.infer(node.consequent))
        return union(
          consequent,
          this.#given(node.test, false, () => this.infer(node.alternate)),
        )
      }
      case 'array':
        return this.#array(node)
      case 'object':
        return this.#object(node)
      case 'template':
        return this.#template(node)
    }
  }

  /** Infers the body of an arrow function whose parameters have these types. */
  withLocals(locals: ReadonlyMap<string, Type>, body: Expression): Type {
    const before = this.#locals
    const facts = this.#facts
    this.#locals = new Map([...before, ...locals])
    // What is known of a name says nothing of a parameter that hides it.
    const hidden = (path: string): boolean => [...locals.keys()].some((name) => beginsAt(path, name))
    this.#facts = {
      notNull: facts.notNull.filter((path) => !hidden(path)),
      members: facts.members.filter(({ path }) => !hidden(path)),
    }
    const type = this.infer(body)
    this.#locals = before
    this.#facts = facts
    return type
  }

  isLocal(name: string): boolean {
    return this.#locals.has(name)
  }

  condition(node: Expression, type: Type): void {
    this.truth(node, type)
    if (!overlaps(type, BOOLEAN) && type.kind !== 'null' && !this.#isSecret(type)) {
      const suggestion = overlaps(type, NUMBER) ? 'Compare it, as in `… > 0`.' : 'Compare it, as in `… != null`.'
      this.report('PW1214', { type: describeWithArticle(type) }, { ...span(node), suggestion })
    }
  }

  /** A value whose truth counts: anything but a secret. */
  truth(node: Expression, type: Type): void {
    if (this.#isSecret(type)) this.report('PW1211', { use: 'as a condition' }, span(node))
  }

  /** Reports a value that may be null where null cannot be used; gives the type without null. */
  requireNotNull(node: Expression, type: Type, suggestion: string): Type {
    const what = `\`${short(node)}\``
    if (type.kind === 'null') {
      this.report('PW1210', { what }, { ...span(node), suggestion })
      return ANY
    }
    if (!mayBeNull(type)) return type
    this.report('PW1209', { what }, { ...span(node), suggestion, severity: 'warning' })
    return withoutNull(type)
  }

  link(node: Expression): Link {
    const link = this.#plainLink(node)
    const key = pathKey(node)
    if (key === undefined) return link
    const type = this.#narrowed(link.type, key)
    if (!this.#facts.notNull.includes(key)) return type === link.type ? link : { ...link, type }
    return { type: withoutNull(type), skipped: false, stepNull: false }
  }

  /** Of several shapes those that a known member leaves. */
  #narrowed(type: Type, path: string): Type {
    if (type.kind !== 'union') return type
    const known = this.#facts.members.filter((fact) => fact.path === path)
    if (known.length === 0) return type
    return union(
      ...type.members.filter((member) =>
        known.every(({ name, value, equal }) => {
          const field = member.kind === 'object' ? member.fields.get(name)?.type : undefined
          if (field === undefined) return true
          const literal = literalType(value)
          return equal ? overlaps(field, literal) : !isAssignable(field, literal)
        }),
      ),
    )
  }

  #plainLink(node: Expression): Link {
    switch (node.kind) {
      case 'name':
        return this.#name(node)
      case 'chain': {
        const { type, skipped, stepNull } = this.link(node.expression)
        return { type: skipped ? union(type, NULL) : type, skipped: false, stepNull }
      }
      case 'member':
        return this.#member(node)
      case 'index':
        return this.#index(node)
      case 'method': {
        const { object, name } = node
        if (object.kind === 'name' && NAMESPACES.has(object.name) && !this.isLocal(object.name)) {
          return { type: checkCall(this, node, `${object.name}.${name}`), skipped: false, stepNull: false }
        }
        const receiver = this.receiver(node)
        return { ...receiver, type: checkMethod(this, node, receiver.type) }
      }
      default:
        return { type: this.infer(node), skipped: false, stepNull: false }
    }
  }

  #name(node: NameNode): Link {
    const { name } = node
    const local = this.#locals.get(name)
    if (local !== undefined) return { type: local, skipped: false, stepNull: false }
    if (name === 'now') return { type: STRING, skipped: false, stepNull: false }
    const type = this.#env.lookup(name)
    if (type === undefined) {
      const names = [...this.#locals.keys(), ...this.#env.names(), 'now']
      const instead = FOREIGN_NAMES.get(name) ?? closest(name, names)
      this.report('PW1201', { name }, { ...span(node), suggestion: instead && `Did you mean \`${instead}\`?` })
      return { type: ANY, skipped: false, stepNull: false }
    }
    if (this.#env.isStep?.(name) && mayBeNull(type)) return { type: withoutNull(type), skipped: false, stepNull: true }
    return { type, skipped: false, stepNull: false }
  }

  /** The object of a link, without null where null is allowed for. */
  receiver(node: MemberNode | IndexNode | Extract<Expression, { kind: 'method' }>): Link {
    const link = this.link(node.object)
    if (!mayBeNull(link.type)) return link
    if (node.optional) {
      return { ...link, type: withoutNull(link.type), skipped: true }
    }
    const advice = node.kind === 'index' ? 'Write `?.[…]` if null is expected.' : 'Write `?.` if null is expected.'
    return { ...link, type: this.requireNotNull(node.object, link.type, advice) }
  }

  #member(node: MemberNode): Link {
    const receiver = this.receiver(node)
    const at = { start: node.nameStart, end: node.end }
    return this.#afterStep(node, { ...receiver, type: this.#property(receiver.type, node.name, node.object, at) })
  }

  #index(node: IndexNode): Link {
    const receiver = this.receiver(node)
    const index = this.infer(node.index)
    const literal = node.index.kind === 'literal' ? node.index.value : undefined
    const root = node.object.kind === 'name' && !this.isLocal(node.object.name) ? node.object.name : undefined
    if ((root === 'env' || root === 'secrets') && typeof literal !== 'string') {
      const suggestion = `Name it, as in \`${root}.NAME\`.`
      this.report('PW1212', { root }, { ...span(node), suggestion })
      return { ...receiver, type: root === 'secrets' ? SECRET : ANY }
    }
    if (this.#isSecret(index)) this.report('PW1211', { use: 'as an index' }, span(node.index))
    const type = mapMembers(receiver.type, (member) => {
      if (typeof literal === 'string' && member.kind === 'object') {
        return this.#property(member, literal, node.object, span(node.index))
      }
      return this.#element(node, member, index)
    })
    return this.#afterStep(node, { ...receiver, type })
  }

  /** `steps.x` begins a chain like the step's own name does. */
  #afterStep(node: MemberNode | IndexNode, link: Link): Link {
    const { object } = node
    const isStep = object.kind === 'name' && object.name === 'steps' && !this.isLocal('steps')
    if (!isStep || !mayBeNull(link.type)) return link
    return { ...link, type: withoutNull(link.type), stepNull: true }
  }

  #property(type: Type, name: string, object: Expression, at: { readonly start: number; readonly end: number }): Type {
    if (object.kind === 'name' && object.name === 'secrets' && !this.isLocal('secrets')) {
      if (type.kind === 'any') return SECRET
    }
    return mapMembers(type, (member) => {
      switch (member.kind) {
        case 'any':
        case 'never':
          return ANY
        case 'secret':
          this.report('PW1211', { use: 'its members cannot be read' }, at)
          return ANY
        case 'object': {
          const field = member.fields.get(name)
          if (field !== undefined) return field.optional ? union(field.type, NULL) : field.type
          if (member.rest === undefined || member.listed) {
            const near = closest(name, member.fields.keys())
            const suggestion = near && `Did you mean \`${near}\`?`
            const severity = member.rest === undefined ? 'error' : 'warning'
            const owner = object.kind === 'name' ? `\`${object.name}\`` : describeWithArticle(member)
            this.report('PW1202', { name, type: owner }, { ...at, suggestion, severity })
          }
          return member.rest ?? ANY
        }
        case 'array':
          if (name === 'length') return NUMBER
          break
        default:
          if (name === 'length' && isAssignable(member, STRING)) return NUMBER
      }
      const of = describeWithArticle(member.kind === 'array' ? arrayOf(ANY) : member)
      const suggestion = member.kind === 'array' ? this.#arrayAdvice(member.items, name) : undefined
      this.report('PW1202', { name, type: of }, { ...at, suggestion })
      return ANY
    })
  }

  #arrayAdvice(items: Type, name: string): string | undefined {
    const known = membersOf(items).some((item) => item.kind === 'object' && item.fields.has(name))
    if (known) return `It is a property of each item: \`.map(item => item.${name})\`, or \`[0].${name}\` for the first.`
    return closest(name, ['length']) && 'Did you mean `length`?'
  }

  #element(node: IndexNode, type: Type, index: Type): Type {
    const wrong = (expected: string): Type => {
      const data = { type: describeWithArticle(type), expected, actual: describeWithArticle(index) }
      this.report('PW1220', data, span(node.index))
      return ANY
    }
    switch (type.kind) {
      case 'any':
      case 'never':
        return ANY
      case 'secret':
        this.report('PW1211', { use: 'it has no parts that could be read' }, span(node))
        return ANY
      case 'array':
        return overlaps(index, NUMBER) ? itemAt(type, index) : wrong('a number')
      case 'object': {
        if (!overlaps(index, STRING)) return wrong('text')
        const fields = [...type.fields.values()].map((field: Field) => field.type)
        return union(...fields, type.rest ?? NULL, NULL)
      }
      default:
        if (isAssignable(type, STRING)) return overlaps(index, NUMBER) ? union(STRING, NULL) : wrong('a number')
        this.report('PW1202', { name: print(node.index), type: describeWithArticle(type) }, span(node.index))
        return ANY
    }
  }

  #unary(node: UnaryNode): Type {
    const type = this.infer(node.operand)
    if (node.operator === '!') {
      this.truth(node.operand, type)
      return BOOLEAN
    }
    if (this.#isSecret(type)) this.report('PW1211', { use: 'with `-`' }, span(node))
    else if (!overlaps(this.requireNotNull(node.operand, type, 'Give a value for null with `??`.'), NUMBER)) {
      this.report('PW1207', { operator: '-', types: describeWithArticle(type) }, span(node))
    }
    return type.kind === 'literal' && typeof type.value === 'number' ? literalType(-type.value) : NUMBER
  }

  #logical(node: LogicalNode): Type {
    const left = this.infer(node.left)
    if (node.operator === '??') {
      const right = this.infer(node.right)
      return mayBeNull(left) || left.kind === 'any' ? union(withoutNull(left), right) : left
    }
    this.truth(node.left, left)
    const whenTrue = node.operator === '&&'
    const right = this.#given(node.left, whenTrue, () => this.infer(node.right))
    if (left.kind === 'any') return union(left, right)
    return union(
      mapMembers(left, (member) => (whenTrue ? falsyPart(member) : truthyPart(member))),
      right,
    )
  }

  /** Runs something where a condition is known to have had an outcome. */
  #given<T>(condition: Expression, outcome: boolean, run: () => T): T {
    const before = this.#facts
    this.#facts = bothFacts(before, proves(condition, outcome))
    const result = run()
    this.#facts = before
    return result
  }

  #array(node: ArrayNode): Type {
    const items = node.items.map((item) => {
      if (item.kind !== 'spread') return this.infer(item)
      const type = this.infer(item.expression)
      return this.spreadItems(item.expression, type)
    })
    return arrayOf(union(...items))
  }

  /** The items of a list that is spread. */
  spreadItems(node: Expression, type: Type): Type {
    const list = this.requireNotNull(node, type, 'Write `…(value ?? [])`.')
    const arrays = membersOf(list).filter((member) => member.kind === 'array')
    if (list.kind === 'any' || list.kind === 'never') return ANY
    if (arrays.length === 0) {
      this.report('PW1217', { expected: 'a list', actual: describeWithArticle(list) }, span(node))
      return ANY
    }
    return union(...arrays.map((array) => array.items))
  }

  #object(node: ObjectNode): Type {
    const fields = new Map<string, Field>()
    let rest: Type | undefined
    for (const entry of node.entries) {
      if (entry.kind === 'spread') {
        const type = withoutNull(this.infer(entry.expression))
        for (const member of membersOf(type)) {
          if (member.kind === 'object') {
            for (const [name, field] of member.fields) fields.set(name, field)
            if (member.rest) rest = ANY
          } else if (member.kind === 'any') {
            rest = ANY
          } else {
            const data = { expected: 'an object', actual: describeWithArticle(member) }
            this.report('PW1217', data, span(entry.expression))
          }
        }
        continue
      }
      const key = typeof entry.key === 'string' ? entry.key : this.#computedKey(entry.key)
      const type = this.infer(entry.value)
      if (key === undefined) rest = ANY
      else fields.set(key, { type, optional: false })
    }
    return { kind: 'object', fields, ...(rest && { rest }) }
  }

  #computedKey(key: Expression): string | undefined {
    const type = this.infer(key)
    if (this.#isSecret(type)) this.report('PW1211', { use: 'as a key' }, span(key))
    else if (!overlaps(type, STRING)) {
      this.report('PW1220', { type: 'an object', expected: 'text', actual: describeWithArticle(type) }, span(key))
    }
    return type.kind === 'literal' && typeof type.value === 'string' ? type.value : undefined
  }

  #template(node: TemplateNode): Type {
    let result: Type = STRING
    for (const part of node.parts) {
      if (typeof part === 'string') continue
      const type = this.infer(part)
      if (type.kind === 'secret') result = SECRET
      else if (result.kind !== 'secret' && membersOf(type).some((member) => member.kind === 'secret')) {
        result = union(STRING, SECRET)
      }
    }
    return result
  }

  /** Whether a value of this type is a secret, or may be one. */
  #isSecret(type: Type): boolean {
    return membersOf(type).some((member) => member.kind === 'secret')
  }
}

/** The type of an item; exact where the list has a known item at each position. */
function itemAt(list: ArrayType, index: Type): Type {
  const { items, positions } = list
  if (positions === undefined || index.kind !== 'literal' || typeof index.value !== 'number') return items
  return positions[index.value] ?? NULL
}

function falsyPart(type: Type): Type {
  switch (type.kind) {
    case 'array':
    case 'object':
      return NEVER
    case 'literal':
      return type.value ? NEVER : type
    case 'boolean':
      return literalType(false)
    default:
      return type
  }
}

function truthyPart(type: Type): Type {
  if (type.kind === 'null') return NEVER
  if (type.kind === 'boolean') return literalType(true)
  return type.kind === 'literal' && !type.value ? NEVER : type
}

const span = ({ start, end }: Expression): { readonly start: number; readonly end: number } => ({ start, end })

/** An expression as a message shows it. */
export function short(node: Expression): string {
  const text = print(node)
  return text.length > 40 ? `${text.slice(0, 39)}…` : text
}
