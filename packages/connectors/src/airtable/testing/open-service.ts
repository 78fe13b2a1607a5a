import { callActions, type Calls } from '../../vendor/testing/call-actions.ts'
import { liveSettings } from '../../vendor/testing/live.ts'
import { airtable } from '../airtable.ts'
import { BASE, startAirtable, TOKEN, type AirtableServer } from './server.ts'

export interface AirtableService extends Calls {
  readonly base: string
  readonly table: string
  /** Null when the service is the real one. */
  readonly server: AirtableServer | null
}

/** The local Airtable, or with `PLUGWORK_LIVE=airtable` the real one and a table for tests. */
export async function openAirtableService(): Promise<AirtableService> {
  const live = liveSettings('airtable', {
    PLUGWORK_LIVE_AIRTABLE_TOKEN:
      'a personal access token with data.records:read, data.records:write and schema.bases:read',
    PLUGWORK_LIVE_AIRTABLE_BASE: 'id of a base for tests',
    PLUGWORK_LIVE_AIRTABLE_TABLE: 'id of a table with the fields Name (text) and Rent (number)',
  })
  if (live !== null) {
    const calls = await callActions(airtable, { token: live.PLUGWORK_LIVE_AIRTABLE_TOKEN })
    return { ...calls, base: live.PLUGWORK_LIVE_AIRTABLE_BASE, table: live.PLUGWORK_LIVE_AIRTABLE_TABLE, server: null }
  }
  const server = await startAirtable()
  const calls = await callActions(airtable, { base_url: server.baseUrl, token: TOKEN })
  return {
    ...calls,
    base: BASE,
    table: 'Apartments',
    server,
    async close() {
      await calls.close()
      await server.close()
    },
  }
}
