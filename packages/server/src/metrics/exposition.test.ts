import { expect, test } from 'vitest'
import { exposition, histogram } from './exposition.ts'

test('families have one head, labels are escaped, histograms are cumulative', () => {
  const seconds = histogram([0.1, 1])
  for (const value of [0.05, 0.1, 0.5, 7]) seconds.observe(value)
  const text = exposition([
    { name: 'a_total', help: 'As.', type: 'counter', labels: { kind: 'x"y\\z\n' }, value: 1 },
    { name: 'a_total', help: 'As.', type: 'counter', labels: { kind: 'b' }, value: 2 },
    { name: 'took_seconds', help: 'Time.', type: 'histogram', labels: { route: '/r' }, value: seconds },
  ])
  expect(text).toBe(
    [
      '# HELP a_total As.',
      '# TYPE a_total counter',
      String.raw`a_total{kind="x\"y\\z\n"} 1`,
      'a_total{kind="b"} 2',
      '# HELP took_seconds Time.',
      '# TYPE took_seconds histogram',
      'took_seconds_bucket{route="/r",le="0.1"} 2',
      'took_seconds_bucket{route="/r",le="1"} 3',
      'took_seconds_bucket{route="/r",le="+Inf"} 4',
      'took_seconds_sum{route="/r"} 7.65',
      'took_seconds_count{route="/r"} 4',
      '',
    ].join('\n'),
  )
})
