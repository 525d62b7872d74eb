import assert from 'node:assert/strict'
import { after, before, type TestContext, test } from 'node:test'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import type { PipelineView } from '../../../src/watch/view.ts'
import { openBrowser, withoutBrowser } from '../../helpers/browser.ts'
import { nightScene } from '../../helpers/made-night.ts'
import { aJob, aPartition, aView, aWorker, HOSTILE, MadeSource } from '../../helpers/made-view.ts'
import { openPage } from '../../helpers/open-page.ts'
import { servePage } from '../../helpers/page-server.ts'

/** As the issue asks: what happens is on the page within 5 s. */
const SOON = { timeout: 5000 }

let browser: Browser
before(async () => {
  if (!withoutBrowser) browser = await openBrowser()
})
after(() => browser?.close())

const open = (t: TestContext, views: readonly PipelineView[], options: BrowserContextOptions = {}) =>
  openPage(browser, t, views, options)
// biome-ignore lint/performance/useDomNodeTextContent: what can be seen, without what is hidden
const textOf = (page: Page, selector: string) => page.locator(selector).innerText()
const until = (page: Page, selector: string, text: string | RegExp) =>
  page.locator(selector).filter({ hasText: text }).waitFor(SOON)
/** A view as of now: ages on the page are by the clock of the monitor. */
const now = (parts: Partial<PipelineView> = {}) => aView({ at: Date.now(), ...parts })

test('the largest text on the page says what the job waits for; since when and the command that helps are below it', {
  skip: withoutBrowser,
}, async t => {
  const { page } = await open(t, nightScene(Date.now()))
  assert.equal(await textOf(page, 'h1'), 'Job orders-2026-11-28 waits for worker mill-b-77-1, which stopped answering.')
  assert.match(await textOf(page, '#since'), /^For \d+ s, since \d\d:\d\d:\d\d$/)
  assert.equal(await textOf(page, '#help-command'), 'ssh mill-b kill -9 91')
  const sizes = await page.evaluate(() =>
    [...document.querySelectorAll('body *')].map(
      element => [element.tagName, Number.parseFloat(getComputedStyle(element).fontSize)] as const,
    ),
  )
  const largest = Math.max(...sizes.map(([, size]) => size))
  assert.deepEqual(
    sizes.filter(([, size]) => size === largest).map(([tag]) => tag),
    ['H1'],
  )
})

test('the page shows jobs, partitions, workers, times, rejects and events in words', {
  skip: withoutBrowser,
}, async t => {
  const { page } = await open(t, nightScene(Date.now()))
  const jobs = await textOf(page, '#jobs')
  assert.match(jobs, /orders-2026-11-28 \(open below\)|orders-2026-11-28/)
  assert.match(
    jobs,
    /\d\d % of 1,000,000 rows\s+1,000,000 published · \d{3},\d{3} classified · \d{3},\d{3} written · 3 rejected · 890 rows\/s(?! · done)/,
  )
  assert.match(jobs, /returns-2026-11-27\s+.*failed/)
  assert.equal(await textOf(page, '#partitions-note'), 'The ordered output waits for partition 5.')
  assert.match(
    await textOf(page, '#partitions tr.blocks'),
    /^5\s+▶ output waits here\s+\d\d,\d{3}\s+oldest: 2 min\s+0\s+mill-b-77-1$/,
  )
  assert.match(
    await textOf(page, '#workers tbody tr:first-child'),
    /^mill-b-77-1\s+mill-b, pid 822\s+! silent for \d+ s\s+100 rows from row 511,500 for \d+ s\s+0\s+178,800$/,
  )
  assert.match(
    await textOf(page, '#time-list'),
    /^classifying\s+84 % \(\d+ min\)\s+sending results\s+5 % \(\d+ min\)\s+waiting for rows\s+10 % \(\d+ min\)\s+starting the classifier\s+1 %/,
  )
  assert.match(await textOf(page, '#reasons'), /CLASSIFIER_FAILED\s+2\s+MALFORMED_ROW\s+1/)
  assert.match(await textOf(page, '#rejects'), /^row 288,540, line 288,542\s*CLASSIFIER_FAILED\s+KeyError: 'amount'/)
  assert.match(await textOf(page, '#timeline'), /^\d\d:\d\d:\d\d\s+Worker mill-b-77-1 stopped answering\./)
  assert.match(
    await textOf(page, '#chart-text'),
    /^Classified now: \d+ rows\/s\. In the last 10 minutes: 1,1\d\d on average, 1,2\d\d at most\.$/,
  )
  assert.equal(await page.locator('#chart canvas').count(), 1)
  await page.getByText('The same as a table').click()
  assert.match(await textOf(page, '#chart-rows tr:nth-child(7)'), /^\d\d:\d\d:00\s+[\d,]+\s+1,\d{3}\s+1,\d{3}$/)
})

test('markup in the name of a job, worker, host and in the text of an error is text', {
  skip: withoutBrowser,
}, async t => {
  const reject = { row: 1, line: 2, reason: HOSTILE, detail: HOSTILE }
  const wait = { reason: 'worker-silent' as const, row: 1, partition: 1, worker: HOSTILE, since: 1, text: HOSTILE }
  const job = aJob({
    id: HOSTILE,
    partitions: [aPartition({ owner: HOSTILE, topic: HOSTILE })],
    ...{ rejectsByReason: { [HOSTILE]: 1 }, lastRejects: [reject], waitsFor: wait },
    help: { why: HOSTILE, command: `rowmill work ${HOSTILE}` },
  })
  const failure = { code: 'BAD', place: HOSTILE, message: `${HOSTILE}\n${HOSTILE}` }
  const events = [{ number: 0, at: 1, kind: 'rejects' as const, job: HOSTILE, worker: HOSTILE, text: HOSTILE }]
  const workers = [aWorker({ name: HOSTILE, host: HOSTILE })]
  const view = now({
    pipeline: HOSTILE,
    brokers: HOSTILE,
    jobs: [aJob({ id: `${HOSTILE}2`, phase: 'failed', failure, movedAt: Date.now() }), job],
    workers,
    events,
  })
  const { page, faults } = await open(t, [view])
  for (const place of [
    'h1',
    '#detail',
    '#help-command',
    '#help-why',
    '#others',
    '#jobs',
    '#partitions',
    '#workers',
    '#reasons',
    '#rejects',
    '#timeline',
    '#pipeline',
    '#announcement',
  ])
    assert.match((await page.locator(place).textContent())!, /<img src=x onerror=alert\(1\)>/, place)
  assert.equal(await page.locator('img').count(), 1)
  assert.match(await page.title(), /<img src=x/)
  await page.locator('#jobs a').nth(1).click()
  await until(page, 'h1', 'failed.')
  assert.equal(await page.locator('img').count(), 1)
  assert.deepEqual(faults, [])
})

test('the policy of the page refuses a script, a style and markup that somebody slips in', {
  skip: withoutBrowser,
}, async t => {
  const { page, faults } = await open(t, [now()])
  const outcome = await page.evaluate(() => {
    const said: string[] = []
    document.addEventListener('securitypolicyviolation', event => said.push(event.effectiveDirective))
    const script = document.createElement('script')
    try {
      script.text = 'window.owned = true'
    } catch {
      said.push('text of a script')
    }
    try {
      document.body.innerHTML = '<b>owned</b>'
    } catch {
      said.push('innerHTML')
    }
    const image = new Image()
    image.src = 'http://127.0.0.1:1/leak'
    document.body.setAttribute('style', 'color: red')
    document.body.append(script)
    return new Promise<{ said: string[]; isOwned: boolean }>(resolve =>
      setTimeout(() => resolve({ said, isOwned: 'owned' in window }), 200),
    )
  })
  assert.equal(outcome.isOwned, false)
  for (const refused of ['text of a script', 'innerHTML', 'img-src', 'style-src-attr'])
    assert.ok(outcome.said.includes(refused), `${refused}: ${outcome.said}`)
  faults.length = 0
})

test('a click on a job opens it, and the way back leads back; a copy button copies the command', {
  skip: withoutBrowser,
}, async t => {
  const help = { why: 'Start a worker:', command: "rowmill work --pipeline 'a b'" }
  const jobs = [aJob({ id: 'calm' }), aJob({ id: 'stuck', phase: 'stalled', help })]
  const { page } = await open(t, [now({ jobs })], { permissions: ['clipboard-read', 'clipboard-write'] })
  assert.equal(await textOf(page, 'h1'), 'Job stuck is stalled: rows wait, and nothing moves.')
  await page.getByRole('button', { name: 'Copy' }).click()
  await page.getByRole('button', { name: 'Copied' }).waitFor()
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), help.command)
  await page.locator('a[data-job=calm]').click()
  await until(page, 'h1', 'Job calm is running')
  assert.match(await textOf(page, '#others'), /Job stuck is stalled/)
  assert.equal(new URL(page.url()).search, '?job=calm')
  assert.equal(await page.evaluate(() => document.activeElement?.getAttribute('data-job')), 'calm')
  await page.goBack()
  await until(page, 'h1', 'Job stuck')
})

test('what happens is on the page within 5 s: a worker dies, a job fails, the broker goes away and comes back', {
  skip: withoutBrowser,
}, async t => {
  const { source, page } = await open(t, [now()])
  source.show(
    now({
      workers: [aWorker({ state: 'gone' })],
      jobs: [
        aJob({
          waitsFor: { reason: 'no-worker', row: 1, partition: 0, worker: null, since: Date.now(), text: 'No worker.' },
        }),
      ],
    }),
  )
  await until(page, 'h1', 'Job orders waits for a worker: none is running.')
  await until(page, '#workers tbody tr', /gone\u2013/)
  const failure = { code: 'CLASSIFIER_FAILED', place: 'row 17', message: 'KeyError\n    df["A"]\n       ^^^' }
  source.show(now({ jobs: [aJob({ phase: 'failed', failure, movedAt: Date.now() })] }))
  await until(page, 'h1', 'Job orders failed.')
  await until(page, '#detail', 'row 17: KeyError [CLASSIFIER_FAILED]')
  assert.equal(await textOf(page, '#trace'), '    df["A"]\n       ^^^')
  assert.equal(await page.locator('#trace').evaluate(trace => getComputedStyle(trace).whiteSpace), 'pre')
  await until(page, '#since', /^\d s ago, at /)
  source.show(now({ unreachableSince: Date.now() - 3000 }))
  await until(page, 'h1', 'No Kafka broker answers at 127.0.0.1:9092.')
  await until(page, '#since', /^For [34] s/)
  source.show(now())
  await until(page, 'h1', 'Job orders is running')
})

test('the page says when no news comes, and goes on by itself with the points that it missed', {
  skip: withoutBrowser,
}, async t => {
  const source = new MadeSource()
  const first = await servePage(source)
  const page = await browser.newPage()
  t.after(() => page.close())
  source.show(now())
  await page.goto(first.address)
  await page.locator('#connection[data-state=live]').waitFor()
  await first.close()
  await page
    .locator('#connection-text')
    .filter({ hasText: /^last news \d+ s ago: is the monitor running\?$/ })
    .waitFor({ timeout: 10_000 })
  const second = await servePage(source, { port: first.port, feed: first.feed })
  t.after(() => second.close())
  await page.locator('#connection[data-state=live]').waitFor({ timeout: 15_000 })
  source.show(now({ jobs: [aJob({ id: 'later' })] }))
  await until(page, 'h1', 'Job later')
})

test('a page for which the monitor has no room says so, and has the news when another page is closed', {
  skip: withoutBrowser,
}, async t => {
  const source = new MadeSource()
  const server = await servePage(source)
  t.after(() => server.close())
  source.show(now())
  const others = Array.from({ length: 32 }, () => new AbortController())
  t.after(() => {
    for (const other of others) other.abort()
  })
  await Promise.all(
    others.map(async ({ signal }) => {
      const { status, body } = await fetch(`${server.address}/api/stream`, { signal })
      assert.equal(status, 200)
      await body!.getReader().read()
    }),
  )
  const page = await browser.newPage()
  t.after(() => page.close())
  await page.goto(server.address)
  await until(page, 'h1', 'The monitor sends this page no news: too many pages are open: close one.')
  await until(page, '#connection-text', 'no news: too many pages are open: close one')
  others[0]!.abort()
  await page.locator('#connection[data-state=live]').waitFor({ timeout: 15_000 })
  await until(page, 'h1', 'Job orders is running')
})

test('a count that nobody knows is left out of the line of a job, and the whole command that helps is there', {
  skip: withoutBrowser,
}, async t => {
  const rows = { total: 1000, published: null, classified: 20, written: null, rejected: null }
  const help = { why: 'repair it', command: 'rowmill rejects replay --job orders && rowmill collect OUT --job orders' }
  const { page } = await open(t, [now({ jobs: [aJob({ phase: 'failed', rows, help })] })])
  await until(page, 'h1', 'Job orders failed.')
  assert.doesNotMatch(await textOf(page, '#jobs'), /unknown|published/)
  assert.match(await textOf(page, '#jobs'), /20 classified/)
  assert.equal(await textOf(page, '#help-command'), help.command)
})

test('a screen reader is told a new sentence once, and not each change of a number', {
  skip: withoutBrowser,
}, async t => {
  const { source, page } = await open(t, [now()])
  await page.evaluate(() => {
    const said: string[] = []
    Object.assign(window, { said })
    const live = document.getElementById('announcement')!
    new MutationObserver(() => said.push(live.textContent!)).observe(live, {
      childList: true,
      characterData: true,
      subtree: true,
    })
  })
  for (const classified of [510, 530, 560]) {
    source.show(now({ jobs: [aJob({ rows: { ...aJob().rows, classified } })] }))
    await until(page, 'h1', `${classified / 10} %`)
  }
  source.show(now({ jobs: [aJob({ phase: 'complete' })] }))
  await until(page, 'h1', 'is complete')
  assert.deepEqual(await page.evaluate(() => (window as unknown as { said: string[] }).said), [
    'Job orders is complete.',
  ])
})

test('by keyboard: the skip link comes first, then the command, then the jobs, and nothing is a trap', {
  skip: withoutBrowser,
}, async t => {
  const { page } = await open(t, nightScene(Date.now()))
  const names: string[] = []
  for (let count = 0; count < 30; count++) {
    await page.keyboard.press('Tab')
    const name = await page.evaluate(() => {
      const { activeElement } = document
      if (!activeElement || activeElement === document.body) return ''
      const style = getComputedStyle(activeElement)
      if (style.outlineStyle === 'none' || Number.parseFloat(style.outlineWidth) < 2) return 'focus cannot be seen'
      return (
        activeElement.id ||
        activeElement.getAttribute('data-job') ||
        activeElement.textContent!.trim() ||
        activeElement.className
      )
    })
    if (name === '') break
    names.push(name)
  }
  assert.deepEqual(names.slice(0, 4), [
    'Skip to what the job waits for',
    'help-copy',
    'orders-2026-11-28',
    'returns-2026-11-27',
  ])
  assert.equal(names.at(-1), 'MIT License')
  assert.ok(!names.includes('focus cannot be seen'), String(names))
})

test('nothing is wider than a phone of 360 px', { skip: withoutBrowser }, async t => {
  const { page } = await open(t, nightScene(Date.now()), { viewport: { width: 360, height: 740 } })
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360)
  const box = (await page.locator('h1').boundingBox())!
  assert.ok(box.y + box.height < 740, 'the sentence is on the first screen')
})

test('a change of one job touches its line alone, also among a hundred', { skip: withoutBrowser }, async t => {
  const jobs = Array.from({ length: 100 }, (_, n) => aJob({ id: `job-${n}` }))
  const { source, page } = await open(t, [now({ jobs })])
  await page.getByRole('button', { name: 'Show all 100 jobs' }).click()
  assert.equal(await page.locator('#jobs li').count(), 100)
  await page.evaluate(() => {
    const touched = new Set<string>()
    Object.assign(window, { touched })
    new MutationObserver(records => {
      for (const { target } of records) {
        const place = target instanceof Element ? target : target.parentElement
        touched.add(place?.closest('a[data-job]')?.getAttribute('data-job') ?? `${place?.closest('section')?.id}`)
      }
    }).observe(document.getElementById('jobs')!, {
      subtree: true,
      childList: true,
      attributes: true,
      characterData: true,
    })
  })
  source.show(now({ jobs: jobs.with(40, aJob({ id: 'job-40', rows: { ...aJob().rows, classified: 700 } })) }))
  await until(page, 'a[data-job=job-40]', '70 %')
  assert.deepEqual(await page.evaluate(() => [...(window as unknown as { touched: Set<string> }).touched]), ['job-40'])
})
