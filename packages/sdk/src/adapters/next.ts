/** `@plugwork/sdk/next`: Plugwork in the App Router of Next.js. */
import { AdapterError } from './errors.ts'
import { fromFetch } from './from-fetch.ts'
import { basePathOf, isMounted, type AdapterOptions, type Mountable } from './mountable.ts'

export type { AdapterOptions, Mountable } from './mountable.ts'

export type NextMethod = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS'
export type NextHandler = (request: Request) => Promise<Response>

/**
 * The exports of a catch-all route file, such as `app/api/plugwork/[...path]/route.ts` for the base path `/api/plugwork`.
 *
 * ```ts
 * import { nextHandlers, type Mountable } from '@plugwork/sdk/next'
 *
 * declare const plug: Mountable
 * export const { GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS } = nextHandlers(plug)
 * ```
 */
export function nextHandlers(plug: Mountable, options: AdapterOptions = {}): Record<NextMethod, NextHandler> {
  const handle: NextHandler = async (request) => {
    const { pathname } = new URL(request.url)
    if (!isMounted(plug, pathname)) {
      throw new AdapterError(
        'adapter_mount_invalid',
        `The route file answers ${pathname}, but the base path of Plugwork is ${basePathOf(plug)}: move the file to ` +
          `app${basePathOf(plug)}/[...path]/route.ts, or change basePath.`,
      )
    }
    try {
      return await plug.handler(fromFetch(plug, request, { ...options, remedy: REMEDY }))
    } catch (error) {
      // Next answers every error with 500; what the client did wrong has another status.
      if (error instanceof AdapterError && error.status < 500) return error.getResponse()
      throw error
    }
  }
  return { GET: handle, HEAD: handle, POST: handle, PUT: handle, PATCH: handle, DELETE: handle, OPTIONS: handle }
}

const REMEDY = 'Hand the route file’s request to Plugwork untouched; what else reads it has to read `request.clone()`.'
