/** Flows in TypeScript: the same object as in YAML, typed. */
import type { FlowDocument } from './document.ts'

/**
 * Declares a flow. The object is the document: what YAML says, with the editor's completion; `plugwork check` and the
 * engine treat both alike. A project serves the default export of each `flow.ts` and `*.flow.ts`.
 *
 * @example
 * export default defineFlow({
 *   flow: 'Hello',
 *   inputs: [{ name: 'name', type: 'string', default: 'world' }],
 *   steps: [{ id: 'greet', set: { text: 'Hello, ${inputs.name}!' } }],
 *   outputs: [{ name: 'text', value: '${greet.text}' }],
 * })
 */
export function defineFlow(flow: FlowDocument): FlowDocument {
  return flow
}
