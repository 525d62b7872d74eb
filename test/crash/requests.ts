/** Which requests of the commands of a fire a proxy should match. */
import { API, type Request } from '../helpers/proxy.ts'

export type Who = 'publish' | 'work' | 'collect'

/** Requests of this kind, by one of the commands. Those of its reports, which nothing depends on, do not count. */
export const by = (who: Who, api: keyof typeof API) => (request: Request) =>
  request.api === API[api] && whose(request) === who && !request.bytes.includes('.reports')

/** What the publisher sends to a topic. A job record also names the topic of its rows. */
export const published = (topic: 'jobs' | 'rows') => (request: Request) =>
  by('publish', 'produce')(request) && request.bytes.includes('.jobs') === (topic === 'jobs')

function whose({ client }: Request): Who {
  if (client === 'rowmill-publish') return 'publish'
  return client === 'rowmill-collect' ? 'collect' : 'work'
}
