/** How the parameters of a token request are sent: what `bodyFormat`, `tokenMethod` and `tokenHeaders` say. */
import type { EgressRequest, OAuth2Auth } from '@plugwork/core/node'
import { writeXml } from './xml.ts'

/** Shapes the form request that RFC 6749 asks for into the one that this provider asks for. */
export function shapeRequest(
  auth: OAuth2Auth,
  url: string,
  form: {
    readonly method: string
    readonly headers: Readonly<Record<string, string>>
    readonly parameters: URLSearchParams
  },
): EgressRequest {
  const { method, headers, parameters } = form
  switch (auth.bodyFormat ?? 'form') {
    case 'form':
      return { method, url, headers, body: parameters.toString() }
    case 'json':
      return {
        method,
        url,
        headers: { ...headers, 'content-type': 'application/json' },
        body: JSON.stringify(Object.fromEntries(parameters)),
      }
    case 'xml':
      return {
        method,
        url,
        headers: { ...headers, 'content-type': 'application/xml' },
        body: writeXml(auth.xmlRoot ?? 'request', parameters),
      }
    case 'query': {
      const target = new URL(url)
      for (const [name, value] of parameters) target.searchParams.append(name, value)
      const { 'content-type': _, ...others } = headers
      return { method, url: target.href, headers: others }
    }
  }
}
