/** The whole round trip in a real browser: authorization URL, login page, consent page, callback server, tokens. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createEgress } from '@plugwork/core/node'
import { chromium } from '@plugwork/test-services'
import { chromium as playwright, type Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createOAuth } from './create-oauth.ts'
import { createMemoryAuthStateStore } from './state-store.ts'
import { startAuthorizationServer, type AuthorizationServer } from './testing/authorization-server.ts'
import type { TokenSet } from './token-set.ts'

const egress = createEgress({ allow: ['127.0.0.1'] })
const session = { tenant: 'default', user: 'ada' }
const connections = new Map<string, TokenSet>()
const problems: unknown[] = []

let origin: string
let server: AuthorizationServer
let browser: Browser

/** The application: `/login` sends the browser away, the callback stores tokens and sends it on. */
const application = createServer((request, response) => {
  const url = new URL(request.url!, origin)
  const go = async (): Promise<string | null> => {
    const { auth, client } = server
    const redirectUri = `${origin}/oauth/callback`
    if (url.pathname === '/login') {
      const started = await oauth.startAuthorization({
        provider: 'notes',
        auth,
        client,
        settings: {},
        redirectUri,
        session,
        returnTo: '/connections',
        context: 'c1',
      })
      return started.url
    }
    if (url.pathname !== '/oauth/callback') return null
    const { tokens, context } = await oauth.finishAuthorization({
      callbackUrl: url.href,
      session,
      provider: () => Promise.resolve({ auth, client }),
    })
    connections.set(String(context.context), tokens)
    return context.returnTo
  }
  go().then(
    (location) =>
      location === null
        ? response.end(`<h1>${connections.size} connected</h1>`)
        : response.writeHead(302, { location }).end(),
    (error: unknown) => {
      problems.push(error)
      response.writeHead(400, { 'content-type': 'text/html' }).end('<h1>failed</h1>')
    },
  )
})

let oauth: ReturnType<typeof createOAuth>

beforeAll(async () => {
  await new Promise<void>((resolve) => void application.listen(0, '127.0.0.1', resolve))
  origin = `http://127.0.0.1:${(application.address() as AddressInfo).port}`
  oauth = createOAuth({
    egress,
    states: createMemoryAuthStateStore(),
    returnTo: { base: origin, allow: ['/connections'] },
  })
  server = await startAuthorizationServer([`${origin}/oauth/callback`])
  const { path, args } = await chromium()
  browser = await playwright.launch({ executablePath: path, args: [...args], headless: true })
}, 300_000)

afterAll(async () => {
  await browser?.close()
  await server?.close()
  application.closeAllConnections()
  await new Promise((resolve) => application.close(resolve))
  await egress.close()
})

test('a browser logs in, agrees and comes back; the connection has tokens', { timeout: 120_000 }, async () => {
  const page = await browser.newPage()
  await page.goto(`${origin}/login`)
  await page.fill('input[name=login]', 'ada')
  await page.fill('input[name=password]', 'any')
  await page.click('button[type=submit]')
  await page.waitForSelector('input[name=prompt][value=consent]', { state: 'attached' })
  await page.click('button[type=submit]')
  await page.waitForURL(`${origin}/connections`)
  expect(await page.textContent('h1')).toBe('1 connected')
  expect(problems).toEqual([])

  const tokens = connections.get('c1')!
  expect(tokens.scopes).toContain('notes:read')
  const refreshed = await oauth.refresh({
    auth: server.auth,
    client: server.client,
    settings: {},
    refreshToken: tokens.refreshToken!,
    signal: AbortSignal.timeout(20_000),
  })
  expect(refreshed.accessToken).not.toBe(tokens.accessToken)

  // The back button asks for the callback again: it is refused, and nothing changes.
  await page.goBack()
  await page.goto(`${origin}/oauth/callback?code=x&state=y`)
  expect(await page.textContent('h1')).toBe('failed')
  expect(problems).toMatchObject([{ code: 'oauth_state_invalid' }])
  expect(connections.size).toBe(1)
})

test('a browser that says no brings the refusal', { timeout: 120_000 }, async () => {
  problems.length = 0
  const context = await browser.newContext()
  const page = await context.newPage()
  await page.goto(`${origin}/login`)
  await page.click('text=Cancel')
  await page.waitForSelector('h1')
  expect(problems).toMatchObject([{ code: 'oauth_denied', data: { provider: 'notes', error: 'access_denied' } }])
})
