/** Settings of a connection in the URLs and parameters of its provider: checked against their patterns, then put in. */
import type { OAuth2Auth } from '@plugwork/core/node'
import { oauthError } from './errors.ts'
import type { OAuthClient } from './token-set.ts'

export type Settings = Readonly<Record<string, string>>

const PLACEHOLDER = /\{([A-Za-z_]\w*)\}/g
/** Longer ones are no host names or ids, and patterns cost time. */
const LONGEST_SETTING = 512

/**
 * The settings that `auth.connectionParameters` declares, defaults filled in (an empty one makes a setting optional); others
 * are left out. Throws
 * `oauth_setting_invalid` for one that is missing or does not match: a host decides where secrets are sent. Those that the
 * registration decides are judged where `client` is known.
 */
export function checkSettings(auth: OAuth2Auth, settings: Settings, client?: OAuthClient | null): Settings {
  const checked: Record<string, string> = {}
  for (const [name, parameter] of Object.entries(auth.connectionParameters ?? {})) {
    const { title, pattern, example } = parameter
    const fallback = parameter.setBy === 'client' ? (client?.settings?.[name] ?? parameter.default) : parameter.default
    const value = Object.hasOwn(settings, name) ? settings[name] : fallback
    if (parameter.setBy === 'client' && client !== undefined && value !== fallback) {
      throw oauthError(
        'oauth_setting_invalid',
        `"${name}" (${title}) of the connection to ${auth.title} is decided by the app's registration. Leave it out, or register ` +
          'an app for this one.',
        { data: { setting: name } },
      )
    }
    const hint = example === undefined ? '' : ` An example is "${example}".`
    if (value === undefined || (value === '' && fallback !== '')) {
      throw oauthError(
        'oauth_setting_invalid',
        `"${name}" (${title}) of the connection to ${auth.title} is missing.${hint}`,
        {
          data: { setting: name },
        },
      )
    }
    // A part of a path that is only dots would climb out of it.
    if (value.length > LONGEST_SETTING || /^\.+$/.test(value) || !new RegExp(`^(?:${pattern})$`, 'u').test(value)) {
      throw oauthError(
        'oauth_setting_invalid',
        `"${name}" (${title}) of the connection to ${auth.title} must match ${pattern}.${hint}`,
        { data: { setting: name } },
      )
    }
    checked[name] = value
  }
  return checked
}

/** Puts `values` into a text as they are. */
export function fillText(auth: OAuth2Auth, template: string, values: Settings): string {
  return template.replaceAll(PLACEHOLDER, (_, name: string) => {
    if (!Object.hasOwn(values, name)) {
      throw oauthError(
        'oauth_provider_invalid',
        `The auth data of ${auth.title} uses {${name}}, which is none of its connectionParameters. Declare it there, with a pattern.`,
      )
    }
    return values[name]!
  })
}

export function fillAll(auth: OAuth2Auth, templates: Settings | undefined, values: Settings): Record<string, string> {
  return Object.fromEntries(
    Object.entries(templates ?? {}).map(([name, template]) => [name, fillText(auth, template, values)]),
  )
}

/** Puts `values` into a URL, encoded unless `auth.rawParameters` names them, and checks that secrets may be sent there. */
export function fillUrl(auth: OAuth2Auth, key: string, template: string | undefined, values: Settings): URL {
  if (template === undefined) {
    throw oauthError(
      'oauth_provider_invalid',
      `The auth data of ${auth.title} has no ${key}, which its grant ${auth.grant} needs.`,
    )
  }
  const raw = new Set(auth.rawParameters)
  const encoded = Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, raw.has(name) ? value : encodeURIComponent(value)]),
  )
  const text = fillText(auth, template, encoded)
  const url = URL.parse(text)
  if (url === null || url.username !== '' || url.password !== '' || url.hash !== '' || !isProtected(url)) {
    throw oauthError(
      'oauth_provider_invalid',
      `${key} of ${auth.title} must be an https URL (http only on this machine) without user name and fragment.`,
    )
  }
  return url
}

/** Whether what is sent there cannot be read on the way: https, or a loopback address. */
export function isProtected(url: URL): boolean {
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname))
}

function isLoopback(hostname: string): boolean {
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    /^127(\.\d+){3}$/.test(hostname) ||
    hostname === '[::1]'
  )
}
