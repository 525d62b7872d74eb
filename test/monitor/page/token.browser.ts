/** A person opens the page from another machine: the browser asks for the token, and nothing else needs it. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { networkInterfaces } from 'node:os'
import { after, before, type TestContext, test } from 'node:test'
import type { Browser } from 'playwright-core'
import { PageFeed } from '../../../src/monitor/page/page-feed.ts'
import { pageRoutes } from '../../../src/monitor/page/page-routes.ts'
import { openServer } from '../../../src/monitor/server.ts'
import { openBrowser, withoutBrowser } from '../../helpers/browser.ts'
import { aView, MadeSource } from '../../helpers/made-view.ts'

const TOKEN = 'a-token-of-this-test-alone'
const address = Object.values(networkInterfaces())
  .flatMap(found => found ?? [])
  .find(({ family, internal }) => family === 'IPv4' && !internal)?.address
const skip = withoutBrowser || (address === undefined ? 'this machine has no address besides loopback' : false)

let browser: Browser
before(async () => {
  if (!skip) browser = await openBrowser()
})
after(() => browser?.close())

/** The page with a token, on the machine's own address. */
async function served(t: TestContext) {
  const source = new MadeSource()
  const feed = new PageFeed(source)
  const log: string[] = []
  const server = await openServer({
    ...{ address: '0.0.0.0', port: 0, token: TOKEN, names: [], routes: pageRoutes(feed) },
    say: message => log.push(message),
  })
  t.after(async () => {
    await server.close()
    feed.close()
  })
  source.show(aView())
  return { source, log, url: `http://${address}:${server.port}/` }
}

async function openWith(t: TestContext, url: string, password: string | null) {
  const httpCredentials = password === null ? undefined : { username: 'anybody', password }
  const context = await browser.newContext(httpCredentials ? { httpCredentials } : {})
  t.after(() => context.close())
  const page = await context.newPage()
  const requested: string[] = []
  page.on('request', request => requested.push(request.url()))
  const response = await page.goto(url).catch((error: Error) => error)
  return { context, page, requested, response }
}

test('the browser asks for a password, and with the token as that the page is live; no URL has it', {
  skip,
}, async t => {
  const { source, url, log } = await served(t)
  const { page, requested } = await openWith(t, url, TOKEN)
  await page.locator('#connection[data-state=live]').waitFor()
  source.show(aView({ jobs: [] }))
  await page.getByText('There is no job yet.').first().waitFor() // by the stream
  assert.ok(requested.some(asked => asked.includes('/api/stream')))
  for (const asked of [...requested, page.url(), ...log]) assert.ok(!asked.includes(TOKEN), asked)
  const kept = await page.evaluate(() => JSON.stringify([localStorage, sessionStorage, document.cookie]))
  assert.ok(!kept.includes(TOKEN), kept)
})

test('without the token, and with a wrong one, nothing of the pipeline is shown', { skip }, async t => {
  const { url } = await served(t)
  const asked = await openWith(t, url, null)
  // Headless Chromium has no dialog to ask a person with.
  assert.match(String(asked.response), /ERR_INVALID_AUTH_CREDENTIALS/)
  const { response, page } = await openWith(t, url, 'another-token-of-nobody')
  assert.ok(response !== null && !(response instanceof Error))
  assert.equal(response.status(), 401)
  assert.match(await page.content(), /--metrics-token-file/)
  assert.doesNotMatch(await page.content(), /orders/)
})

test('the page of another site cannot use the token that the browser knows', { skip }, async t => {
  const { url } = await served(t)
  const site = createServer((_, response) => response.end('<title>another site</title>')).listen(0, '127.0.0.1')
  t.after(() => site.close())
  await once(site, 'listening')
  const { context, page } = await openWith(t, url, TOKEN)
  await page.locator('#connection[data-state=live]').waitFor()
  const other = await context.newPage()
  await other.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}/`)
  const got = await other.evaluate(
    async from =>
      await Promise.all(
        [{ credentials: 'include' }, { credentials: 'include', mode: 'no-cors' }].map(options =>
          fetch(`${from}api/view`, options as RequestInit).then(
            answer => answer.text().then(text => `${answer.status} ${text}`),
            () => 'refused',
          ),
        ),
      ),
    url,
  )
  assert.deepEqual(got, ['refused', 'refused'])
})
