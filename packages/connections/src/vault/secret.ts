import { inspect } from 'node:util'

const HIDDEN = '***'

/**
 * A text that must not be seen. It prints as `***` wherever texts are printed by accident (templates, JSON, logs, errors);
 * `reveal` is the one way to it, and easy to search for.
 */
export class Secret {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  /** The text itself: for a request that carries it, and nothing else. */
  reveal(): string {
    return this.#text
  }

  toString(): string {
    return HIDDEN
  }

  toJSON(): string {
    return HIDDEN
  }

  [Symbol.toPrimitive](): string {
    return HIDDEN
  }

  [inspect.custom](): string {
    return HIDDEN
  }
}
