import type { TaskContext } from 'plugwork'

/** Greets one person. Its result is journaled: after a crash it is not computed again. */
export function Greet({ name }: { name: string }, context: TaskContext): { greeting: string } {
  context.log.info(`greeting ${name}`)
  return { greeting: `Hello, ${name}!` }
}
