/**
 * A row for each provider whose OAuth differs: its data, its documented answers from a local server, what must be sent to it, and
 * what must come out. The answers are the examples of the documentation named in `providers.ts`, with made-up tokens.
 */
import { createEgress, defineAction, defineConnector, type OAuth2Auth } from '@plugwork/core/node'
import { VirtualClock } from '@plugwork/core/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createOAuth } from './create-oauth.ts'
import * as providers from './providers.ts'
import { createMemoryAuthStateStore } from './state-store.ts'
import { at, startVendorServer, type VendorAnswer, type VendorServer } from './testing/vendor-server.ts'
import type { TokenSet } from './token-set.ts'

const NOW = Date.UTC(2026, 0, 1)
const REDIRECT = 'https://app.example.com/oauth/callback'
const CLIENT = { clientId: 'client-id', clientSecret: 'client-secret/+ä' }
const BASIC = `Basic ${btoa('client-id:client-secret%2F%2B%C3%A4')}`
const session = { tenant: 'default', user: 'u1' }

let vendor: VendorServer
const egress = createEgress({ allow: ['127.0.0.1'] })

beforeAll(async () => {
  vendor = await startVendorServer()
})
afterAll(async () => {
  await egress.close()
  await vendor.close()
})

interface Row {
  readonly auth: OAuth2Auth
  readonly settings?: Record<string, string>
  readonly scopes?: readonly string[]
  /** Parameters that the authorization URL must have beside the usual ones; null: must not be there. */
  readonly authorization: { readonly place: string; readonly [name: string]: string | null }
  readonly callback?: Record<string, string>
  readonly answers: readonly VendorAnswer[]
  /** Of the token request. */
  readonly sent: {
    readonly place: string
    readonly method?: string
    readonly headers?: Record<string, string>
    readonly parameters?: Record<string, unknown>
    readonly query?: Record<string, unknown>
  }
  readonly tokens: Partial<TokenSet>
  /** Answer to a bad refresh, and the provider's code in our error. */
  readonly badRefresh?: { readonly answer: VendorAnswer; readonly error: string }
  /** Whether the code verifier is sent. Default: true. */
  readonly pkce?: boolean
}

const inHour = NOW + 3_600_000
const FORM = 'application/x-www-form-urlencoded;charset=UTF-8'

const ROWS: Record<string, Row> = {
  'GitHub answers in JSON when asked for it, without expiry, with commas in scopes': {
    auth: providers.github,
    scopes: ['repo', 'gist'],
    authorization: { place: 'github.com/login/oauth/authorize', scope: 'repo gist' },
    answers: [{ body: { access_token: 'gho_16C7e42F292c6912E7', scope: 'repo,gist', token_type: 'bearer' } }],
    sent: {
      place: 'github.com/login/oauth/access_token',
      headers: { accept: 'application/json', 'content-type': FORM },
      parameters: { client_id: 'client-id', client_secret: CLIENT.clientSecret, grant_type: 'authorization_code' },
    },
    tokens: { accessToken: 'gho_16C7e42F292c6912E7', expiresAt: null, scopes: ['repo', 'gist'], tokenType: 'bearer' },
  },
  'GitHub answers as a form all the same': {
    auth: providers.github,
    authorization: { place: 'github.com/login/oauth/authorize', scope: null },
    answers: [
      {
        type: 'application/x-www-form-urlencoded; charset=utf-8',
        body: 'access_token=gho_16C7e42F292c6912E7&scope=repo%2Cgist&token_type=bearer',
      },
    ],
    sent: { place: 'github.com/login/oauth/access_token' },
    tokens: { accessToken: 'gho_16C7e42F292c6912E7', expiresAt: null, scopes: ['repo', 'gist'] },
  },
  'user tokens of a GitHub App expire and rotate; a bad refresh is HTTP 200': {
    auth: providers.githubAppUser,
    authorization: { place: 'github.com/login/oauth/authorize' },
    answers: [
      {
        body: {
          access_token: 'ghu_16C7e42F292c6912E7',
          expires_in: 28800,
          refresh_token: 'ghr_1B4a2e77838347a7',
          refresh_token_expires_in: 15897600,
          scope: '',
          token_type: 'bearer',
        },
      },
    ],
    sent: { place: 'github.com/login/oauth/access_token' },
    tokens: {
      accessToken: 'ghu_16C7e42F292c6912E7',
      refreshToken: 'ghr_1B4a2e77838347a7',
      expiresAt: NOW + 28_800_000,
      scopes: [],
      metadata: { refresh_token_expires_in: 15897600 },
    },
    badRefresh: {
      answer: {
        body: { error: 'bad_refresh_token', error_description: 'The refresh token passed is incorrect or expired.' },
      },
      error: 'invalid_grant',
    },
  },
  'Slack gives a bot and a user token in one answer': {
    auth: providers.slack,
    scopes: ['commands', 'incoming-webhook'],
    settings: { user_scopes: 'chat:write' },
    authorization: {
      place: 'slack.com/oauth/v2/authorize',
      scope: 'commands,incoming-webhook',
      user_scope: 'chat:write',
      code_challenge: null,
    },
    pkce: false,
    answers: [
      {
        body: {
          ok: true,
          access_token: 'xoxb-17653672481-19874698323',
          token_type: 'bot',
          scope: 'commands,incoming-webhook',
          bot_user_id: 'U0KRQLJ9H',
          app_id: 'A0KRD7HC3',
          team: { name: 'Slack Pickleball Team', id: 'T9TK3CUKW' },
          enterprise: null,
          authed_user: { id: 'U1234', scope: 'chat:write', access_token: 'xoxp-1234', token_type: 'user' },
        },
      },
    ],
    sent: { place: 'slack.com/api/oauth.v2.access' },
    tokens: {
      accessToken: 'xoxb-17653672481-19874698323',
      tokenType: 'bot',
      expiresAt: null,
      scopes: ['commands', 'incoming-webhook'],
      metadata: {
        team_id: 'T9TK3CUKW',
        team_name: 'Slack Pickleball Team',
        bot_user_id: 'U0KRQLJ9H',
        user_id: 'U1234',
      },
      otherTokens: {
        user: { accessToken: 'xoxp-1234', tokenType: 'user', expiresAt: null, scopes: ['chat:write'] },
      },
    },
    badRefresh: { answer: { body: { ok: false, error: 'invalid_refresh_token' } }, error: 'invalid_grant' },
  },
  'Slack gives only a user token, one level down': {
    auth: providers.slackUser,
    scopes: ['users:read', 'chat:write'],
    authorization: { place: 'slack.com/oauth/v2/authorize', scope: null, user_scope: 'users:read,chat:write' },
    pkce: false,
    answers: [
      {
        body: {
          ok: true,
          app_id: 'A0KRD7HC3',
          team: { id: 'T9TK3CUKW', name: 'Slack Pickleball Team' },
          authed_user: {
            id: 'U1234',
            scope: 'users:read,chat:write',
            access_token: 'xoxe.xoxp-1234',
            token_type: 'user',
            refresh_token: 'xoxe-1-abcdefg',
            expires_in: 43200,
          },
        },
      },
    ],
    sent: { place: 'slack.com/api/oauth.v2.access' },
    tokens: {
      accessToken: 'xoxe.xoxp-1234',
      refreshToken: 'xoxe-1-abcdefg',
      tokenType: 'user',
      expiresAt: NOW + 43_200_000,
      scopes: ['users:read', 'chat:write'],
    },
  },
  'Google is asked for offline access and consent': {
    auth: providers.google,
    scopes: ['https://www.googleapis.com/auth/drive.metadata.readonly'],
    authorization: {
      place: 'accounts.google.com/o/oauth2/v2/auth',
      access_type: 'offline',
      prompt: 'consent',
      scope: 'https://www.googleapis.com/auth/drive.metadata.readonly',
    },
    callback: { iss: 'https://accounts.google.com' },
    answers: [
      {
        body: {
          access_token: '1/fFAGRNJru1FTz70BzhT3Zg',
          expires_in: 3600,
          token_type: 'Bearer',
          scope: 'https://www.googleapis.com/auth/drive.metadata.readonly',
          refresh_token: '1//xEoDL4iW3cxlI7yDbSRFYNG01kVKM2C-259HOF2aQbI',
          id_token: 'not.looked.at',
        },
      },
    ],
    sent: { place: 'oauth2.googleapis.com/token' },
    tokens: {
      refreshToken: '1//xEoDL4iW3cxlI7yDbSRFYNG01kVKM2C-259HOF2aQbI',
      expiresAt: inHour,
      tokenType: 'bearer',
    },
    badRefresh: {
      answer: {
        status: 400,
        body: { error: 'invalid_grant', error_description: 'Token has been expired or revoked.' },
      },
      error: 'invalid_grant',
    },
  },
  'Microsoft has the directory in its URLs': {
    auth: providers.microsoft,
    settings: { tenant: 'contoso.onmicrosoft.com' },
    authorization: {
      place: 'login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0/authorize',
      scope: 'offline_access',
      code_challenge: null,
    },
    pkce: false,
    answers: [
      {
        body: {
          token_type: 'Bearer',
          scope: 'https://graph.microsoft.com/mail.read',
          expires_in: 3736,
          access_token: 'eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiIsIng1dCI6Ik5HVEZ2ZEstZnl0aEV1Q',
          refresh_token: 'AwABAAAAvPM1KaPlrEqdFSBzjqfTGAMxZGUTdM0t4B4',
        },
      },
    ],
    sent: { place: 'login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0/token' },
    tokens: { expiresAt: NOW + 3_736_000, scopes: ['https://graph.microsoft.com/mail.read'] },
    badRefresh: {
      answer: {
        status: 400,
        body: {
          error: 'interaction_required',
          error_description: 'AADSTS50076: Due to a configuration change made by your administrator …',
          error_codes: [50076],
        },
      },
      error: 'invalid_grant',
    },
  },
  'Notion takes Basic and a JSON body': {
    auth: providers.notion,
    authorization: { place: 'api.notion.com/v1/oauth/authorize', owner: 'user', code_challenge: null },
    pkce: false,
    answers: [
      {
        body: {
          access_token: 'e202e8c9-0990-40af-855f-ff8f872b1ec6',
          refresh_token: 'ntn-refresh-0990',
          bot_id: 'b3414d65-1224-5ty7-6ffr-cc9d8773drt6',
          duplicated_template_id: null,
          owner: { workspace: true },
          workspace_id: 'j565j4d7x3-2882-61bs-564a-jj9d9ui-c36hxfr7x',
          workspace_name: "Ada's Notion",
        },
      },
    ],
    sent: {
      place: 'api.notion.com/v1/oauth/token',
      headers: { authorization: BASIC, 'content-type': 'application/json', 'notion-version': '2022-06-28' },
      parameters: { grant_type: 'authorization_code', code: 'the-code', redirect_uri: REDIRECT },
    },
    tokens: {
      accessToken: 'e202e8c9-0990-40af-855f-ff8f872b1ec6',
      tokenType: 'bearer',
      expiresAt: null,
      metadata: {
        workspace_id: 'j565j4d7x3-2882-61bs-564a-jj9d9ui-c36hxfr7x',
        workspace_name: "Ada's Notion",
        bot_id: 'b3414d65-1224-5ty7-6ffr-cc9d8773drt6',
      },
    },
  },
  'Shopify has a host per shop, no token type, and an expiring token when asked': {
    auth: providers.shopify,
    settings: { shop: 'johns-apparel' },
    scopes: ['write_orders', 'read_customers'],
    authorization: {
      place: 'johns-apparel.myshopify.com/admin/oauth/authorize',
      scope: 'write_orders,read_customers',
    },
    callback: {
      shop: 'johns-apparel.myshopify.com',
      hmac: '700e2dadb827fcc8609e9d5ce208b2e9cdaab9df07390d2cbca10d7c3',
    },
    pkce: false,
    answers: [
      {
        body: {
          access_token: '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',
          scope: 'write_orders,read_customers',
          expires_in: 3600,
          refresh_token: 'shprt_a1b2c3d4',
          refresh_token_expires_in: 7776000,
        },
      },
    ],
    sent: { place: 'johns-apparel.myshopify.com/admin/oauth/access_token', parameters: { expiring: '1' } },
    tokens: { refreshToken: 'shprt_a1b2c3d4', tokenType: 'bearer', expiresAt: inHour },
  },
  'Salesforce tells its API host, and only introspection tells the expiry': {
    auth: providers.salesforce,
    settings: { host: 'acme--dev.sandbox.my.salesforce.com' },
    authorization: { place: 'acme--dev.sandbox.my.salesforce.com/services/oauth2/authorize' },
    answers: [
      {
        body: {
          access_token: '00DB0000000TfcR!AQQAQFhoK8vTMg_rKA',
          refresh_token: '5Aep8614iLM.Dq661ePDmPEgaAW9',
          signature: 'd/SxeYBxH0GSVko0HMgcUxuZy0PA2cDDz1u7g7JtDHw=',
          scope: 'web openid',
          instance_url: 'https://acme--dev.sandbox.my.salesforce.com',
          id: 'https://login.salesforce.com/id/00DB0000000TfcRMAS/005B0000005Bk90IAC',
          token_type: 'Bearer',
          issued_at: '1558553873237',
        },
      },
      { body: { active: true, scope: 'web openid', client_id: 'client-id', exp: (NOW + 7_200_000) / 1000 } },
    ],
    sent: { place: 'acme--dev.sandbox.my.salesforce.com/services/oauth2/token' },
    tokens: {
      expiresAt: NOW + 7_200_000,
      metadata: {
        instance_url: 'https://acme--dev.sandbox.my.salesforce.com',
        identity_url: 'https://login.salesforce.com/id/00DB0000000TfcRMAS/005B0000005Bk90IAC',
      },
    },
  },
  'Atlassian wants its audience, tells the cloud id in a second call, and refuses with 403': {
    auth: providers.atlassian,
    scopes: ['read:jira-work', 'offline_access'],
    authorization: {
      place: 'auth.atlassian.com/authorize',
      audience: 'api.atlassian.com',
      prompt: 'consent',
      scope: 'read:jira-work offline_access',
    },
    answers: [
      {
        body: {
          access_token: 'eyJraWQiOiJhdXRoLmF0bGFzc2lhbi5jb20t',
          expires_in: 3600,
          token_type: 'Bearer',
          refresh_token: 'eyJraWQiOiI1MWE2YjE2MjRlMTQ5ZDFk',
          scope: 'read:jira-work offline_access',
        },
      },
      {
        body: [
          {
            id: '1324a887-45db-1bf4-1e99-ef0ff456d421',
            name: 'Site name',
            url: 'https://your-domain.atlassian.net',
            scopes: ['read:jira-work'],
          },
          { id: '2', name: 'Another', url: 'https://another.atlassian.net', scopes: [] },
        ],
      },
    ],
    sent: { place: 'auth.atlassian.com/oauth/token', headers: { 'content-type': 'application/json' } },
    tokens: {
      refreshToken: 'eyJraWQiOiI1MWE2YjE2MjRlMTQ5ZDFk',
      metadata: {
        cloud_id: '1324a887-45db-1bf4-1e99-ef0ff456d421',
        cloud_url: 'https://your-domain.atlassian.net',
        cloud_ids: ['1324a887-45db-1bf4-1e99-ef0ff456d421', '2'],
      },
    },
    badRefresh: {
      answer: {
        status: 403,
        body: { error: 'invalid_grant', error_description: 'Unknown or invalid refresh token.' },
      },
      error: 'invalid_grant',
    },
  },
  'HubSpot tokens live half an hour, and its errors are called status': {
    auth: providers.hubspot,
    scopes: ['crm.objects.contacts.read'],
    authorization: { place: 'app.hubspot.com/oauth/authorize', code_challenge: null },
    pkce: false,
    answers: [
      {
        body: {
          token_type: 'bearer',
          refresh_token: '6f8e2b7a-1c52-4b1d-9d6c-91f1b6a5b9a7',
          access_token: 'CJSP5qf1KhICAQEYs-gDIIGOBii1hQIyGQAf3xBKmlwHjX7OIpuIFEavB2',
          expires_in: 1800,
        },
      },
    ],
    sent: { place: 'api.hubapi.com/oauth/v1/token', headers: { 'content-type': FORM } },
    tokens: { expiresAt: NOW + 1_800_000, scopes: ['crm.objects.contacts.read'] },
    badRefresh: {
      answer: {
        status: 400,
        body: {
          status: 'BAD_REFRESH_TOKEN',
          message: 'missing or invalid refresh token',
          correlationId: 'b7a3d6b2-7d9d-4d5f-8c8e-7f2f7d4a9a6d',
        },
      },
      error: 'invalid_grant',
    },
  },
  'Box refresh tokens are used once': {
    auth: providers.box,
    authorization: { place: 'account.box.com/api/oauth2/authorize' },
    pkce: false,
    answers: [
      {
        body: {
          access_token: 'c3FIOG9vSGV4VHo4QzAyg5T1JvNnJoZ3ExaVNyQWw6WjRsanRKZG5lQk9qUE1BVQ',
          expires_in: 3600,
          restricted_to: [],
          refresh_token: 'c3FIOG9vSGV4VHo4QzAyg5T1JvNnJoZ3ExaVNyQWw6WjRsanRKZG5lQk9qUE1BVP',
          token_type: 'bearer',
        },
      },
    ],
    sent: { place: 'api.box.com/oauth2/token', parameters: { client_secret: CLIENT.clientSecret } },
    tokens: { expiresAt: inHour },
    badRefresh: {
      answer: { status: 400, body: { error: 'invalid_grant', error_description: 'Refresh token has expired' } },
      error: 'invalid_grant',
    },
  },
  'Zoom rotates': {
    auth: providers.zoom,
    authorization: { place: 'zoom.us/oauth/authorize' },
    answers: [
      {
        body: {
          access_token: 'eyJhbGciOiJIUzUxMiIsInYiOiIyLjAiLCJraWQiOiI',
          token_type: 'bearer',
          refresh_token: 'eyJhbGciOiJIUzUxMiIsInYiOiIyLjAiLCJraWQiOiJ',
          expires_in: 3599,
          scope: 'user:read:user',
          api_url: 'https://api.zoom.us',
        },
      },
    ],
    sent: { place: 'zoom.us/oauth/token', headers: { authorization: BASIC } },
    tokens: { expiresAt: NOW + 3_599_000 },
    badRefresh: {
      answer: { status: 400, body: { reason: 'Invalid Token!', error: 'invalid_grant' } },
      error: 'invalid_grant',
    },
  },
  'Zoho has hosts per data centre, and a bad refresh is HTTP 200': {
    auth: providers.zoho,
    settings: { data_centre: 'com.au' },
    scopes: ['ZohoCRM.modules.ALL', 'ZohoCRM.settings.ALL'],
    authorization: {
      place: 'accounts.zoho.com.au/oauth/v2/auth',
      access_type: 'offline',
      scope: 'ZohoCRM.modules.ALL,ZohoCRM.settings.ALL',
    },
    callback: { location: 'au', 'accounts-server': 'https://accounts.zoho.com.au' },
    pkce: false,
    answers: [
      {
        body: {
          access_token: '1000.8ecdae5ed8b3a2a4a6e4a9ec4a3fd4f3',
          refresh_token: '1000.88bf0c8c7cd0b8a2e7a9d3d8b2fd3ad4',
          scope: 'ZohoCRM.modules.ALL ZohoCRM.settings.ALL',
          api_domain: 'https://www.zohoapis.com.au',
          token_type: 'Bearer',
          expires_in: 3600,
        },
      },
    ],
    sent: { place: 'accounts.zoho.com.au/oauth/v2/token' },
    tokens: {
      metadata: { api_domain: 'https://www.zohoapis.com.au' },
      scopes: ['ZohoCRM.modules.ALL', 'ZohoCRM.settings.ALL'],
    },
    badRefresh: { answer: { body: { error: 'invalid_code' } }, error: 'invalid_grant' },
  },
  'QuickBooks names the company in its callback': {
    auth: providers.quickbooks,
    scopes: ['com.intuit.quickbooks.accounting'],
    authorization: { place: 'appcenter.intuit.com/connect/oauth2', scope: 'com.intuit.quickbooks.accounting' },
    callback: { realmId: '1231434565226279' },
    pkce: false,
    answers: [
      {
        body: {
          token_type: 'bearer',
          expires_in: 3600,
          refresh_token: 'Q311488394272qbajGfLBwGVVXbHyDmkPhyKvGd6',
          x_refresh_token_expires_in: 8726400,
          access_token: 'eyJlbmMiOiJBMTI4Q0JDLUhTMjU2IiwiYWxnIjoiZGlyIn0',
        },
      },
    ],
    sent: { place: 'oauth.platform.intuit.com/oauth2/v1/tokens/bearer', headers: { authorization: BASIC } },
    tokens: { metadata: { realm_id: '1231434565226279', refresh_token_expires_in: 8726400 } },
    badRefresh: { answer: { status: 400, body: { error: 'invalid_grant' } }, error: 'invalid_grant' },
  },
  'Facebook takes GET, exchanges at once for a long-lived token, and has errors that are objects': {
    auth: providers.facebook,
    scopes: ['public_profile', 'email'],
    authorization: { place: 'www.facebook.com/v23.0/dialog/oauth', scope: 'public_profile,email' },
    pkce: false,
    answers: [
      { body: { access_token: 'EAAshortlivedtoken', token_type: 'bearer', expires_in: 5100 } },
      { body: { access_token: 'EAAlonglivedtoken', token_type: 'bearer', expires_in: 5183944 } },
    ],
    sent: {
      place: 'graph.facebook.com/v23.0/oauth/access_token',
      method: 'GET',
      query: { client_id: 'client-id', client_secret: CLIENT.clientSecret, code: 'the-code', redirect_uri: REDIRECT },
    },
    tokens: {
      accessToken: 'EAAlonglivedtoken',
      refreshToken: 'EAAlonglivedtoken',
      expiresAt: NOW + 5_183_944_000,
    },
    badRefresh: {
      answer: {
        status: 400,
        body: {
          error: {
            message: 'Error validating access token: Session has expired on Wednesday, 14-Feb-26.',
            type: 'OAuthException',
            code: 190,
            error_subcode: 463,
            fbtrace_id: 'H2il2t5bn4e',
          },
        },
      },
      error: 'invalid_grant',
    },
  },
  'X wants PKCE and Basic': {
    auth: providers.x,
    authorization: {
      place: 'x.com/i/oauth2/authorize',
      scope: 'tweet.read users.read offline.access',
      code_challenge_method: 'S256',
    },
    answers: [
      {
        body: {
          token_type: 'bearer',
          expires_in: 7200,
          access_token: 'Q0Mzb0VhZ0V5dmNXSTEyNER2MFNfVW50RzdXdTN6STFxQlVkTGhTc1lCdlBi',
          scope: 'tweet.read users.read offline.access',
          refresh_token: 'bWRWa3gzdnk3WHRGU1o0bmRRcTJ5VHgzbkxDNkxpWHFHZ1hGbGRjQlZWRVVN',
        },
      },
    ],
    sent: { place: 'api.x.com/2/oauth2/token', headers: { authorization: BASIC } },
    tokens: { expiresAt: NOW + 7_200_000, scopes: ['tweet.read', 'users.read', 'offline.access'] },
  },
  'Airtable wants PKCE, rotates, and tells how long a refresh token lives': {
    auth: providers.airtable,
    scopes: ['data.records:read'],
    authorization: { place: 'airtable.com/oauth2/v1/authorize', code_challenge_method: 'S256' },
    answers: [
      {
        body: {
          access_token: 'oaaAbCdEf123.v1.6vq',
          refresh_token: 'oarAbCdEf123.v1.9kz',
          token_type: 'Bearer',
          scope: 'data.records:read',
          expires_in: 3600,
          refresh_expires_in: 5184000,
        },
      },
    ],
    sent: { place: 'airtable.com/oauth2/v1/token', headers: { authorization: BASIC } },
    tokens: { metadata: { refresh_token_expires_in: 5184000 } },
    badRefresh: {
      answer: { status: 400, body: { error: 'invalid_grant', error_description: 'Refresh token is invalid' } },
      error: 'invalid_grant',
    },
  },
  'Xero rotates, and names the tenant in a second call': {
    auth: providers.xero,
    scopes: ['offline_access', 'accounting.transactions'],
    authorization: { place: 'login.xero.com/identity/connect/authorize' },
    answers: [
      {
        body: {
          id_token: 'xxx',
          access_token: 'eyJhbGciOiJSUzI1NiIsImtpZCI6IjFDQUY4',
          expires_in: 1800,
          token_type: 'Bearer',
          refresh_token: '8f1b9c2d7e6a5b4c3d2e1f0a9b8c7d6e',
          scope: 'offline_access accounting.transactions',
        },
      },
      {
        body: [
          {
            id: '7cb59f93-2964-421d-bb5e-a0f7a4572a44',
            tenantId: 'fe79f7dd-b6d4-4a92-ba7b-538af6289c58',
            tenantName: 'Demo Company (NZ)',
            tenantType: 'ORGANISATION',
          },
        ],
      },
    ],
    sent: { place: 'identity.xero.com/connect/token', headers: { authorization: BASIC } },
    tokens: {
      expiresAt: NOW + 1_800_000,
      metadata: {
        tenant_id: 'fe79f7dd-b6d4-4a92-ba7b-538af6289c58',
        tenant_ids: ['fe79f7dd-b6d4-4a92-ba7b-538af6289c58'],
      },
    },
    badRefresh: { answer: { status: 400, body: { error: 'invalid_grant' } }, error: 'invalid_grant' },
  },
}

describe('authorization code, by provider', () => {
  test.each(Object.entries(ROWS))('%s', async (_, row) => {
    const clock = new VirtualClock(NOW)
    const oauth = createOAuth({ egress, states: createMemoryAuthStateStore(), clock })
    const auth = at(vendor.origin, row.auth)
    const settings = row.settings ?? {}
    const { url, state } = await oauth.startAuthorization({
      provider: 'p',
      auth,
      client: CLIENT,
      settings,
      redirectUri: REDIRECT,
      session,
      ...(row.scopes === undefined ? {} : { scopes: row.scopes }),
    })
    const page = new URL(url)
    const { place, ...parameters } = row.authorization
    expect(page.pathname).toBe(`/${place}`)
    const common = { response_type: 'code', client_id: 'client-id', redirect_uri: REDIRECT, state }
    for (const [key, value] of Object.entries({ ...common, ...parameters })) {
      expect([key, page.searchParams.get(key)]).toEqual([key, value])
    }

    vendor.answer(...row.answers)
    const callback = new URL(REDIRECT)
    for (const [key, value] of Object.entries({ code: 'the-code', state, ...row.callback })) {
      callback.searchParams.set(key, value)
    }
    const { tokens } = await oauth.finishAuthorization({
      callbackUrl: callback.href,
      session,
      provider: () => Promise.resolve({ auth, client: CLIENT }),
    })
    expect(tokens).toMatchObject(row.tokens)
    expect(vendor.seen.length).toBe(row.answers.length)
    const [sent] = vendor.seen
    expect(sent).toMatchObject({ method: 'POST', ...row.sent })
    const all = { ...sent!.query, ...sent!.parameters }
    expect('code_verifier' in all).toBe(row.pkce !== false)
    expect(all['code']).toBe('the-code')
    expect('client_secret' in all).toBe(!('authorization' in sent!.headers))

    if (row.badRefresh !== undefined) {
      vendor.answer(row.badRefresh.answer)
      const refreshing = oauth.refresh({
        auth,
        client: CLIENT,
        settings,
        refreshToken: 'old-refresh-token',
        signal: AbortSignal.timeout(10_000),
      })
      await expect(refreshing).rejects.toMatchObject({
        code: 'oauth_refused',
        retryable: false,
        data: { error: row.badRefresh.error },
      })
    }
  })
})

const signal = AbortSignal.timeout(60_000)

test('the shop of a Shopify connection must be a name, and the one of the callback', async () => {
  const oauth = createOAuth({ egress, states: createMemoryAuthStateStore() })
  const auth = at(vendor.origin, providers.shopify)
  const start = (shop: string): Promise<{ state: string }> =>
    oauth.startAuthorization({
      provider: 'p',
      auth,
      client: CLIENT,
      settings: { shop },
      redirectUri: REDIRECT,
      session,
    })
  for (const shop of ['evil.example.com/', 'a.b', 'shop@evil.com', 'shop#', '', '..', 'Shop', `${'a'.repeat(80)}`]) {
    await expect(start(shop)).rejects.toMatchObject({ code: 'oauth_setting_invalid', data: { setting: 'shop' } })
  }
  vendor.answer()
  const { state } = await start('mine')
  const finished = oauth.finishAuthorization({
    callbackUrl: `${REDIRECT}?code=c&state=${state}&shop=other.myshopify.com`,
    session,
    provider: () => Promise.resolve({ auth, client: CLIENT }),
  })
  await expect(finished).rejects.toMatchObject({ code: 'oauth_callback_invalid' })
  expect(vendor.seen).toEqual([])
})

test('a company that QuickBooks did not name is not taken from the callback', async () => {
  const oauth = createOAuth({ egress, states: createMemoryAuthStateStore() })
  const auth = at(vendor.origin, providers.quickbooks)
  const { state } = await oauth.startAuthorization({
    provider: 'p',
    auth,
    client: CLIENT,
    settings: {},
    redirectUri: REDIRECT,
    session,
  })
  vendor.answer()
  const finished = oauth.finishAuthorization({
    callbackUrl: `${REDIRECT}?code=c&state=${state}&realmId=../admin`,
    session,
    provider: () => Promise.resolve({ auth, client: CLIENT }),
  })
  await expect(finished).rejects.toMatchObject({ code: 'oauth_callback_invalid' })
  expect(vendor.seen).toEqual([])
})

test('a Facebook token is exchanged for a fresh one', async () => {
  const clock = new VirtualClock(NOW)
  const oauth = createOAuth({ egress, states: createMemoryAuthStateStore(), clock })
  vendor.answer({ body: { access_token: 'EAAfresh', token_type: 'bearer', expires_in: 5183944 } })
  const auth = at(vendor.origin, providers.facebook)
  const tokens = await oauth.refresh({ auth, client: CLIENT, settings: {}, refreshToken: 'EAAold', signal })
  expect(vendor.seen[0]!.query).toMatchObject({ grant_type: 'fb_exchange_token', fb_exchange_token: 'EAAold' })
  expect(tokens).toMatchObject({ accessToken: 'EAAfresh', refreshToken: 'EAAfresh' })
})

test('a Zoom server-to-server app asks for its account', async () => {
  const clock = new VirtualClock(NOW)
  const oauth = createOAuth({ egress, states: createMemoryAuthStateStore(), clock })
  vendor.answer({
    body: {
      access_token: 'eyJ',
      token_type: 'bearer',
      expires_in: 3599,
      scope: 'user:read:admin',
      api_url: 'https://api.zoom.us',
    },
  })
  const tokens = await oauth.clientCredentials({
    auth: at(vendor.origin, providers.zoomServer),
    client: CLIENT,
    settings: { account_id: 'acc_1' },
    fields: {},
    signal,
  })
  expect(vendor.seen[0]).toMatchObject({
    place: 'zoom.us/oauth/token',
    headers: { authorization: BASIC },
    parameters: { grant_type: 'account_credentials', account_id: 'acc_1' },
  })
  expect(tokens).toMatchObject({ accessToken: 'eyJ', expiresAt: NOW + 3_599_000 })
  expect(tokens.refreshToken).toBeUndefined()
})

test('a Notion token is revoked in JSON, with Basic', async () => {
  const oauth = createOAuth({ egress, states: createMemoryAuthStateStore() })
  vendor.answer({ body: { request_id: '1' } })
  const auth = at(vendor.origin, providers.notion)
  await oauth.revoke({ auth, client: CLIENT, settings: {}, token: 'the-token', kind: 'access_token', signal })
  expect(vendor.seen[0]).toMatchObject({
    place: 'api.notion.com/v1/oauth/revoke',
    headers: { authorization: BASIC },
    parameters: { token: 'the-token' },
  })
})

test('every provider of the list is auth data that a connector may have', () => {
  const secret = z.string().optional()
  const text = z.string().optional()
  const config = z.strictObject({
    app_id: text,
    client_email: text,
    installation_id: text,
    private_key: secret,
    private_key_id: text,
    subject: text,
  })
  const { auth } = defineConnector({
    name: 'all',
    title: 'All',
    description: 'For tests.',
    version: '1.0.0',
    prefixes: [],
    config,
    auth: { ...providers },
    connect: () => Promise.resolve(null),
    actions: {
      none: defineAction({
        description: 'Does nothing.',
        input: z.strictObject({}),
        output: z.strictObject({}),
        effect: 'read',
        idempotency: 'natural',
        run: () => Promise.resolve({}),
      }),
    },
    scaffold: () => '',
    example: () => ({ fileName: 'all.flow.yaml', source: '' }),
  })
  expect(Object.keys(auth!).length).toBeGreaterThan(20)
})
