import { callActions, type Calls } from '../../vendor/testing/call-actions.ts'
import { liveSettings } from '../../vendor/testing/live.ts'
import { github } from '../github.ts'
import { startGithub, TOKEN, type GithubServer } from './server.ts'

export interface GithubService extends Calls {
  readonly owner: string
  readonly repo: string
  /** Null when the service is the real one. */
  readonly server: GithubServer | null
}

/** The local GitHub, or with `PLUGWORK_LIVE=github` the real one and a repository for tests. */
export async function openGithubService(): Promise<GithubService> {
  const live = liveSettings('github', {
    PLUGWORK_LIVE_GITHUB_TOKEN: 'a token that may write issues, contents and webhooks of the repository',
    PLUGWORK_LIVE_GITHUB_REPOSITORY: 'owner/name of a repository for tests with a README.md',
  })
  if (live !== null) {
    const [owner = '', repo = ''] = live.PLUGWORK_LIVE_GITHUB_REPOSITORY.split('/')
    const calls = await callActions(github, { token: live.PLUGWORK_LIVE_GITHUB_TOKEN })
    return { ...calls, owner, repo, server: null }
  }
  const server = await startGithub()
  const calls = await callActions(github, { base_url: server.baseUrl, token: TOKEN })
  return {
    ...calls,
    owner: 'octocat',
    repo: 'Hello-World',
    server,
    async close() {
      await calls.close()
      await server.close()
    },
  }
}
