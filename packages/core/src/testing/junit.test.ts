import { expect, test } from 'vitest'
import { junitReport } from './junit.ts'
import type { FileResult } from './results.ts'

const RESULT: FileResult = {
  file: 'shop/flow.test.yaml',
  flow: 'Shop',
  problems: [],
  files: [],
  snapshotsWritten: 0,
  snapshotsObsolete: [],
  cases: [
    { name: 'good', status: 'passed', failures: [], line: 2, durationMs: 12.34, elapsedMs: 0 },
    {
      name: 'wrong <&">\u0007',
      status: 'failed',
      failures: ['a: expected "1"', 'b'],
      line: 3,
      durationMs: 1,
      elapsedMs: 0,
    },
    { name: 'later', status: 'skipped', reason: 'not yet', failures: [], line: 4, durationMs: 0, elapsedMs: 0 },
  ],
}
const BROKEN: FileResult = {
  ...RESULT,
  file: 'b.test.yaml',
  flow: null,
  cases: [],
  files: null,
  problems: [{ line: 2, column: 1, message: 'This is not YAML.' }],
}

/** Validated by hand with xmllint against windyroad/JUnit-Schema and Jenkins' junit-10.xsd. */
test('has every attribute and element that the common schemas ask for, in their order', () => {
  const xml = junitReport([RESULT, BROKEN], { at: new Date('2026-01-02T03:04:05.678Z'), host: 'here' })
  expect(xml).toBe(`<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
  <testsuite name="shop/flow.test.yaml" package="Shop" id="0" timestamp="2026-01-02T03:04:05" hostname="here" tests="3" failures="1" errors="0" skipped="1" time="0.013">
    <properties/>
    <testcase classname="shop/flow.test.yaml" name="good" time="0.012"/>
    <testcase classname="shop/flow.test.yaml" name="wrong &lt;&amp;&quot;&gt;?" time="0.001"><failure type="expectation" message="a: expected &quot;1&quot;">a: expected &quot;1&quot;
b</failure></testcase>
    <testcase classname="shop/flow.test.yaml" name="later" time="0.000"><skipped message="not yet"/></testcase>
    <system-out/>
    <system-err/>
  </testsuite>
  <testsuite name="b.test.yaml" package="" id="1" timestamp="2026-01-02T03:04:05" hostname="here" tests="1" failures="0" errors="1" skipped="0" time="0.000">
    <properties/>
    <testcase classname="b.test.yaml" name="the file" time="0.000"><error type="file" message="This is not YAML.">b.test.yaml:2:1 This is not YAML.</error></testcase>
    <system-out/>
    <system-err/>
  </testsuite>
</testsuites>
`)
})
