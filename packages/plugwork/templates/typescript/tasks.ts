import { defineTask } from 'plugwork'
import { z } from 'zod'

/** A task with schemas: inputs and outputs are validated at run time, and `plugwork check` knows them. */
export const Describe = defineTask({
  input: z.object({ value: z.number() }),
  output: z.object({ sentence: z.string() }),
  run: ({ value }) => ({ sentence: `The sum is ${value}.` }),
})
