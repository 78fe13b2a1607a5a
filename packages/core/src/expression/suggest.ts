/**
 * The candidate nearest to `name`, or undefined when none is near enough to be what was meant. Letter case and the
 * difference between `snake_case` and `camelCase` weigh little.
 */
export function closest(name: string, candidates: Iterable<string>): string | undefined {
  const wanted = fold(name)
  let best: string | undefined
  let bestDistance = Math.max(1, Math.floor(name.length * 0.4)) + 0.5
  for (const candidate of candidates) {
    if (candidate === name || Math.abs(candidate.length - name.length) > 4) continue
    const folded = fold(candidate)
    const distance = folded === wanted ? 0.25 : editDistance(wanted, folded)
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

const fold = (name: string): string => name.toLowerCase().replaceAll(/[_-]/g, '')

/** Edits (insert, delete, replace, swap of neighbours) that turn one word into the other. Long words are cut short. */
function editDistance(left: string, right: string): number {
  const a = left.slice(0, 64)
  const b = right.slice(0, 64)
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      let cost = Math.min(at(row, j - 1) + 1, at(last, j) + 1, at(last, j - 1) + same)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, at(beforeLast, j - 2) + 1)
      }
      row.push(cost)
    }
    beforeLast = last
    last = row
  }
  return at(last, b.length)
}

const at = (row: readonly number[], index: number): number => row[index] ?? 0
