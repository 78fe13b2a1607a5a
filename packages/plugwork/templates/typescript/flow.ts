import { defineFlow } from 'plugwork'

/** The same language as YAML, with types and the names that TypeScript gives. Compiled when it is loaded. */
export default defineFlow({
  flow: 'Report',
  description: 'Adds up numbers and describes the sum.',
  inputs: [{ name: 'numbers', type: 'array', items: { type: 'number' }, required: true }],
  steps: [
    { id: 'sum', set: { value: '${inputs.numbers.sum()}' } },
    { id: 'text', task: 'Describe', inputs: { value: '${sum.value}' }, outputs: ['sentence'] },
  ],
  outputs: [{ name: 'sentence', value: '${text.sentence}' }],
})
