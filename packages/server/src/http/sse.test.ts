import { expect, test } from 'vitest'
import { formatEvent, openEventStream } from './sse.ts'
import type { ReplyBody } from './reply.ts'

async function readAll(body: ReplyBody): Promise<string> {
  let text = ''
  if (body.kind === 'stream') for await (const chunk of body.chunks) text += chunk
  return text
}

test('an event has its name, id and data on lines of their own', () => {
  expect(formatEvent({ event: 'step', id: '7', data: 'a\nb' })).toBe('event: step\nid: 7\ndata: "a\\nb"\n\n')
})

test('what was sent before the end arrives, then the stream closes once', async () => {
  let closed = 0
  const stream = openEventStream(() => (closed += 1))
  stream.send({ event: 'a', data: 1 })
  stream.end()
  stream.send({ event: 'late', data: 2 })
  const text = await readAll(stream.reply.body)
  expect(text).toContain('event: a\ndata: 1\n\n')
  expect(text).not.toContain('late')
  expect(closed).toBe(1)
})

test('a reader that goes away closes the source', async () => {
  let closed = 0
  const stream = openEventStream(() => (closed += 1))
  if (stream.reply.body.kind !== 'stream') throw new Error('not a stream')
  const iterator = stream.reply.body.chunks[Symbol.asyncIterator]()
  await iterator.next()
  const pending = iterator.next()
  await iterator.return?.()
  expect(await pending).toEqual({ done: true, value: undefined })
  expect(closed).toBe(1)
})

test('a client that does not keep up is disconnected instead of filling the memory', async () => {
  const stream = openEventStream(() => {})
  for (let index = 0; index < 20_000; index += 1) stream.send({ event: 'n', data: index })
  const text = await readAll(stream.reply.body)
  expect(text).toContain('data: 0\n')
  expect(text).not.toContain('data: 19999\n')
})

test('a slow client costs bounded memory, however large the events are', async () => {
  let closed = 0
  const stream = openEventStream(() => closed++)
  const large = 'x'.repeat(3 * 1024 * 1024)
  for (let count = 0; count < 10; count++) stream.send({ event: 'step', id: String(count), data: large })
  let received = ''
  if (stream.reply.body.kind === 'stream') for await (const chunk of stream.reply.body.chunks) received += chunk
  expect(received.match(/^id: .*$/gm)).toEqual(['id: 0', 'id: 1'])
  expect(closed).toBe(1)
})

test('one event may be larger than what is queued', async () => {
  const stream = openEventStream(() => undefined)
  const chunks = stream.reply.body.kind === 'stream' ? stream.reply.body.chunks[Symbol.asyncIterator]() : null
  await chunks!.next()
  stream.send({ event: 'step', data: 'x'.repeat(9 * 1024 * 1024) })
  expect((await chunks!.next()).value!.length).toBeGreaterThan(9 * 1024 * 1024)
  await chunks!.return!()
})
