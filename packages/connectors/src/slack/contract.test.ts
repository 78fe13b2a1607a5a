import { describeConnectorContract } from '@plugwork/core/testing'
import { describe, expect, test } from 'vitest'
import { environmentOf } from '../vendor/testing/contract-environment.ts'
import { exampleAt, runFlow } from '../vendor/testing/run-flow.ts'
import { slack } from './slack.ts'
import { startSlack, TOKEN } from './testing/server.ts'

// Of the first message that the local server is given.
const first = { channel: 'C1', ts: '1503435957.000247' }
const reaction = { channel: 'C1', timestamp: first.ts, name: 'wave' }
const view = { type: 'modal', title: { type: 'plain_text', text: 'T' }, blocks: [] }

describeConnectorContract(slack, { describe, test }, async () => {
  const server = await startSlack()
  const say = { action: 'messages.post', input: { channel: 'C1', text: 'first' } }
  return environmentOf(server, { base_url: server.baseUrl, token: TOKEN, timeout: '5s' }, [
    { ...say, before: [say] },
    { action: 'messages.update', input: { ...first, text: 'other' } },
    { action: 'messages.list', input: { channel: 'C1' } },
    { action: 'messages.schedule', input: { channel: 'C1', text: 'x', post_at: 4_000_000_000 } },
    { action: 'reactions.add', input: reaction },
    { action: 'reactions.remove', input: reaction },
    { action: 'messages.delete', input: first },
    { action: 'channels.list', input: {} },
    { action: 'channels.info', input: { channel: 'C1' } },
    { action: 'channels.create', input: { name: 'fresh' } },
    { action: 'channels.join', input: { channel: 'C2' } },
    { action: 'users.list', input: {} },
    { action: 'users.info', input: { user: 'U1' } },
    { action: 'users.lookup_by_email', input: { email: 'glenda@south.oz.example.com' } },
    { action: 'files.upload', input: { filename: 'a.txt', content: 'a' } },
    { action: 'views.open', input: { trigger_id: 'trigger', view } },
    { action: 'views.publish', input: { user_id: 'U1', view } },
    {
      action: 'views.update',
      // The view that was opened: the fourth thing with an id, after a scheduled message, a channel and a file.
      input: { view_id: 'V4ABC456', view },
    },
  ])
})

test('the example flow runs as it is', async () => {
  const server = await startSlack()
  const source = exampleAt(slack, server.baseUrl)
  const { status, outputs, error } = await runFlow({
    connector: slack,
    source,
    inputs: { channel: 'C1' },
    secrets: { SLACK_BOT_TOKEN: TOKEN },
  })
  expect({ status, outputs, error }).toEqual({ status: 'succeeded', outputs: { ts: first.ts }, error: null })
  expect(server.seen.map(({ path }) => path)).toEqual([
    '/api/chat.postMessage',
    '/api/chat.postMessage',
    '/api/reactions.add',
  ])
  await server.close()
})
