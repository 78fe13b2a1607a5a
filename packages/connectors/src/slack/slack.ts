/** The slack connector: messages, channels, users, files, reactions and views over the Web API, events of the Events API. */
import { defineConnector, path, type ApiClient } from '@plugwork/core/node'
import { z } from 'zod'
import { auth } from './auth.ts'
import { config, openSlack } from './client.ts'
import { triggers, webhooks } from './events.ts'
import { messageActions } from './messages.ts'
import { done } from './schemas.ts'
import { workspaceActions } from './workspace.ts'

const NOTES = `
Slack's own error codes become \`slack_<error>\` (\`slack_channel_not_found\`, \`slack_missing_scope\`, \`slack_name_taken\`), except those
that mean the same everywhere: \`slack_unauthorized\`, \`slack_rate_limited\`, \`slack_unavailable\`. \`data.code\` is always Slack's
code. Each method has a limit of its own (posting: about one message a second and channel); \`slack_rate_limited\` says in
\`retryAfterMs\` when to come back, and a \`retry\` waits for it.

Slack documents no idempotency key for messages: posting is not repeated after an attempt of which nobody knows how it ended,
unless a step says so. Adding a reaction that is there, or removing one that is not, is no error.

A connection in a flow's \`connections:\` has a \`token\`; installing the app with OAuth needs a stored connection.`

/** Slack: `slack.messages.post`, `slack.channels.list`, `slack.files.upload`, … */
export const slack = defineConnector({
  name: 'slack',
  title: 'Slack',
  description:
    'Messages, channels, users, files, reactions and views of Slack; events, interactions and slash commands.',
  version: '1.0.0',
  prefixes: ['slack'],
  config,
  notes: NOTES,
  auth,
  triggers,
  webhooks,
  connect: (settings, context): Promise<ApiClient> => Promise.resolve(openSlack(settings, context)),
  async test(client, { signal }) {
    // docs.slack.dev/reference/methods/auth.test
    const answer = done.extend({ team: z.string(), user: z.string() })
    const { data } = await client.read(answer, { method: 'POST', path: path`/auth.test`, signal })
    return { message: `Slack knows the token as ${data.user} in ${data.team}.` }
  },
  actions: { ...messageActions, ...workspaceActions },
  scaffold: ({ name }) => `  ${name}:
    type: slack
    token: "\${secrets.SLACK_BOT_TOKEN}"
`,
  example: ({ name }) => ({
    fileName: 'slack_example.flow.yaml',
    source: `flow: SlackExample
description: Posts a message, answers in its thread and reacts to it.
connections:
  ${name}:
    type: slack
    token: "\${secrets.SLACK_BOT_TOKEN}"
inputs:
  - { name: channel, type: string, required: true }
  - { name: text, type: string, default: Hello from Plugwork }
steps:
  - slack.messages.post:
      id: posted
      connection: ${name}
      channel: \${inputs.channel}
      text: \${inputs.text}
      outputs: [channel, ts]
  - slack.messages.post:
      connection: ${name}
      channel: \${posted.channel}
      thread_ts: \${posted.ts}
      text: More in this thread.
  - slack.reactions.add:
      connection: ${name}
      channel: \${posted.channel}
      timestamp: \${posted.ts}
      name: wave
      retry: { max_attempts: 3, delay: 1s }
outputs:
  - { name: ts, value: "\${posted.ts}" }
`,
  }),
})
