import type { AuthMethod, OAuth2Auth } from '@plugwork/core/node'

/** docs.slack.dev/authentication/installing-with-oauth */
const OAUTH = {
  kind: 'oauth2',
  grant: 'authorization_code',
  authorizationUrl: 'https://slack.com/oauth/v2/authorize',
  tokenUrl: 'https://slack.com/api/oauth.v2.access',
  scopeSeparator: ',',
  // A confidential client: Slack asks for its secret instead.
  pkce: false,
  tokenTypes: ['bot', 'user'],
  // docs.slack.dev/reference/methods/oauth.v2.access#errors
  errorCodes: {
    invalid_code: 'invalid_grant',
    code_already_used: 'invalid_grant',
    invalid_refresh_token: 'invalid_grant',
    token_revoked: 'invalid_grant',
    token_expired: 'invalid_grant',
    invalid_client_id: 'invalid_client',
    bad_client_secret: 'invalid_client',
    bad_redirect_uri: 'invalid_request',
  },
  metadata: {
    team_id: 'team.id',
    team_name: 'team.name',
    enterprise_id: 'enterprise.id',
    app_id: 'app_id',
    bot_user_id: 'bot_user_id',
    user_id: 'authed_user.id',
  },
} as const satisfies Partial<OAuth2Auth>

/** Ways to authenticate with Slack. */
export const auth = {
  token: {
    kind: 'bearer',
    title: 'Bot token',
    help: 'Create an app at api.slack.com/apps, give the bot the scopes of what is called (`chat:write`, `channels:read`, `users:read`, `reactions:write`, `files:write`), install it, and copy the token that begins with `xoxb-`.',
    fields: ['token'],
  },
  oauth: {
    ...OAUTH,
    title: 'Add to Slack',
    help: 'Register an app at api.slack.com/apps; its redirect URL is the one of this installation. The connection acts as the bot; the token of the user who installed it is kept beside it where user scopes are asked for.',
    defaultScopes: ['chat:write', 'channels:read', 'channels:history', 'users:read', 'reactions:write', 'files:write'],
    otherTokens: { user: 'authed_user' },
  },
  oauth_user: {
    ...OAUTH,
    title: 'Sign in with Slack as a user',
    help: 'The same, but the connection acts as the person who signs in.',
    scopeParameter: 'user_scope',
    tokenPath: 'authed_user',
    defaultScopes: ['chat:write', 'channels:read', 'users:read'],
  },
} as const satisfies Record<string, AuthMethod>
