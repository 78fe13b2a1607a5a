import type { TaskContext } from 'plugwork'

/** Stands for whoever wants to know how each trip ended. Its log line is part of the run's trace. */
export function Report({ trip, paid }: { trip: string; paid: boolean }, context: TaskContext): { text: string } {
  const text = `${trip} ${paid ? 'is paid' : 'was not booked'}`
  context.log.info(text)
  return { text }
}
