/** Somebody with a browser without scripts: keeps cookies, follows redirects, fills in forms. */

export interface Page {
  readonly url: string
  readonly status: number
  readonly html: string
}

export class UserAgent {
  readonly #cookies = new Map<string, string>()

  /** Stops at `until` without asking for it: the callback of the application. */
  async open(url: string, until: string, form?: URLSearchParams): Promise<Page> {
    let at = url
    let body = form
    for (let hops = 0; hops < 20; hops++) {
      if (at.startsWith(until)) return { url: at, status: 0, html: '' }
      const response = await fetch(at, {
        redirect: 'manual',
        headers: { cookie: [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
        ...(body === undefined ? {} : { method: 'POST', body }),
      })
      for (const cookie of response.headers.getSetCookie()) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie)!
        this.#cookies.set(name!, value!)
      }
      const location = response.headers.get('location')
      if (location === null) return { url: at, status: response.status, html: await response.text() }
      at = new URL(location, at).href
      body = undefined
    }
    throw new Error(`Too many redirects from ${url}`)
  }

  /** Sends the first form of a page, with its hidden fields and `fields`. */
  submit(page: Page, until: string, fields: Readonly<Record<string, string>>): Promise<Page> {
    const [, action] = /<form[^>]*action="([^"]*)"/.exec(page.html)!
    const form = new URLSearchParams()
    for (const [input] of page.html.matchAll(/<input[^>]*>/g)) {
      const name = /name="([^"]*)"/.exec(input)?.[1]
      const value = /value="([^"]*)"/.exec(input)?.[1]
      if (name !== undefined && value !== undefined) form.set(name, value)
    }
    for (const [name, value] of Object.entries(fields)) form.set(name, value)
    return this.open(new URL(action!.replaceAll('&amp;', '&'), page.url).href, until, form)
  }

  /** Logs in and agrees, from an authorization URL; answers the callback URL. */
  async agree(url: string, until: string, login = 'ada'): Promise<string> {
    let page = await this.open(url, until)
    for (let forms = 0; forms < 4 && !page.url.startsWith(until); forms++) {
      page = await this.submit(page, until, page.html.includes('name="password"') ? { login, password: 'any' } : {})
    }
    if (!page.url.startsWith(until)) throw new Error(`No callback, but ${page.status} at ${page.url}: ${page.html}`)
    return page.url
  }
}
