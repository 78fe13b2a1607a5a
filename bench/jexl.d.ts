/** The part of jexl (which ships no types) that the expression benchmark uses. */
declare module 'jexl' {
  interface Expression {
    evalSync(context: object): unknown
  }
  interface Jexl {
    addTransform(name: string, transform: (value: never, ...args: never[]) => unknown): void
    compile(source: string): Expression
  }
  const jexl: Jexl
  export default jexl
}
