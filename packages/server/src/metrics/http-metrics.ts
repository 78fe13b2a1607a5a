/** Counts and times of HTTP requests by method, route and status class. Cheap: one map look-up per request. */
import { histogram } from './exposition.ts'
import type { Histogram, Sample } from './exposition.ts'

export interface HttpMetrics {
  observe(method: string, route: string, status: number, ms: number): void
  samples(): readonly Sample[]
}

const BOUNDS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
const METHODS = new Set(['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS'])

interface Series {
  readonly labels: { readonly method: string; readonly route: string; readonly status: string }
  readonly seconds: Histogram
}

export function createHttpMetrics(): HttpMetrics {
  const series = new Map<string, Series>()
  return {
    observe(method, route, status, ms) {
      const key = `${method} ${status} ${route}`
      let found = series.get(key)
      if (found === undefined) {
        // A client's invented method must not make a series of its own.
        const known = METHODS.has(method) ? method : 'OTHER'
        found = { labels: { method: known, route, status: String(status) }, seconds: histogram(BOUNDS_SECONDS) }
        if (known === method) series.set(key, found)
      }
      found.seconds.observe(ms / 1000)
    },
    samples: () =>
      Array.from(series.values(), ({ labels, seconds }) => ({
        name: 'plugwork_http_request_duration_seconds',
        help: 'HTTP requests by route and status, with the time to the reply.',
        type: 'histogram' as const,
        labels,
        value: seconds,
      })),
  }
}
