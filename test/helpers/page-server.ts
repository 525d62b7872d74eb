import { PageFeed } from '../../src/monitor/page/page-feed.ts'
import { pageRoutes } from '../../src/monitor/page/page-routes.ts'
import { openServer } from '../../src/monitor/server.ts'
import type { ViewSource } from '../../src/watch/view.ts'

interface ServedPage {
  readonly address: string
  readonly port: number
  readonly feed: PageFeed
  close(): Promise<void>
}

/** Serves the page of this source on loopback. */
export async function servePage(
  source: ViewSource,
  { port = 0, feed = new PageFeed(source) } = {},
): Promise<ServedPage> {
  const say = (message: string) => process.stderr.write(`${message}\n`)
  const routes = pageRoutes(feed)
  const server = await openServer({ address: '127.0.0.1', port, token: null, names: [], routes, say })
  return {
    address: server.url,
    port: server.port,
    feed,
    async close() {
      await server.close()
      feed.close()
    },
  }
}
