import type { Route } from './route.ts'

const paths = ['/hooks/:connector', '/hooks/:connector/:id'] as const

/** Events of services. Nobody is signed in: a request proves itself by its signature. Some services ask with GET first. */
export const webhookRoutes: readonly Route[] = paths.flatMap((path) =>
  (['POST', 'GET'] as const).map((method): Route => ({
    method,
    path,
    session: false,
    site: 'any',
    run: ({ webhooks, request }) => webhooks.handle(request),
  })),
)
