/**
 * Patterns of event names: segments separated by `.`; `*` stands for one segment, `**` (last only) for the rest. Events
 * of Plugwork itself (`plugwork.…`) match only a pattern that begins with `plugwork.`, so that a flow that listens to
 * everything does not answer to what is said about itself.
 */
const SYSTEM = 'plugwork'

/** Whether an event's name fits a pattern. */
export function matchesEvent(pattern: string, name: string): boolean {
  const wanted = pattern.split('.')
  const given = name.split('.')
  if (given[0] === SYSTEM && wanted[0] !== SYSTEM) return false
  const rest = wanted.at(-1) === '**'
  const fixed = rest ? wanted.slice(0, -1) : wanted
  if (rest ? given.length <= fixed.length : given.length !== fixed.length) return false
  return fixed.every((segment, index) => segment === '*' || segment === given[index])
}
