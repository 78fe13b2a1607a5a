/**
 * How every service is found: named by an environment variable, else answering on its default port, else started from an
 * installed program, else installed and started, else an error that says what to do. Nothing is skipped silently.
 */
import { requireBinary, type BinaryNeed } from './binaries.ts'
import { startBinary, type Daemon, type DaemonOptions } from './daemon.ts'

export interface ServiceSpec {
  /** `postgres`; also the name in compose.yaml. */
  readonly name: string
  /** `PLUGWORK_TEST_POSTGRES_URL`. */
  readonly variable: string
  /** Where the machine's own one usually is. */
  readonly defaultUrl: string
  /** Speaks the protocol with the credentials of the URL; throws when that does not work. */
  probe(url: URL): Promise<void>
  readonly binary: BinaryNeed
  /** The daemon from the program found, and the URL it then has. */
  start(binary: string): { readonly options: DaemonOptions; url(port: number): string }
}

export interface Located {
  readonly url: string
  readonly source: 'environment' | 'default port' | 'started'
  /** Ends the daemon if this process started it. */
  stop(): Promise<void>
}

export interface LocateOptions {
  readonly env?: Readonly<Record<string, string | undefined>>
  /** False: does not ask the default port (tests of the starting). */
  readonly useRunning?: boolean
}

const nothing = (): Promise<void> => Promise.resolve()

export async function locate(spec: ServiceSpec, options: LocateOptions = {}): Promise<Located> {
  const { env = process.env, useRunning = true } = options
  const named = env[spec.variable]
  if (named !== undefined && named !== '') {
    try {
      await spec.probe(new URL(named))
    } catch (error) {
      throw new Error(`${spec.variable} is set, but ${spec.name} does not answer there: ${(error as Error).message}`, {
        cause: error,
      })
    }
    return { url: named, source: 'environment', stop: nothing }
  }
  let running = 'not asked'
  if (useRunning) {
    try {
      await spec.probe(new URL(spec.defaultUrl))
      return { url: spec.defaultUrl, source: 'default port', stop: nothing }
    } catch (error) {
      running = (error as Error).message || (error as { code?: string }).code || 'no answer'
    }
  }
  try {
    return await started(spec)
  } catch (error) {
    const { host } = new URL(spec.defaultUrl)
    throw new Error(
      `The tests need ${spec.name}. On ${host}: ${running}. ${(error as Error).message}\n` +
        `Either set ${spec.variable} (such as ${spec.defaultUrl}), or apt-get install ${spec.binary.packageName}, ` +
        `or docker compose up -d ${spec.name}`,
      { cause: error },
    )
  }
}

async function started(spec: ServiceSpec): Promise<Located> {
  const { options, url } = spec.start(await requireBinary(spec.binary))
  const daemon: Daemon = await startBinary({
    ...options,
    ready: ({ port }) => spec.probe(new URL(url(port))),
  })
  return { url: url(daemon.port), source: 'started', stop: daemon.stop }
}
