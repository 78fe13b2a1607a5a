/**
 * `createPlugwork`: the embeddable SDK. Nothing is opened, and nothing heavy is loaded, before something is used: this file
 * and what it imports are all that `import 'plugwork'` costs.
 */
import { withMethods } from './action-methods.ts'
import { Actions, type ActionsApi } from './actions.ts'
import type { Connectable } from './connectable.ts'
import { ConnectionsApi } from './connections-api.ts'
import type { Engine } from './engine.ts'
import type { ServiceWebhooks } from '@plugwork/connections'
import { Webhooks, type WebhooksApi } from './webhooks-api.ts'
import type { WorkflowsApi } from './workflows/workflows-api.ts'
import { lazyMethods } from './lazy-methods.ts'
import { sdkError } from './errors.ts'
import { checkOptions, type PlugworkOptions } from './options.ts'
import type { Methods } from './plugwork-types.ts'
import { Providers } from './providers.ts'

const WORKFLOW_METHODS = [
  'create',
  'update',
  'list',
  'get',
  'enable',
  'disable',
  'remove',
  'execute',
  'run',
  'stats',
] as const

/** Connections, actions and what belongs to them, for one application. */
export interface PlugworkApi<Given extends readonly Connectable[]> {
  readonly connections: Omit<ConnectionsApi, 'tell'>
  readonly providers: Pick<Providers, 'register' | 'get' | 'list' | 'isConfigured' | 'markConfigured'>
  readonly actions: ActionsApi<Given>
  readonly webhooks: WebhooksApi<Given>
  readonly workflows: Omit<WorkflowsApi, 'resume' | 'close'>
  /** Serves OAuth callbacks, connections, actions and webhooks: a fetch handler, to be mounted at `basePath`. */
  readonly handler: (request: Request) => Promise<Response>
  /** Where `handler` is mounted, for adapters: the path below which its routes lie, and the public address. */
  readonly basePath: string
  readonly baseUrl: string
  /** Opens database and keys now, so that a wrong key or address is known at the start. Happens at the first use otherwise. */
  open(): Promise<void>
  /** Ends what is under way, closes clients and database. */
  close(): Promise<void>
}

/** What `createPlugwork` answers: `plug.github.issues.create(…)` beside the API. */
export type Plugwork<Given extends readonly Connectable[] = readonly Connectable[]> = PlugworkApi<Given> &
  Methods<Given>

/**
 * Connects an application to services. Throws `sdk_option_invalid` and `sdk_key_invalid`; everything else shows at the first
 * use, or at `open()`.
 *
 * @example
 * const plug = createPlugwork({
 *   database: 'sqlite:./app.db',
 *   encryptionKey: process.env.PLUGWORK_KEYS!,
 *   baseUrl: 'https://app.example.com',
 *   auth: { authenticate: (request) => sessionOf(request) },
 *   connectors: [github({ clientId, clientSecret })],
 * })
 * await plug.github.issues.create({ userId: 'u1', params: { owner, repo, title } })
 */
export function createPlugwork<const Given extends readonly Connectable[]>(
  options: PlugworkOptions<Given>,
): Plugwork<Given> {
  const settings = checkOptions(options)
  let opening: Promise<Engine> | null = null
  let engine: Engine | null = null
  let closed = false
  const providers = new Providers(options.connectors, (connector) => engine?.connections.register(connector))

  const openEngine = async (): Promise<Engine> => {
    const loaded = await import('./engine.ts')
    const opened = await loaded.openEngine(settings, providers)
    for (const connector of providers.connectors) opened.connections.register(connector)
    opened.connections.subscribe((event) => connections.tell(event))
    engine = opened
    return opened
  }
  const open = (): Promise<Engine> => {
    if (closed)
      return Promise.reject(sdkError('sdk_closed', 'This SDK was closed. Make another one with createPlugwork.'))
    // One that failed is tried again at the next use.
    opening ??= openEngine().catch((error: unknown) => {
      opening = null
      throw error
    })
    return opening
  }

  let working: Promise<WorkflowsApi> | null = null
  const openWorkflows = (): Promise<WorkflowsApi> => {
    working ??= open().then(
      async (opened) => {
        const { WorkflowsApi } = await import('./workflows/workflows-api.ts')
        return new WorkflowsApi(opened, settings, providers)
      },
      (error: unknown) => {
        working = null
        throw error
      },
    )
    return working
  }

  let receiving: ServiceWebhooks | null = null
  const openReceiving = async (): Promise<ServiceWebhooks> => {
    const [opened, { openWebhooks }] = [await open(), await import('./open-webhooks.ts')]
    if (receiving === null) {
      receiving = openWebhooks(opened, settings, providers)
      webhooks.attachAll(receiving)
    }
    return receiving
  }
  const webhooks = new Webhooks({ settings, providers, open: openReceiving, opened: () => receiving })

  const calling = { providers, open, opened: () => engine }
  const actions = new Actions(calling)
  const connections = new ConnectionsApi({ settings, providers, open })
  const own: PlugworkApi<Given> = {
    connections,
    providers,
    // Typed by the connectors that were given; the class goes by names.
    actions: actions as unknown as ActionsApi<Given>,
    async handler(request) {
      const { handle } = await import('./handler/handle.ts')
      return handle({ settings, providers, open, calling, workflows: openWorkflows, webhooks }, request)
    },
    // Typed by the triggers of the connectors that were given; the class goes by names.
    webhooks: webhooks as unknown as WebhooksApi<Given>,
    workflows: lazyMethods(openWorkflows, WORKFLOW_METHODS),
    basePath: settings.basePath === '' ? '/' : settings.basePath,
    baseUrl: settings.baseUrl,
    async open() {
      await open()
      // What an earlier process left: events for the handlers that there are, and runs.
      if (webhooks.wanted) await openReceiving()
      await (await openWorkflows()).resume()
    },
    async close() {
      closed = true
      const opened = await opening?.catch(() => null)
      await receiving?.close()
      await (await working?.catch(() => null))?.close()
      await opened?.close()
    },
  }
  // The proxy answers what `Methods` says of the connectors given.
  return withMethods(own, providers, (...call) => actions.execute(...call)) as Plugwork<Given>
}
