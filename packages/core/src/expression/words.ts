/** Words that the grammar uses; they cannot be names. */
export const GRAMMAR_WORDS: ReadonlySet<string> = new Set(['true', 'false', 'null', 'and', 'or', 'not', 'in'])

/** Words of JavaScript that expressions do not have, with what they would be. They cannot be names either. */
export const FOREIGN_WORDS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    functions: ['function', 'return', 'yield', 'await'],
    classes: ['class', 'extends', 'super', 'new', 'this', 'instanceof'],
    statements: [
      'if',
      'else',
      'for',
      'while',
      'do',
      'switch',
      'case',
      'default',
      'break',
      'continue',
      'with',
      'debugger',
    ],
    'error handling (use a `try` step)': ['try', 'catch', 'finally', 'throw'],
    'variables (use a `set` step)': ['var', 'let', 'const', 'delete', 'void', 'enum'],
    modules: ['import', 'export'],
    'type operator (use `typeOf(value)`)': ['typeof'],
  }).flatMap(([what, words]) => words.map((word) => [word, what] as const)),
)

/** Whether a word can never be a name of a scope: flow checkers refuse it as an id. */
export function isReservedWord(word: string): boolean {
  return GRAMMAR_WORDS.has(word) || FOREIGN_WORDS.has(word)
}

/** What people coming from elsewhere write, and what it is here. */
export const FOREIGN_NAMES: ReadonlyMap<string, string> = new Map([
  ['undefined', 'null'],
  ['None', 'null'],
  ['nil', 'null'],
  ['NULL', 'null'],
  ['True', 'true'],
  ['TRUE', 'true'],
  ['False', 'false'],
  ['FALSE', 'false'],
])

/** Functions of other languages, and what to write here. */
export const FOREIGN_FUNCTIONS: ReadonlyMap<string, string> = new Map([
  ['len', 'Write `value.length`.'],
  ['size', 'Write `value.length`.'],
  ['count', 'Write `list.length`.'],
  ['length', 'Write `value.length`.'],
  ['str', 'Write `String(value)`.'],
  ['int', 'Write `Math.trunc(Number(text))`.'],
  ['float', 'Write `Number(text)`.'],
  ['parseInt', 'Write `Math.trunc(Number(text))`.'],
  ['parseFloat', 'Write `Number(text)`.'],
  ['upper', 'Write `text.toUpperCase()`.'],
  ['lower', 'Write `text.toLowerCase()`.'],
  ['Date', 'Write `now`, or `toTimestamp(text)`.'],
  ['today', 'Write `startOf(now, "day", zone)`.'],
  ['sum', 'Write `list.sum()`.'],
  ['join', 'Write `list.join(separator)`.'],
  ['typeof', 'Write `typeOf(value)`.'],
  ['print', 'An expression has no effects; use a task to log.'],
])

/** Methods of other languages, and what to write here. */
export const FOREIGN_METHODS: ReadonlyMap<string, string> = new Map([
  ['push', 'Values never change: write `[...list, item]`.'],
  ['pop', 'Values never change: write `list.slice(0, -1)`.'],
  ['shift', 'Values never change: write `list.slice(1)`.'],
  ['unshift', 'Values never change: write `[item, ...list]`.'],
  ['splice', 'Values never change: write `[...list.slice(0, i), ...list.slice(i + 1)]`.'],
  ['forEach', 'An expression has no effects; write `.map(…)`, or use a loop step.'],
  ['toString', 'Write `String(value)`.'],
  ['hasOwnProperty', 'Write `"key" in object`.'],
  ['keys', 'Write `Object.keys(object)`.'],
  ['values', 'Write `Object.values(object)`.'],
  ['entries', 'Write `Object.entries(object)`.'],
  ['items', 'Write `Object.entries(object)`.'],
  ['get', 'Write `object[key]`.'],
  ['upper', 'Write `.toUpperCase()`.'],
  ['lower', 'Write `.toLowerCase()`.'],
  ['strip', 'Write `.trim()`.'],
  ['startswith', 'Write `.startsWith(…)`.'],
  ['endswith', 'Write `.endsWith(…)`.'],
  ['append', 'Values never change: write `[...list, item]`.'],
  ['length', 'Length is a property: write `.length`.'],
])
