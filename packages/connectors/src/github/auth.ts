import type { AuthMethod } from '@plugwork/core/node'

const HOST = '[a-z0-9]([a-z0-9-]*[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+'

/** Ways to authenticate with GitHub. */
export const auth = {
  token: {
    kind: 'bearer',
    title: 'Personal access token',
    help: 'Create one under Settings → Developer settings → Personal access tokens. A fine-grained token needs the permissions of what is called: Issues, Pull requests, Contents, Webhooks; a classic one the scope `repo`.',
    fields: ['token'],
  },
  oauth: {
    // docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps
    kind: 'oauth2',
    title: 'Sign in with GitHub',
    help: 'Register an OAuth app (or a GitHub App with user sign-in) under Settings → Developer settings; its callback URL is the one of this installation. Tokens of OAuth apps do not expire; those of GitHub Apps are refreshed. An app of GitHub Enterprise is registered with its `host`; set `base_url` to its API as well.',
    grant: 'authorization_code',
    authorizationUrl: 'https://{host}/login/oauth/authorize',
    tokenUrl: 'https://{host}/login/oauth/access_token',
    defaultScopes: ['repo'],
    deviceAuthorizationUrl: 'https://{host}/login/device/code',
    // Without it the answer is a form.
    tokenHeaders: { accept: 'application/json' },
    // Errors come with status 200.
    errorCodes: {
      bad_verification_code: 'invalid_grant',
      bad_refresh_token: 'invalid_grant',
      incorrect_client_credentials: 'invalid_client',
      redirect_uri_mismatch: 'invalid_request',
      unverified_user_email: 'access_denied',
    },
    connectionParameters: {
      host: {
        title: 'Host of GitHub Enterprise',
        pattern: HOST,
        default: 'github.com',
        // Any host fits: the secret of the app would go to whichever a user names.
        setBy: 'client',
        example: 'github.example.com',
      },
    },
  },
  app: {
    // docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
    kind: 'jwt',
    title: 'GitHub App installation',
    help: 'Create a GitHub App, generate a private key, install the app, and give `app_id`, `installation_id` and `private_key`. Each token lives an hour and is made anew in time.',
    algorithm: 'RS256',
    keyField: 'private_key',
    claims: { iss: '{app_id}' },
    // At most ten minutes, and clocks differ.
    lifetime: 540,
    backdate: 60,
    exchange: {
      // docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app
      url: 'https://api.github.com/app/installations/{installation_id}/access_tokens',
      method: 'POST',
      tokenPath: 'token',
      expiresAtPath: 'expires_at',
      headers: { accept: 'application/vnd.github+json', 'x-github-api-version': '2022-11-28' },
      metadata: { permissions: 'permissions', repository_selection: 'repository_selection' },
    },
  },
} as const satisfies Record<string, AuthMethod>
