import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import type { PipelineView } from '../../src/watch/view.ts'
import { MadeSource } from './made-view.ts'
import { servePage } from './page-server.ts'

/** The page, open on these views. The test fails if the page has an error or breaks its security policy. */
export async function openPage(
  browser: Browser,
  t: TestContext,
  views: readonly PipelineView[],
  options: BrowserContextOptions = {},
): Promise<{ source: MadeSource; page: Page; faults: string[] }> {
  const source = new MadeSource()
  const server = await servePage(source)
  t.after(() => server.close())
  const context = await browser.newContext(options)
  t.after(() => context.close())
  const page = await context.newPage()
  const faults: string[] = []
  page.on('pageerror', error => faults.push(error.message))
  page.on('console', message => message.type() === 'error' && faults.push(message.text()))
  page.on('dialog', dialog => faults.push(`dialog ${dialog.message()}`))
  t.after(() => assert.deepEqual(faults, []))
  await page.goto(server.address)
  await page.locator('#connection[data-state=live]').waitFor()
  for (const view of views) source.show(view)
  await page.locator('#pipeline').filter({ hasText: / on / }).waitFor()
  return { source, page, faults }
}
