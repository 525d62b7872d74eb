import type { Route, RouteAnswer } from './server.ts'

/** An answer to a probe, with its reason. */
export interface Health {
  readonly isGood: boolean
  /** One clause for people, also when all is well: `rows moved 3 s ago`. */
  readonly reason: string
}

/**
 * A path for the probes of an orchestrator: 200 or 503. Kubernetes cannot send a token from a secret with a probe, so it is
 * answered without one too, and then says no more than whether all is well.
 */
export function healthRoute(path: '/livez' | '/readyz', examine: () => Health | Promise<Health>): Route {
  const unwell = path === '/livez' ? 'not live' : 'not ready'
  return {
    method: 'GET',
    path,
    isOpen: true,
    answer: async ({ isTrusted }): Promise<RouteAnswer> => {
      const { isGood, reason } = await examine()
      const verdict = isGood ? 'ok' : unwell
      return { status: isGood ? 200 : 503, body: isTrusted ? `${verdict}: ${reason}\n` : `${verdict}\n` }
    },
  }
}
