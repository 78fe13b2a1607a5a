/** Checks the auth data of a connector: what the types cannot say, so that it is found where it is written. */
import { parseDuration } from '../flow/duration.ts'
import type { AuthMethod, JwtSigning, OAuth2Auth } from './auth.ts'

const PLACEHOLDER = /\{([A-Za-z_]\w*)\}/g
const GRANT_NEEDS: { readonly [grant in OAuth2Auth['grant']]: keyof OAuth2Auth | null } = {
  authorization_code: 'authorizationUrl',
  device_code: 'deviceAuthorizationUrl',
  jwt_bearer: 'assertion',
  client_credentials: null,
}
const URLS = [
  'authorizationUrl',
  'tokenUrl',
  'refreshUrl',
  'revocationUrl',
  'introspectionUrl',
  'deviceAuthorizationUrl',
] as const

/** Everything that is wrong with one method, as sentences. `fields` are the connector's config fields. */
export function checkAuth(name: string, auth: AuthMethod, fields: ReadonlySet<string>): readonly string[] {
  const problems: string[] = []
  const say = (problem: string): void => void problems.push(`The auth method "${name}" ${problem}`)
  const knows = (what: string, text: string, known: ReadonlySet<string>, where: string): void => {
    for (const [, used] of text.matchAll(PLACEHOLDER)) {
      if (!known.has(used!)) say(`uses {${used}} in ${what}, which is not among its ${where}.`)
    }
  }
  const signs = (signing: JwtSigning, known: ReadonlySet<string>): void => {
    for (const field of [signing.keyField, signing.keyIdField]) {
      if (field !== undefined && !fields.has(field)) say(`signs with "${field}", which is no field of the config.`)
    }
    for (const [claim, text] of Object.entries(signing.claims))
      knows(`the claim ${claim}`, text, known, 'config fields')
  }

  if (auth.title.trim() === '' || auth.help.trim() === '') say('has no title or no help.')
  if (auth.send !== undefined && !auth.send.template.includes('{token}')) say('sends a text without {token}.')
  switch (auth.kind) {
    case 'jwt':
      signs(auth, fields)
      if (auth.exchange !== undefined) {
        if (!isProtected(auth.exchange.url)) say('exchanges its JWT at a URL that is not https.')
        knows('its exchange URL', auth.exchange.url, fields, 'config fields')
        for (const text of Object.values(auth.exchange.body ?? {})) knows('its exchange', text, fields, 'config fields')
      }
      break
    case 'oauth2': {
      const parameters = auth.connectionParameters ?? {}
      const settings = new Set(Object.keys(parameters))
      const values = new Set([...settings, 'client_id', 'client_secret'])
      const needed = GRANT_NEEDS[auth.grant]
      if (needed !== null && auth[needed] === undefined) say(`has the grant ${auth.grant}, but no ${needed}.`)
      if (auth.issRequired === true && auth.issuer === undefined) say('has issRequired, but no issuer.')
      if (auth.tokenMethod === 'GET' && auth.bodyFormat !== 'query')
        say('has tokenMethod GET without bodyFormat query.')
      if (auth.keepAlive !== undefined && !((parseDuration(auth.keepAlive) ?? 0) > 0)) {
        say(`has keepAlive "${auth.keepAlive}", which is no duration such as 24h.`)
      }
      for (const [setting, { pattern, default: fallback }] of Object.entries(parameters)) {
        const matches = matcher(pattern)
        if (matches === null) say(`has a pattern for ${setting} that is no regular expression.`)
        else if (fallback !== undefined && !matches(fallback))
          say(`has a default for ${setting} that its pattern refuses.`)
      }
      for (const [metadata, { pattern }] of Object.entries(auth.callbackMetadata ?? {})) {
        if (matcher(pattern) === null) say(`has a pattern for ${metadata} that is no regular expression.`)
      }
      for (const key of URLS) {
        const url = auth[key]
        if (url === undefined) continue
        if (!isProtected(url)) say(`has a ${key} that is not https.`)
        knows(key, url, settings, 'connectionParameters')
      }
      if (auth.metadataRequest !== undefined) {
        if (!isProtected(auth.metadataRequest.url)) say('has a metadataRequest that is not https.')
        knows('metadataRequest', auth.metadataRequest.url, settings, 'connectionParameters')
      }
      if (auth.issuer !== undefined) knows('issuer', auth.issuer, settings, 'connectionParameters')
      for (const key of ['authorizationParameters', 'callbackMustEqual'] as const) {
        for (const text of Object.values(auth[key] ?? {})) knows(key, text, settings, 'connectionParameters')
      }
      for (const key of ['tokenParameters', 'refreshParameters', 'tokenHeaders'] as const) {
        for (const text of Object.values(auth[key] ?? {})) knows(key, text, values, 'connectionParameters')
      }
      if (auth.assertion !== undefined) {
        signs(auth.assertion, new Set([...fields, ...settings, 'client_id', 'scopes']))
      }
      break
    }
    default:
      for (const field of auth.fields) {
        if (!fields.has(field)) say(`asks for "${field}", which is no field of the config.`)
      }
  }
  return problems
}

/** Plain http is for this machine; what a setting makes of `{…}` is checked when it is known. */
function isProtected(url: string): boolean {
  return /^(?:https:\/\/|http:\/\/(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?:[:/]|$)|\{)/.test(url)
}

function matcher(pattern: string): ((text: string) => boolean) | null {
  try {
    const expression = new RegExp(`^(?:${pattern})$`, 'u')
    return (text) => expression.test(text)
  } catch {
    return null
  }
}
