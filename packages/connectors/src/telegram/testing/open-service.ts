import { callActions, type Calls } from '../../vendor/testing/call-actions.ts'
import { liveSettings } from '../../vendor/testing/live.ts'
import { telegram } from '../telegram.ts'
import { CHAT, startTelegram, TOKEN, type TelegramServer } from './server.ts'

export interface TelegramService extends Calls {
  readonly chat: string
  /** Null when the service is the real one. */
  readonly server: TelegramServer | null
}

/** The local Bot API, or with `PLUGWORK_LIVE=telegram` the real one and a chat for tests. */
export async function openTelegramService(): Promise<TelegramService> {
  const live = liveSettings('telegram', {
    PLUGWORK_LIVE_TELEGRAM_TOKEN: 'token of a bot for tests, which has no webhook',
    PLUGWORK_LIVE_TELEGRAM_CHAT: 'id of a chat with the bot',
  })
  if (live !== null) {
    const calls = await callActions(telegram, { token: live.PLUGWORK_LIVE_TELEGRAM_TOKEN })
    return { ...calls, chat: live.PLUGWORK_LIVE_TELEGRAM_CHAT, server: null }
  }
  const server = await startTelegram()
  const calls = await callActions(telegram, { base_url: server.baseUrl, token: TOKEN })
  return {
    ...calls,
    chat: String(CHAT),
    server,
    async close() {
      await calls.close()
      await server.close()
    },
  }
}
