import { callActions, type Calls } from '../../vendor/testing/call-actions.ts'
import { liveSettings } from '../../vendor/testing/live.ts'
import { slack } from '../slack.ts'
import { startSlack, TOKEN, type SlackServer } from './server.ts'

export interface SlackService extends Calls {
  readonly channel: string
  /** Null when the service is the real one. */
  readonly server: SlackServer | null
}

/** The local Slack, or with `PLUGWORK_LIVE=slack` the real one and a channel for tests. */
export async function openSlackService(): Promise<SlackService> {
  const live = liveSettings('slack', {
    PLUGWORK_LIVE_SLACK_TOKEN:
      'a bot token with chat:write, channels:read, channels:history, reactions:write, files:write, users:read',
    PLUGWORK_LIVE_SLACK_CHANNEL: 'id of a channel that the bot is in',
  })
  if (live !== null) {
    const calls = await callActions(slack, { token: live.PLUGWORK_LIVE_SLACK_TOKEN })
    return { ...calls, channel: live.PLUGWORK_LIVE_SLACK_CHANNEL, server: null }
  }
  const server = await startSlack()
  const calls = await callActions(slack, { base_url: server.baseUrl, token: TOKEN })
  return {
    ...calls,
    channel: 'C1',
    server,
    async close() {
      await calls.close()
      await server.close()
    },
  }
}
