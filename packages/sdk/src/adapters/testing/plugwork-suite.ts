/** A real `createPlugwork` behind an adapter, with a real authorization server and a service that takes its tokens. */
import { startAuthorizationServer, UserAgent } from '@plugwork/connections/oauth/testing'
import { expect, onTestFinished, test } from 'vitest'
import { startNotes } from '../../testing/notes.ts'
import { plugOn, type TestPlug } from '../../testing/plug.ts'
import type { Mountable } from '../mountable.ts'
import type { StartApp } from './adapter-suite.ts'

const basePath = '/api/plugwork'

/** Signing in, and what one can do after that, through the adapter alone. */
export function testPlugwork(start: StartApp): void {
  test('createPlugwork behind it: signing in, calling an action, being refused', async () => {
    let plug: TestPlug | undefined
    // The application's address is known only when it listens, and the plug's is that of the application.
    const mounted: Mountable = {
      basePath,
      get baseUrl() {
        return plug?.baseUrl
      },
      handler: (request) => plug!.handler(request),
    }
    const app = await start(mounted)
    onTestFinished(() => app.close())
    const origin = `${app.origin}${basePath}`
    const server = await startAuthorizationServer([`${origin}/oauth/callback`])
    onTestFinished(() => server.close())
    const notes = await startNotes((token) => token.length > 20)
    onTestFinished(() => notes.close())
    plug = plugOn(notes, { oauth: server.auth, client: server.client, baseUrl: app.origin })
    onTestFinished(() => plug?.close())
    expect({ basePath: plug.basePath, baseUrl: plug.baseUrl }).toEqual({ basePath, baseUrl: app.origin })

    const signedIn = { 'x-user': 'u1' }
    const call = (path: string, text: string, headers: Record<string, string> = signedIn): Promise<Response> =>
      fetch(`${origin}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ params: { text } }),
      })

    expect((await call('/actions/notes/items.create', 'nobody', {})).status).toBe(401)
    expect((await call('/actions/notes/items.create', 'not connected')).status).toBe(409)

    const begun = await fetch(`${origin}/oauth/notes/start?return_to=/settings`, {
      headers: signedIn,
      redirect: 'manual',
    })
    expect(begun.status).toBe(302)
    const callback = await new UserAgent().agree(begun.headers.get('location')!, `${origin}/oauth/callback`)
    const finished = await fetch(callback, { headers: signedIn, redirect: 'manual' })
    expect(finished.status).toBe(302)
    expect(finished.headers.get('location')).toMatch(`${app.origin}/settings?connection=`)

    const made = await call('/actions/notes/items.create', 'Grüße 😀')
    expect(made.status).toBe(200)
    expect(await made.json()).toMatchObject({ output: { id: 1, text: 'Grüße 😀' } })
    expect(notes.seen).toHaveLength(1)

    const wrong = await fetch(`${origin}/actions/notes/items.create`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...signedIn },
      body: '{"params":',
    })
    expect([wrong.status, ((await wrong.json()) as { code: string }).code]).toEqual([400, 'sdk_body_invalid'])
    const large = await call('/actions/notes/items.create', 'x'.repeat(1_100_000))
    expect([large.status, ((await large.json()) as { code: string }).code]).toEqual([413, 'sdk_body_too_large'])
    const unknown = await fetch(`${origin}/nowhere`, { headers: signedIn })
    expect([unknown.status, ((await unknown.json()) as { code: string }).code]).toEqual([404, 'sdk_route_unknown'])
  })
}
