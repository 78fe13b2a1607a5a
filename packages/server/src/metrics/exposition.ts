/**
 * Prometheus text exposition, as far as the server needs it: nearly all values are read from counters that the runtime
 * and the store keep anyway, so a metrics library would only hold them a second time.
 * Format: https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export interface Histogram {
  readonly bounds: readonly number[]
  /** Observations per bound, not cumulative; the last one is above every bound. */
  readonly counts: readonly number[]
  readonly sum: number
  observe(value: number): void
}

export interface Sample {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly labels?: Readonly<Record<string, string>>
  readonly value: number | Histogram
}

export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** A histogram over ascending bounds. */
export function histogram(bounds: readonly number[]): Histogram {
  const counts = Array.from({ length: bounds.length + 1 }, () => 0)
  let sum = 0
  return {
    bounds,
    counts,
    get sum() {
      return sum
    },
    observe(value) {
      let index = 0
      while (index < bounds.length && value > bounds[index]!) index += 1
      counts[index] = counts[index]! + 1
      sum += value
    },
  }
}

/** The text of samples. Samples of one name must follow each other. */
export function exposition(samples: readonly Sample[]): string {
  const lines: string[] = []
  let family = ''
  for (const sample of samples) {
    if (sample.name !== family) {
      family = sample.name
      lines.push(`# HELP ${family} ${sample.help}`, `# TYPE ${family} ${sample.type}`)
    }
    const labels = sample.labels ?? {}
    if (typeof sample.value === 'number') lines.push(`${family}${labelText(labels)} ${sample.value}`)
    else lines.push(...histogramLines(family, labels, sample.value))
  }
  return `${lines.join('\n')}\n`
}

function histogramLines(name: string, labels: Readonly<Record<string, string>>, value: Histogram): string[] {
  let total = 0
  const buckets = value.counts.map((count, index) => {
    total += count
    const le = index < value.bounds.length ? String(value.bounds[index]) : '+Inf'
    return `${name}_bucket${labelText({ ...labels, le })} ${total}`
  })
  return [...buckets, `${name}_sum${labelText(labels)} ${value.sum}`, `${name}_count${labelText(labels)} ${total}`]
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
