/** The expression language against jexl, jsonata and plain JavaScript; all its budgets are on. */
import { compile, parseExpression, type Scope } from '@plugwork/core'
import jexl from 'jexl'
import jsonata from 'jsonata'
import { median, type Row } from './harness.ts'

const SOURCE = `items.filter(i => i.price > 10).map(i => i.name).join(', ')`
const data = {
  items: [
    { name: 'lamp', price: 25 },
    { name: 'cable', price: 4 },
    { name: 'desk', price: 180 },
  ],
}
const EXPECTED = 'lamp, desk'

/** Evaluations per second over about `milliseconds`. */
function rate(evaluate: () => unknown, milliseconds: number): number {
  let count = 0
  const began = performance.now()
  let now = began
  while (now - began < milliseconds) {
    for (let i = 0; i < 500; i++) evaluate()
    count += 500
    now = performance.now()
  }
  return (count / (now - began)) * 1000
}

async function rateAsync(evaluate: () => Promise<unknown>, milliseconds: number): Promise<number> {
  let count = 0
  const began = performance.now()
  while (performance.now() - began < milliseconds) {
    for (let i = 0; i < 200; i++) await evaluate()
    count += 200
  }
  return (count / (performance.now() - began)) * 1000
}

export async function benchExpression(): Promise<Row[]> {
  const evaluator = compile(parseExpression(SOURCE))
  const scope: Scope = { get: (name) => (name === 'items' ? data.items : undefined), now: 0, seed: 'bench' }
  const plain = (): string =>
    data.items
      .filter((i) => i.price > 10)
      .map((i) => i.name)
      .join(', ')
  jexl.addTransform('join', (list: string[], separator: string) => list.join(separator))
  jexl.addTransform('names', (list: { name: string }[]) => list.map((item) => item.name))
  const jexlExpression = jexl.compile(`items[.price > 10]|names|join(', ')`)
  const jsonataExpression = jsonata(`$join(items[price > 10].name, ', ')`)
  const answers = [evaluator(scope), plain(), jexlExpression.evalSync(data), await jsonataExpression.evaluate(data)]
  if (answers.some((answer) => answer !== EXPECTED)) throw new Error(`the engines disagree: ${answers.join(' | ')}`)

  const ours: number[] = []
  const js: number[] = []
  const jexlRates: number[] = []
  const jsonataRates: number[] = []
  for (let round = 0; round < 4; round++) {
    ours.push(rate(() => evaluator(scope), 700))
    js.push(rate(plain, 300))
    jexlRates.push(rate(() => jexlExpression.evalSync(data), 500))
    jsonataRates.push(await rateAsync(() => jsonataExpression.evaluate(data), 500))
  }
  const per = (values: number[]): number => median(values.slice(1))
  const name = 'expression filter/map/join over three items'
  const value = `${Math.round(per(ours) / 1000).toLocaleString('en')} k/s`
  const against = (label: string, rates: number[], target: number): Row => {
    const ratio = per(ours) / per(rates)
    const baseline = `${label} ${Math.round(per(rates) / 1000).toLocaleString('en')} k/s`
    return { name, value, baseline, ratio, target: `>= ${target}x`, ok: ratio >= target }
  }
  return [
    { name, value, target: '>= 800 k/s', ok: per(ours) >= 800_000 },
    against('jexl', jexlRates, 3),
    against('jsonata', jsonataRates, 8),
    { ...against('plain JavaScript', js, 0), target: 'for scale' },
  ]
}
