import { defineFlowTest } from 'plugwork'

export default defineFlowTest({
  cases: [
    {
      name: 'adds up',
      inputs: { numbers: [1, 2, 3] },
      expect: { outputs: { sentence: 'The sum is 6.' } },
    },
    {
      name: 'gives the sum to the task',
      inputs: { numbers: [] },
      fakes: { Describe: ({ input }) => ({ sentence: JSON.stringify(input) }) },
      expect: { outputs: { sentence: '{"value":0}' } },
    },
  ],
})
