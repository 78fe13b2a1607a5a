/**
 * A provider for tests, as its own HTTP server: it rotates refresh tokens, stalls, fails, and can die in the middle of an
 * answer. With `grace` the refresh token before is taken until the new one is used, as careful providers do, so that an
 * answer that got lost on its way is no end; without it a refresh token is taken once.
 */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/** What the next token requests meet, in this order; then `answer`. */
export type Mood = 'answer' | 'fail' | 'stall' | 'cut'

export interface Provider {
  readonly url: string
  /** Token requests that were answered with new tokens, since the last reset. */
  readonly granted: number
  /** Token requests that came in, since the last reset. */
  readonly asked: number
  /** A refresh token came that had been replaced. */
  readonly reused: number
  /** The refresh token that is good now. */
  readonly refreshToken: string
  readonly accessToken: string
  reset(moods?: readonly Mood[]): void
  close(): Promise<void>
}

export interface ProviderOptions {
  /** Seconds that a token lives. */
  readonly expiresIn: number
  readonly grace?: boolean
  /** How long a granted answer takes, ms. */
  readonly delayMs?: number
}

export async function startProvider({ expiresIn, grace = false, delayMs = 0 }: ProviderOptions): Promise<Provider> {
  let number = 0
  let previous: string | null = null
  let counts = { granted: 0, asked: 0, reused: 0 }
  let moods: Mood[] = []
  const refresh = (n: number): string => `refresh-${n}`
  const answer = (response: ServerResponse, status: number, body: object): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }
  const grant = async (given: string, response: ServerResponse, mood: Mood): Promise<void> => {
    const good = given === refresh(number)
    if (!good && !(grace && given === previous)) {
      counts.reused += 1
      return answer(response, 400, { error: 'invalid_grant' })
    }
    // Rotated before the answer is on its way: whoever does not get it has lost it.
    previous = given
    number += 1
    counts.granted += 1
    const tokens = { access_token: `access-${number}`, refresh_token: refresh(number), expires_in: expiresIn }
    await delay(delayMs)
    if (mood === 'cut') {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' })
      response.write(JSON.stringify(tokens).slice(0, 20))
      return void response.destroy()
    }
    answer(response, 200, tokens)
  }
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8')
    request.on('data', (chunk: string) => (body += chunk))
    request.on('end', () => {
      counts.asked += 1
      const mood = moods.shift() ?? 'answer'
      if (mood === 'fail') return answer(response, 503, { error: 'temporarily_unavailable' })
      // The client's deadline ends it.
      if (mood === 'stall') return
      void grant(new URLSearchParams(body).get('refresh_token') ?? '', response, mood)
    })
  })
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/token`,
    get granted() {
      return counts.granted
    },
    get asked() {
      return counts.asked
    },
    get reused() {
      return counts.reused
    },
    get refreshToken() {
      return refresh(number)
    },
    get accessToken() {
      return `access-${number}`
    },
    reset(next = []) {
      moods = [...next]
      counts = { granted: 0, asked: 0, reused: 0 }
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
