/**
 * Makes docs/pictures/monitor-*.png: the page of `rowmill monitor` in the night of test/helpers/made-night.ts. It needs Chromium
 * (apt-get install chromium). Run it after a change of the page, and look at the pictures.
 */
import { join } from 'node:path'
import { PageFeed } from '../src/monitor/page/page-feed.ts'
import { realTime } from '../src/support/clock.ts'
import { openBrowser } from '../test/helpers/browser.ts'
import { nightScene } from '../test/helpers/made-night.ts'
import { MadeSource } from '../test/helpers/made-view.ts'
import { servePage } from '../test/helpers/page-server.ts'

const FOLDER = join(import.meta.dirname, '../docs/pictures')
const NOW = Date.UTC(2026, 10, 28, 3, 12)
const DESKTOP = { width: 1120, height: 1150 }

/** By the name of the file. */
export const SCREENSHOTS = {
  'monitor-light.png': { viewport: DESKTOP, colorScheme: 'light' },
  'monitor-dark.png': { viewport: DESKTOP, colorScheme: 'dark' },
  'monitor-phone.png': { viewport: { width: 360, height: 740 }, colorScheme: 'light' },
} as const

async function make(): Promise<void> {
  const source = new MadeSource()
  const server = await servePage(source, { feed: new PageFeed(source, realTime, () => NOW) })
  const browser = await openBrowser()
  for (const [name, options] of Object.entries(SCREENSHOTS)) {
    const page = await browser.newPage({ ...options, timezoneId: 'UTC', locale: 'en' })
    await page.goto(server.address)
    await page.locator('#connection[data-state=live]').waitFor()
    for (const view of nightScene(NOW)) source.show(view)
    await page.locator('#timeline li').nth(6).waitFor()
    await page.screenshot({ path: join(FOLDER, name) })
    await page.close()
  }
  await browser.close()
  await server.close()
}

if (import.meta.main) await make()
