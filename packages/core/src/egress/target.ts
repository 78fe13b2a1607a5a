/** What may be requested at all: the scheme, the user name, the host. Addresses are the gate's matter. */
import { parseAddress } from './address.ts'
import type { AllowList } from './allow-list.ts'
import { egressError, printableUrl } from './errors.ts'

/** Reads and checks a URL, or the `location` of a redirect of `base`. Throws `egress_url` or `egress_redirect`. */
export function requestUrl(text: string, base: URL | null): URL {
  const what = base === null ? 'The URL of the request' : `The redirect of ${printableUrl(base)}`
  const code = base === null ? 'egress_url' : 'egress_redirect'
  const url = URL.parse(text, base?.href)
  if (url === null)
    throw egressError(code, `${what} is not a valid URL. Write it in full, as in https://api.example.com/path.`)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw egressError(code, `${what} has the scheme ${url.protocol} Only http: and https: are requested.`)
  }
  if (url.username !== '' || url.password !== '') {
    throw egressError(
      code,
      `${what} (${printableUrl(url)}) carries a user name or password, which would end up in logs. Send them in an authorization header (\`auth\` of an http connection).`,
    )
  }
  return url
}

/** Throws `egress_denied` unless every list names the host. */
export function checkHost(url: URL, only: readonly AllowList[]): void {
  if (only.length === 0) return
  const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80)
  const address = parseAddress(url.hostname)
  const denying = only.find(
    (list) => !list.hasHost(url.hostname, port) && !(address !== null && list.hasAddress(address, port)),
  )
  if (denying === undefined) return
  const what = url.protocol === 'tcp:' ? `connection to ${url.host}` : `request to ${printableUrl(url)}`
  throw egressError(
    'egress_denied',
    `The ${what} was denied: ${url.host} is not among the hosts allowed here (${denying.entries.join(', ') || 'none'}). Add it to allow_hosts of the connection if it is intended.`,
    { data: { host: url.hostname, port } },
  )
}
