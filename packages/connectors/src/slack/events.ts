/** Events that Slack sends: docs.slack.dev/apis/events-api, interactions and slash commands. */
import type { Json, JsonObject } from '@plugwork/core'
import type { ServiceEvent, ServiceRequest, Trigger, WebhookSource } from '@plugwork/core/node'
import { z } from 'zod'

const text = z.string()

/** docs.slack.dev/apis/events-api/#event-type-structure. The verification token is taken out before anybody sees it. */
const envelope = <Event extends z.ZodType>(event: Event) =>
  z.looseObject({
    type: z.literal('event_callback'),
    team_id: text,
    api_app_id: text,
    event,
    event_id: text,
    event_time: z.int(),
  })

const wrap = (event: JsonObject): JsonObject => ({
  type: 'event_callback',
  team_id: 'T123ABC456',
  api_app_id: 'A123ABC456',
  event,
  authorizations: [{ team_id: 'T123ABC456', user_id: 'U123ABC456', is_bot: false, is_enterprise_install: false }],
  event_id: 'Ev123ABC456',
  event_time: 1_234_567_890,
})

function ofEvent<Shape extends z.ZodRawShape>(
  description: string,
  type: string,
  shape: Shape,
  sample: JsonObject,
): Trigger {
  return {
    description,
    payload: envelope(z.looseObject({ type: z.literal(type), ...shape })),
    sample: wrap({ type, ...sample }),
  }
}

const reaction = {
  user: text,
  reaction: text,
  item_user: text.optional(),
  item: z.looseObject({ type: text, channel: text.optional(), ts: text.optional() }),
  event_ts: text,
}
// docs.slack.dev/reference/events/reaction_added
const REACTION = {
  user: 'U123ABC456',
  reaction: 'thumbsup',
  item_user: 'U222222222',
  item: { type: 'message', channel: 'C123ABC456', ts: '1360782400.498405' },
  event_ts: '1360782804.083113',
}

const person = z.looseObject({ id: text, username: text.optional(), name: text.optional() })

export const triggers = {
  // docs.slack.dev/reference/events/message
  message: ofEvent(
    'A message was posted, changed or deleted where the app is; `event.subtype` says which, and is missing for a plain message.',
    'message',
    {
      subtype: text.optional(),
      channel: text,
      user: text.optional(),
      text: text.optional(),
      ts: text,
      thread_ts: text.optional(),
      channel_type: text.optional(),
    },
    {
      channel: 'C123ABC456',
      user: 'U123ABC456',
      text: 'Live long and prospect.',
      ts: '1355517523.000005',
      event_ts: '1355517523.000005',
      channel_type: 'channel',
    },
  ),
  // docs.slack.dev/reference/events/app_mention
  app_mention: ofEvent(
    'Somebody mentioned the app.',
    'app_mention',
    { user: text.optional(), text, ts: text, channel: text, thread_ts: text.optional(), event_ts: text },
    {
      user: 'U061F7AUR',
      text: '<@U0LAN0Z89> is it everything a river should be?',
      ts: '1515449522.000016',
      channel: 'C123ABC456',
      event_ts: '1515449522000016',
    },
  ),
  reaction_added: ofEvent('Somebody reacted.', 'reaction_added', reaction, REACTION),
  reaction_removed: ofEvent('Somebody took a reaction back.', 'reaction_removed', reaction, REACTION),
  // docs.slack.dev/reference/events/member_joined_channel
  member_joined_channel: ofEvent(
    'Somebody joined a channel.',
    'member_joined_channel',
    { user: text, channel: text, channel_type: text.optional(), team: text.optional(), inviter: text.optional() },
    { user: 'W123ABC456', channel: 'C123ABC456', channel_type: 'C', team: 'T123ABC456', inviter: 'U123456789' },
  ),
  // docs.slack.dev/reference/events/channel_created
  channel_created: ofEvent(
    'A channel was created.',
    'channel_created',
    { channel: z.looseObject({ id: text, name: text, created: z.int(), creator: text }) },
    { channel: { id: 'C123ABC456', name: 'fun', created: 1_360_782_804, creator: 'U123ABC456' } },
  ),
  // docs.slack.dev/reference/events/app_home_opened
  app_home_opened: ofEvent(
    "Somebody opened the app's home.",
    'app_home_opened',
    { user: text, channel: text, tab: text, event_ts: text },
    { user: 'U123ABC456', channel: 'D123ABC456', event_ts: '1515449522000016', tab: 'home' },
  ),
  // docs.slack.dev/reference/interaction-payloads/block_actions-payload
  'interaction.block_actions': {
    description: 'Somebody used a button, menu or field of a message or view.',
    payload: z.looseObject({
      type: z.literal('block_actions'),
      team: z.looseObject({ id: text }).nullable(),
      user: person,
      trigger_id: text,
      response_url: text.optional(),
      actions: z.array(z.looseObject({ action_id: text, block_id: text.optional(), type: text })),
    }),
    sample: {
      type: 'block_actions',
      team: { id: 'T9TK3CUKW', domain: 'example' },
      user: { id: 'UA8RXUSPL', username: 'jtorrance', team_id: 'T9TK3CUKW' },
      api_app_id: 'AABA1ABCD',
      trigger_id: '12321423423.333649436676.d8c1bb837935619ccad0f624c448ffb3',
      actions: [
        { action_id: 'WaXA', block_id: '=qXel', value: 'click_me_123', type: 'button', action_ts: '1548426417.840180' },
      ],
    },
  },
  // docs.slack.dev/reference/interaction-payloads/view-interactions-payload
  'interaction.view_submission': {
    description: 'Somebody submitted a modal.',
    payload: z.looseObject({
      type: z.literal('view_submission'),
      team: z.looseObject({ id: text }).nullable(),
      user: person,
      view: z.looseObject({
        id: text,
        callback_id: text.optional(),
        state: z.looseObject({ values: z.record(z.string(), z.unknown()) }).optional(),
      }),
    }),
    sample: {
      type: 'view_submission',
      team: { id: 'T123ABC456' },
      user: { id: 'U123ABC456' },
      view: {
        id: 'VNHU13V36',
        type: 'modal',
        callback_id: 'modal-with-inputs',
        state: {
          values: {
            'multi-line': { 'ml-value': { type: 'plain_text_input', value: 'This is my example inputted value' } },
          },
        },
      },
    },
  },
  // docs.slack.dev/interactivity/implementing-slash-commands#app_command_handling
  slash_command: {
    description: 'Somebody used a slash command of the app.',
    payload: z.looseObject({
      command: text,
      text: text.optional(),
      team_id: text,
      channel_id: text,
      user_id: text,
      trigger_id: text,
      response_url: text,
    }),
    sample: {
      team_id: 'T0001',
      team_domain: 'example',
      channel_id: 'C2147483705',
      channel_name: 'test',
      user_id: 'U2147483697',
      user_name: 'Steve',
      command: '/weather',
      text: '94070',
      response_url: 'https://hooks.slack.com/commands/1234/5678',
      trigger_id: '13345224609.738474920.8088930838d88f008e0',
    },
  },
} satisfies Record<string, Trigger>

export const webhooks: WebhookSource = {
  scheme: 'slack',
  accountKeys: ['team_id', 'enterprise_id'],
  help: 'In the settings of the app (api.slack.com/apps): Event Subscriptions, Interactivity & Shortcuts, and Slash Commands each take the address of this connection; the secret is the Signing Secret under Basic Information. Events are stored under the name of their type (`message`, `reaction_added`), interactions as `interaction.<type>`, commands as `slash_command`.',
  events(request: ServiceRequest): readonly ServiceEvent[] {
    const { json } = request
    if (!isObject(json)) return []
    // Interactions are a form with one field of JSON: docs.slack.dev/interactivity/handling-user-interaction#payloads
    if (typeof json['payload'] === 'string') return interaction(json['payload'])
    if (typeof json['command'] === 'string') return [eventOf('slash_command', json, null, json['team_id'])]
    const { event, event_id: id, team_id: team } = json
    if (json['type'] !== 'event_callback' || !isObject(event) || typeof event['type'] !== 'string') return []
    return [eventOf(event['type'], json, typeof id === 'string' ? id : null, team)]
  },
}

function interaction(text: string): readonly ServiceEvent[] {
  try {
    const payload = JSON.parse(text) as Json
    if (!isObject(payload) || typeof payload['type'] !== 'string') return []
    const team = isObject(payload['team']) ? payload['team']['id'] : undefined
    return [eventOf(`interaction.${payload['type']}`, payload, null, team)]
  } catch {
    return []
  }
}

function eventOf(name: string, body: JsonObject, deliveryId: string | null, team: Json | undefined): ServiceEvent {
  // A secret of the app, which the signature replaced.
  const { token: _, ...payload } = body
  return { name, deliveryId, ...(typeof team === 'string' ? { account: team } : {}), payload }
}

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
