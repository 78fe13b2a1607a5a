/**
 * How services authenticate, as data: for connectors, and as examples of every key of `OAuth2Auth`. Each is written after the
 * vendor's documentation named above it; `provider-quirks.test.ts` has a row of each.
 */
import type { JwtAuth, OAuth2Auth } from '@plugwork/core/node'

/** https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps */
const githubApp = {
  kind: 'oauth2',
  authorizationUrl: 'https://github.com/login/oauth/authorize',
  tokenUrl: 'https://github.com/login/oauth/access_token',
  deviceAuthorizationUrl: 'https://github.com/login/device/code',
  // Errors come with status 200.
  errorCodes: {
    bad_verification_code: 'invalid_grant',
    bad_refresh_token: 'invalid_grant',
    incorrect_client_credentials: 'invalid_client',
    unverified_user_email: 'access_denied',
  },
} as const

export const github: OAuth2Auth = {
  ...githubApp,
  title: 'GitHub',
  help: 'Register an OAuth app under Settings, Developer settings. Its tokens do not expire and have no refresh token.',
  grant: 'authorization_code',
}

/** https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/refreshing-user-access-tokens */
export const githubAppUser: OAuth2Auth = {
  ...githubApp,
  title: 'GitHub App (user)',
  help: 'Register a GitHub App; permissions are set there, scopes are not used. User tokens live 8 hours.',
  grant: 'authorization_code',
  metadata: { refresh_token_expires_in: 'refresh_token_expires_in' },
}

/** https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-an-installation-access-token-for-a-github-app */
export const githubAppInstallation: JwtAuth = {
  kind: 'jwt',
  title: 'GitHub App (installation)',
  help: 'The app id and a private key of the GitHub App, and the id of its installation (the last part of its settings page).',
  algorithm: 'RS256',
  keyField: 'private_key',
  claims: { iss: '{app_id}' },
  lifetime: 540,
  backdate: 60,
  exchange: {
    url: 'https://api.github.com/app/installations/{installation_id}/access_tokens',
    method: 'POST',
    tokenPath: 'token',
    expiresAtPath: 'expires_at',
    headers: { accept: 'application/vnd.github+json', 'x-github-api-version': '2022-11-28' },
    metadata: { permissions: 'permissions', repository_selection: 'repository_selection' },
  },
}

/** https://docs.slack.dev/authentication/installing-with-oauth and https://docs.slack.dev/reference/methods/oauth.v2.access */
const slackApp = {
  kind: 'oauth2',
  grant: 'authorization_code',
  authorizationUrl: 'https://slack.com/oauth/v2/authorize',
  tokenUrl: 'https://slack.com/api/oauth.v2.access',
  scopeSeparator: ',',
  pkce: false,
  tokenTypes: ['bot', 'user'],
  errorCodes: {
    invalid_code: 'invalid_grant',
    code_already_used: 'invalid_grant',
    invalid_refresh_token: 'invalid_grant',
    token_revoked: 'invalid_grant',
    token_expired: 'invalid_grant',
    bad_client_secret: 'invalid_client',
    invalid_client_id: 'invalid_client',
  },
} as const

export const slack: OAuth2Auth = {
  ...slackApp,
  title: 'Slack',
  help: 'Create a Slack app; its bot scopes are asked for, user scopes too when the connection names some.',
  connectionParameters: {
    user_scopes: { title: 'User scopes', pattern: '[a-z:._,-]*', default: '', example: 'users:read,chat:write' },
  },
  authorizationParameters: { user_scope: '{user_scopes}' },
  otherTokens: { user: 'authed_user' },
  metadata: { team_id: 'team.id', team_name: 'team.name', bot_user_id: 'bot_user_id', user_id: 'authed_user.id' },
}

export const slackUser: OAuth2Auth = {
  ...slackApp,
  title: 'Slack (user)',
  help: 'Create a Slack app with user scopes only; what it does, it does as the person who installed it.',
  scopeParameter: 'user_scope',
  tokenPath: 'authed_user',
  metadata: { team_id: 'team.id', team_name: 'team.name', user_id: 'authed_user.id' },
}

/** https://developers.google.com/identity/protocols/oauth2/web-server */
export const google: OAuth2Auth = {
  kind: 'oauth2',
  title: 'Google',
  help: 'Create an OAuth client in the Google Cloud console. While the app is "in testing", refresh tokens die after 7 days.',
  grant: 'authorization_code',
  authorizationUrl: 'https://accounts.google.com/o/oauth2/v2/auth',
  tokenUrl: 'https://oauth2.googleapis.com/token',
  revocationUrl: 'https://oauth2.googleapis.com/revoke',
  deviceAuthorizationUrl: 'https://oauth2.googleapis.com/device/code',
  issuer: 'https://accounts.google.com',
  // Without both, a second consent gives no refresh token.
  authorizationParameters: { access_type: 'offline', prompt: 'consent' },
  // A refresh token that is not used for six months is dropped.
  keepAlive: '720h',
}

/** https://developers.google.com/identity/protocols/oauth2/service-account */
export const googleServiceAccount: OAuth2Auth = {
  kind: 'oauth2',
  title: 'Google (service account)',
  help: 'The fields `client_email`, `private_key` and `private_key_id` of the JSON key; `subject` acts for a user of the domain.',
  grant: 'jwt_bearer',
  tokenUrl: 'https://oauth2.googleapis.com/token',
  assertion: {
    algorithm: 'RS256',
    keyField: 'private_key',
    keyIdField: 'private_key_id',
    claims: { iss: '{client_email}', sub: '{subject}', scope: '{scopes}', aud: 'https://oauth2.googleapis.com/token' },
    lifetime: 3600,
  },
}

/** https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-auth-code-flow */
export const microsoft: OAuth2Auth = {
  kind: 'oauth2',
  title: 'Microsoft',
  help: 'Register an application in Entra ID. `tenant` is its directory; `common` takes accounts of every directory.',
  grant: 'authorization_code',
  authorizationUrl: 'https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize',
  tokenUrl: 'https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token',
  deviceAuthorizationUrl: 'https://login.microsoftonline.com/{tenant}/oauth2/v2.0/devicecode',
  connectionParameters: {
    tenant: {
      title: 'Directory',
      pattern: '[A-Za-z0-9][A-Za-z0-9.-]{0,100}',
      default: 'common',
      example: 'contoso.onmicrosoft.com',
    },
  },
  defaultScopes: ['offline_access'],
  pkce: false,
  errorCodes: { interaction_required: 'invalid_grant', consent_required: 'invalid_grant' },
}

/** https://developers.notion.com/docs/authorization */
export const notion: OAuth2Auth = {
  kind: 'oauth2',
  title: 'Notion',
  help: 'Create a public integration; which pages it sees is chosen by the user.',
  grant: 'authorization_code',
  authorizationUrl: 'https://api.notion.com/v1/oauth/authorize',
  tokenUrl: 'https://api.notion.com/v1/oauth/token',
  revocationUrl: 'https://api.notion.com/v1/oauth/revoke',
  authorizationParameters: { owner: 'user' },
  clientAuth: 'basic',
  bodyFormat: 'json',
  tokenHeaders: { 'notion-version': '2022-06-28' },
  pkce: false,
  metadata: { workspace_id: 'workspace_id', workspace_name: 'workspace_name', bot_id: 'bot_id' },
}

/** https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens/authorization-code-grant */
export const shopify: OAuth2Auth = {
  kind: 'oauth2',
  title: 'Shopify',
  help: 'Create an app in the Partner dashboard. `shop` is the part before `.myshopify.com`.',
  grant: 'authorization_code',
  authorizationUrl: 'https://{shop}.myshopify.com/admin/oauth/authorize',
  tokenUrl: 'https://{shop}.myshopify.com/admin/oauth/access_token',
  connectionParameters: {
    shop: { title: 'Shop', pattern: '[a-z0-9][a-z0-9-]{0,60}', example: 'my-shop' },
  },
  callbackMustEqual: { shop: '{shop}.myshopify.com' },
  scopeSeparator: ',',
  pkce: false,
  tokenParameters: { expiring: '1' },
  send: { in: 'header', name: 'x-shopify-access-token', template: '{token}' },
}

/** https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_web_server_flow.htm */
export const salesforce: OAuth2Auth = {
  kind: 'oauth2',
  title: 'Salesforce',
  help: 'Create a connected app. `host` is login.salesforce.com, test.salesforce.com for sandboxes, or your My Domain.',
  grant: 'authorization_code',
  authorizationUrl: 'https://{host}/services/oauth2/authorize',
  tokenUrl: 'https://{host}/services/oauth2/token',
  revocationUrl: 'https://{host}/services/oauth2/revoke',
  // There is no `expires_in`.
  introspectionUrl: 'https://{host}/services/oauth2/introspect',
  connectionParameters: {
    host: {
      title: 'Login host',
      pattern:
        '(?:login|test)\\.salesforce\\.com|[a-z0-9-]{1,80}(?:\\.(?:sandbox|develop|scratch))?\\.my\\.salesforce\\.com',
      default: 'login.salesforce.com',
      example: 'acme.my.salesforce.com',
    },
  },
  metadata: { instance_url: 'instance_url', identity_url: 'id' },
}

/** https://developer.atlassian.com/cloud/jira/platform/oauth-2-3lo-apps */
export const atlassian: OAuth2Auth = {
  kind: 'oauth2',
  title: 'Atlassian',
  help: 'Create an OAuth 2.0 (3LO) app. Ask for `offline_access`, or the connection ends after an hour.',
  grant: 'authorization_code',
  authorizationUrl: 'https://auth.atlassian.com/authorize',
  tokenUrl: 'https://auth.atlassian.com/oauth/token',
  authorizationParameters: { audience: 'api.atlassian.com', prompt: 'consent' },
  bodyFormat: 'json',
  defaultScopes: ['offline_access'],
  metadataRequest: {
    url: 'https://api.atlassian.com/oauth/token/accessible-resources',
    metadata: { cloud_id: '0.id', cloud_url: '0.url', cloud_ids: '*.id' },
  },
}

/** https://developers.hubspot.com/docs/api/working-with-oauth */
export const hubspot: OAuth2Auth = {
  kind: 'oauth2',
  title: 'HubSpot',
  help: 'Create a public app in a developer account. Access tokens live 30 minutes.',
  grant: 'authorization_code',
  authorizationUrl: 'https://app.hubspot.com/oauth/authorize',
  tokenUrl: 'https://api.hubapi.com/oauth/v1/token',
  pkce: false,
  errorCodes: { BAD_REFRESH_TOKEN: 'invalid_grant', BAD_AUTH_CODE: 'invalid_grant', BAD_CLIENT_ID: 'invalid_client' },
}

/** https://developer.box.com/guides/authentication/oauth2 */
export const box: OAuth2Auth = {
  kind: 'oauth2',
  title: 'Box',
  help: 'Create a custom app with user authentication. Refresh tokens are used once and live 60 days.',
  grant: 'authorization_code',
  authorizationUrl: 'https://account.box.com/api/oauth2/authorize',
  tokenUrl: 'https://api.box.com/oauth2/token',
  revocationUrl: 'https://api.box.com/oauth2/revoke',
  pkce: false,
  keepAlive: '720h',
}

/** https://developers.zoom.us/docs/integrations/oauth */
export const zoom: OAuth2Auth = {
  kind: 'oauth2',
  title: 'Zoom',
  help: 'Create a General app in the Zoom App Marketplace.',
  grant: 'authorization_code',
  authorizationUrl: 'https://zoom.us/oauth/authorize',
  tokenUrl: 'https://zoom.us/oauth/token',
  revocationUrl: 'https://zoom.us/oauth/revoke',
  clientAuth: 'basic',
}

/** https://developers.zoom.us/docs/internal-apps/s2s-oauth */
export const zoomServer: OAuth2Auth = {
  kind: 'oauth2',
  title: 'Zoom (server to server)',
  help: 'Create a Server-to-Server OAuth app. Its tokens live an hour and have no refresh token: another one is asked for.',
  grant: 'client_credentials',
  tokenUrl: 'https://zoom.us/oauth/token',
  clientAuth: 'basic',
  connectionParameters: { account_id: { title: 'Account id', pattern: '[\\w-]{1,64}' } },
  tokenParameters: { grant_type: 'account_credentials', account_id: '{account_id}' },
}

/** https://www.zoho.com/accounts/protocol/oauth/web-apps/authorization.html and …/multi-dc.html */
export const zoho: OAuth2Auth = {
  kind: 'oauth2',
  title: 'Zoho',
  help: 'Register a client in the API console of your data centre. A user has 20 refresh tokens at most; the oldest goes.',
  grant: 'authorization_code',
  authorizationUrl: 'https://accounts.zoho.{data_centre}/oauth/v2/auth',
  tokenUrl: 'https://accounts.zoho.{data_centre}/oauth/v2/token',
  revocationUrl: 'https://accounts.zoho.{data_centre}/oauth/v2/token/revoke',
  connectionParameters: {
    data_centre: { title: 'Data centre', pattern: 'com|eu|in|com\\.au|jp|com\\.cn|sa', default: 'com', example: 'eu' },
  },
  authorizationParameters: { access_type: 'offline', prompt: 'consent' },
  scopeSeparator: ',',
  pkce: false,
  metadata: { api_domain: 'api_domain' },
  errorCodes: { invalid_code: 'invalid_grant', invalid_client_secret: 'invalid_client' },
}

/** https://developer.intuit.com/app/developer/qbo/docs/develop/authentication-and-authorization/oauth-2.0 */
export const quickbooks: OAuth2Auth = {
  kind: 'oauth2',
  title: 'QuickBooks Online',
  help: 'Create an app at Intuit. A connection ends for good after five years; before that, refresh tokens change daily.',
  grant: 'authorization_code',
  authorizationUrl: 'https://appcenter.intuit.com/connect/oauth2',
  tokenUrl: 'https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer',
  clientAuth: 'basic',
  pkce: false,
  callbackMetadata: { realm_id: { parameter: 'realmId', pattern: '\\d{1,30}' } },
  metadata: { refresh_token_expires_in: 'x_refresh_token_expires_in' },
  keepAlive: '720h',
}

/** https://developers.facebook.com/docs/facebook-login/guides/access-tokens/get-long-lived */
export const facebook: OAuth2Auth = {
  kind: 'oauth2',
  title: 'Facebook',
  help: 'Create an app at Meta. Tokens live 60 days and are exchanged for fresh ones; there are no refresh tokens.',
  grant: 'authorization_code',
  authorizationUrl: 'https://www.facebook.com/v23.0/dialog/oauth',
  tokenUrl: 'https://graph.facebook.com/v23.0/oauth/access_token',
  tokenMethod: 'GET',
  bodyFormat: 'query',
  scopeSeparator: ',',
  pkce: false,
  refreshGrant: { grantType: 'fb_exchange_token', parameter: 'fb_exchange_token', from: 'access_token', atOnce: true },
  errorCodes: { '190': 'invalid_grant' },
}

/** https://docs.x.com/fundamentals/authentication/oauth-2-0/authorization-code */
export const x: OAuth2Auth = {
  kind: 'oauth2',
  title: 'X',
  help: 'Create a project app with OAuth 2.0. PKCE is required; ask for `offline.access` to get a refresh token.',
  grant: 'authorization_code',
  authorizationUrl: 'https://x.com/i/oauth2/authorize',
  tokenUrl: 'https://api.x.com/2/oauth2/token',
  revocationUrl: 'https://api.x.com/2/oauth2/revoke',
  clientAuth: 'basic',
  defaultScopes: ['tweet.read', 'users.read', 'offline.access'],
}

/** https://airtable.com/developers/web/api/oauth-reference */
export const airtable: OAuth2Auth = {
  kind: 'oauth2',
  title: 'Airtable',
  help: 'Register an OAuth integration. PKCE is required; refresh tokens are used once and live 60 days.',
  grant: 'authorization_code',
  authorizationUrl: 'https://airtable.com/oauth2/v1/authorize',
  tokenUrl: 'https://airtable.com/oauth2/v1/token',
  clientAuth: 'basic',
  metadata: { refresh_token_expires_in: 'refresh_expires_in' },
  keepAlive: '720h',
}

/** https://developer.xero.com/documentation/guides/oauth2/auth-flow */
export const xero: OAuth2Auth = {
  kind: 'oauth2',
  title: 'Xero',
  help: 'Create a web app at developer.xero.com. Which organisation a call is for is said by its tenant id.',
  grant: 'authorization_code',
  authorizationUrl: 'https://login.xero.com/identity/connect/authorize',
  tokenUrl: 'https://identity.xero.com/connect/token',
  revocationUrl: 'https://identity.xero.com/connect/revocation',
  clientAuth: 'basic',
  defaultScopes: ['offline_access'],
  metadataRequest: {
    url: 'https://api.xero.com/connections',
    metadata: { tenant_id: '0.tenantId', tenant_ids: '*.tenantId' },
  },
  keepAlive: '720h',
}
