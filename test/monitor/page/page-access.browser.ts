import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { after, before, test } from 'node:test'
import type { Browser } from 'playwright-core'
import { openBrowser, withoutBrowser } from '../../helpers/browser.ts'
import { nightScene } from '../../helpers/made-night.ts'
import { aJob, aView } from '../../helpers/made-view.ts'
import { openPage } from '../../helpers/open-page.ts'

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js')
const SIZES = { phone: { width: 360, height: 740 }, desktop: { width: 1280, height: 900 } }

let browser: Browser
before(async () => {
  if (!withoutBrowser) browser = await openBrowser()
})
after(() => browser?.close())

const now = Date.now()
const scenes = {
  'a worker that froze': nightScene(now),
  'a job that runs': nightScene(now - 300_000).slice(0, -60),
  'no job': [aView({ at: now, jobs: [], workers: [], processes: [] })],
  'a job that is complete': [aView({ at: now, jobs: [aJob({ phase: 'complete' })] })],
  'no broker': [aView({ at: now, unreachableSince: now - 5000 })],
}

for (const [scene, views] of Object.entries(scenes))
  for (const [size, viewport] of Object.entries(SIZES))
    for (const colorScheme of ['light', 'dark'] as const)
      test(`axe finds nothing with ${scene}, on a ${size}, ${colorScheme}`, { skip: withoutBrowser }, async t => {
        // What axe brings with it breaks the policy of the page.
        const { page } = await openPage(browser, t, views, { viewport, colorScheme, bypassCSP: true })
        const table = page.getByText('The same as a table')
        if (await table.isVisible()) await table.click()
        await page.addScriptTag({ path: AXE })
        const found = await page.evaluate(async () => {
          const { violations } = await (window as unknown as { axe: typeof import('axe-core') }).axe.run()
          return violations.map(
            ({ id, impact, nodes }) => `${impact} ${id}: ${nodes.map(({ target }) => target).join(' ')}`,
          )
        })
        assert.deepEqual(found, [])
      })
