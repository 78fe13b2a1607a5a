/** Events that GitHub sends: docs.github.com/en/webhooks/webhook-events-and-payloads */
import type { Json, JsonObject } from '@plugwork/core'
import type { ServiceEvent, ServiceRequest, Trigger, WebhookSource } from '@plugwork/core/node'
import { z } from 'zod'
import { samples } from './samples.ts'

const text = z.string()
const count = z.int()
const account = z.looseObject({ login: text, id: count })
const time = z.union([text, count])

const common = {
  repository: z.looseObject({
    id: count,
    name: text,
    full_name: text.describe('`owner/name`.'),
    private: z.boolean(),
    html_url: text,
    owner: account.nullable(),
  }),
  sender: account.describe('Who caused the event.'),
}

const label = z.looseObject({ id: count, name: text, color: text })

const issue = z.looseObject({
  id: count,
  number: count,
  title: text,
  body: text.nullable(),
  state: text.optional(),
  html_url: text,
  user: account.nullable(),
  labels: z.array(label).optional(),
  created_at: time,
  updated_at: time,
})

const branch = z.looseObject({ ref: text, sha: text })

const pull = z.looseObject({
  id: count,
  number: count,
  title: text,
  body: text.nullable(),
  state: text,
  html_url: text,
  user: account.nullable(),
  head: branch,
  base: branch,
  merged_at: text.nullable(),
})

const trigger = <Payload extends z.ZodType>(
  description: string,
  payload: Payload,
  sample?: Json,
): Trigger<Payload> => ({
  description,
  payload,
  ...(sample === undefined ? {} : { sample }),
})

const ofIssue = (action: string) => z.looseObject({ action: z.literal(action), issue, ...common })
const ofPull = (action: string) =>
  z.looseObject({ action: z.literal(action), number: count.optional(), pull_request: pull, ...common })

export const triggers = {
  ping: trigger(
    'The webhook was set up.',
    z.looseObject({ zen: text, hook_id: count, repository: common.repository.optional() }),
    samples.ping,
  ),
  push: trigger(
    'Commits were pushed to a branch or tag.',
    z.looseObject({
      ref: text.describe('`refs/heads/main`.'),
      before: text,
      after: text,
      created: z.boolean(),
      deleted: z.boolean(),
      forced: z.boolean(),
      commits: z.array(z.looseObject({ id: text, message: text, timestamp: text, url: text })),
      pusher: z.looseObject({ name: text }),
      ...common,
    }),
    samples.push,
  ),
  'issues.opened': trigger('An issue was opened.', ofIssue('opened'), samples['issues.opened']),
  'issues.closed': trigger('An issue was closed.', ofIssue('closed')),
  'issues.labeled': trigger(
    'A label was added to an issue.',
    ofIssue('labeled').extend({ label: label.optional() }),
    samples['issues.labeled'],
  ),
  'issue_comment.created': trigger(
    'Somebody commented on an issue or pull request.',
    ofIssue('created').extend({
      comment: z.looseObject({
        id: count,
        body: text,
        html_url: text,
        user: account.nullable(),
        created_at: text,
      }),
    }),
    samples['issue_comment.created'],
  ),
  'pull_request.opened': trigger('A pull request was opened.', ofPull('opened'), samples['pull_request.opened']),
  'pull_request.closed': trigger(
    'A pull request was closed; `pull_request.merged` says whether it was merged.',
    ofPull('closed'),
    samples['pull_request.closed'],
  ),
  'pull_request_review.submitted': trigger(
    'A review of a pull request was submitted.',
    ofPull('submitted').extend({
      review: z.looseObject({
        id: count,
        body: text.nullable(),
        state: text.describe('`approved`, `changes_requested` or `commented`.'),
        html_url: text,
        user: account.nullable(),
        submitted_at: text.nullable(),
      }),
    }),
    samples['pull_request_review.submitted'],
  ),
  'release.published': trigger(
    'A release was published.',
    z.looseObject({
      action: z.literal('published'),
      release: z.looseObject({
        id: count,
        tag_name: text,
        name: text.nullable(),
        body: text.nullable(),
        draft: z.boolean(),
        prerelease: z.boolean(),
        html_url: text,
        published_at: text.nullable(),
      }),
      ...common,
    }),
    samples['release.published'],
  ),
  'star.created': trigger(
    'Somebody starred the repository.',
    z.looseObject({ action: z.literal('created'), starred_at: text.nullable(), ...common }),
    samples['star.created'],
  ),
  'workflow_run.completed': trigger(
    'A run of GitHub Actions ended.',
    z.looseObject({
      action: z.literal('completed'),
      workflow_run: z.looseObject({
        id: count,
        name: text.nullable(),
        head_branch: text.nullable(),
        head_sha: text,
        event: text,
        status: text,
        conclusion: text.nullable(),
        html_url: text,
      }),
      ...common,
    }),
    samples['workflow_run.completed'],
  ),
} satisfies Record<string, Trigger>

/** Headers and content types: docs.github.com/en/webhooks/webhook-events-and-payloads#delivery-headers */
export const webhooks: WebhookSource = {
  scheme: 'github',
  accountKeys: ['installation_id'],
  help: 'In the repository or organisation: Settings → Webhooks → Add webhook. Payload URL: the address of this connection; content type `application/json`; secret: the one that is stored with the connection. Or use the action `webhooks.create`. Every event has a name `event.action` (`issues.opened`), those without an action the name alone (`push`).',
  events(request: ServiceRequest): readonly ServiceEvent[] {
    const event = request.headers['x-github-event']
    const payload = payloadOf(request.json)
    if (event === undefined || payload === null) return []
    const { action, installation } = payload
    return [
      {
        name: typeof action === 'string' ? `${event}.${action}` : event,
        deliveryId: request.headers['x-github-delivery'] ?? null,
        ...accountOf(installation),
        payload,
      },
    ]
  },
}

/** With content type `application/x-www-form-urlencoded` the JSON is the field `payload`. */
function payloadOf(json: Json): JsonObject | null {
  if (!isObject(json)) return null
  const { payload } = json
  if (typeof payload !== 'string' || Object.keys(json).length !== 1) return json
  try {
    const inner = JSON.parse(payload) as Json
    return isObject(inner) ? inner : null
  } catch {
    return null
  }
}

/** Only GitHub Apps say for which installation an event is. */
function accountOf(installation: Json | undefined): { readonly account?: string } {
  const id = isObject(installation) ? installation['id'] : undefined
  return typeof id === 'number' ? { account: String(id) } : {}
}

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
