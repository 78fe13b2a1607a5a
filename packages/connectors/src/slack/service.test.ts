/** What holds for the local server and for slack.com: `npm run test:live -- slack`. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openSlackService, type SlackService } from './testing/open-service.ts'

let service: SlackService
beforeEach(async () => {
  service = await openSlackService()
})
afterEach(() => service.close())

test('the connection test names the team', async () => {
  expect(await service.test()).toMatch(/^Slack knows the token as \S+ in .+\.$/)
})

test('a message is posted, answered, changed, reacted to, listed and deleted', async () => {
  const { call, channel } = service
  const { ts } = await call('messages.post', { channel, text: 'first & <last>' })
  await call('messages.post', { channel, text: 'reply', thread_ts: ts })
  expect(await call('messages.update', { channel, ts, text: 'changed' })).toMatchObject({ channel, ts })
  expect(await call('reactions.add', { channel, timestamp: ts, name: 'wave' })).toEqual({ added: true })
  expect(await call('reactions.add', { channel, timestamp: ts, name: 'wave' })).toEqual({ added: false })
  const { items } = await call('messages.list', { channel, limit: 5 })
  expect(items).toContainEqual(
    expect.objectContaining({ ts, text: 'changed', reactions: [expect.objectContaining({ name: 'wave', count: 1 })] }),
  )
  const thread = await service.all('messages.list', { channel, thread_ts: ts, limit: 1 })
  expect(thread.items).toMatchObject([{ text: 'changed' }, { text: 'reply' }])
  expect(await call('reactions.remove', { channel, timestamp: ts, name: 'wave' })).toEqual({ removed: true })
  expect(await call('reactions.remove', { channel, timestamp: ts, name: 'wave' })).toEqual({ removed: false })
  expect(await call('messages.delete', { channel, ts })).toEqual({ channel, ts })
  await expect(call('messages.delete', { channel, ts })).rejects.toMatchObject({ code: 'slack_message_not_found' })
})

test('channels and users are listed page by page', async () => {
  const channels = await service.all('channels.list', { limit: 1 })
  expect(channels.items).toContainEqual(expect.objectContaining({ id: service.channel }))
  expect(await service.call('channels.info', { channel: service.channel })).toMatchObject({ id: service.channel })
  const { items } = await service.call('users.list', { limit: 2 })
  const [{ id }] = items as [{ id: string }]
  expect(await service.call('users.info', { user: id })).toMatchObject({ id })
})

test('a file is uploaded and shared', async () => {
  const uploaded = await service.call('files.upload', {
    filename: 'notes.txt',
    content: 'Hello, wörld',
    channel: service.channel,
    initial_comment: 'Here',
  })
  expect(uploaded['id']).toMatch(/^F/)
})

test('what is not there has the code that Slack gives it', async () => {
  await expect(service.call('messages.post', { channel: 'C000NOTHERE', text: 'x' })).rejects.toMatchObject({
    code: 'slack_channel_not_found',
    retryable: false,
    data: { status: 200, code: 'channel_not_found' },
  })
})
