import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PageChanges } from '../../../src/monitor/page/page-changes.ts'
import { PageFeed } from '../../../src/monitor/page/page-feed.ts'
import type { PageMessage } from '../../../src/monitor/page/page-state.ts'
import { aJob, aView, aWorker, HOSTILE, MADE_AT, MadeSource } from '../../helpers/made-view.ts'
import { ManualTime } from '../../helpers/manual-time.ts'

const HOUR_MS = 3_600_000
const at = (seconds: number) => MADE_AT + seconds * 1000

function aFeed() {
  const source = new MadeSource()
  const time = new ManualTime()
  const feed = new PageFeed(source, time, () => MADE_AT)
  const open = (job: string | null = null, after = 0) => {
    const gone = new AbortController()
    const events = feed.events(new PageChanges(job, after), gone.signal)
    return { next: async () => read((await events.next()).value), events, gone }
  }
  return { source, time, feed, open }
}

function read(event: string): { id: number; message: PageMessage } {
  const [, id, data] = /^id: (\d+)\ndata: (.*)\n\n$/.exec(event) ?? assert.fail(`no event: ${event}`)
  return { id: Number(id), message: JSON.parse(data!) }
}

test('the first event has everything; a later one has what changed', async () => {
  const { source, time, open } = aFeed()
  source.show(aView({ jobs: [aJob({ id: 'a' }), aJob({ id: 'b' })], events: [] }))
  const page = open('a')
  const first = (await page.next()).message
  assert.equal(first.isFirst, true)
  assert.deepEqual(first.order, ['b', 'a'])
  assert.equal(first.jobs!.length, 2)
  assert.equal(first.job!.id, 'a')
  await time.pass(1000)
  const next = page.next()
  const event = { number: 0, at: MADE_AT, kind: 'rebalance' as const, job: null, worker: null, text: 'moved' }
  source.show(aView({ jobs: [aJob({ id: 'a' }), aJob({ id: 'b', etaSeconds: 7 })], events: [event] }))
  const { message } = await next
  assert.deepEqual(Object.keys(message).sort(), ['at', 'events', 'isFirst', 'jobs', 'points'])
  assert.deepEqual(
    message.jobs!.map(({ id }) => id),
    ['b'],
  )
  assert.deepEqual(message.events, [{ ...event, text: 'Moved.' }])
})

test('there is at most one event a second, and the last view is never dropped', async () => {
  const { source, time, open } = aFeed()
  source.show(aView())
  const page = open()
  await page.next()
  const early = page.next()
  source.show(aView({ jobs: [aJob({ id: 'early' })] }))
  assert.deepEqual((await early).message.order, ['early'])
  let isLate = false
  const late = page.next()
  void late.then(() => {
    isLate = true
  })
  await time.pass(100)
  source.show(aView({ jobs: [aJob({ id: 'dropped' })] }))
  source.show(aView({ jobs: [aJob({ id: 'late' })] }))
  await time.pass(800)
  assert.equal(isLate, false)
  await time.pass(200)
  assert.deepEqual((await late).message.order, ['late'])
})

test('a page that does not read for a while gets all that changed in one event', async () => {
  const { source, time, open } = aFeed()
  source.show(aView({ at: at(0) }))
  const page = open()
  await page.next()
  for (let second = 1; second <= 60; second++) {
    source.show(aView({ at: at(second), jobs: [aJob({ id: `job-${second}` })] }))
    await time.pass(1000)
  }
  const { message } = await page.next()
  assert.deepEqual(message.order, ['job-60'])
  assert.equal(message.points!.at.length, 30)
  let isMore = false
  void page.next().then(() => {
    isMore = true
  })
  await time.pass(100)
  assert.equal(isMore, false)
})

test('without a page the source is not listened to; from the last page on it is for an hour, so a page that slept misses nothing', async () => {
  const { source, time, open } = aFeed()
  source.show(aView({ at: at(0) }))
  assert.equal(source.listeners, 0)
  const page = open()
  await page.next()
  source.show(aView({ at: at(2) }))
  const { id } = await page.next()
  assert.equal(id, at(2))
  page.gone.abort()
  await page.events.return(undefined)
  for (const second of [4, 6, 8]) source.show(aView({ at: at(second) }))
  const again = open(null, id)
  assert.deepEqual((await again.next()).message.points!.at, [at(4), at(6), at(8)])
  again.gone.abort()
  await again.events.return(undefined)
  await time.pass(HOUR_MS - 1000)
  assert.equal(source.listeners, 1)
  await time.pass(1000)
  assert.equal(source.listeners, 0)
})

test('a stream ends when its client is gone, also while it waits', async () => {
  const { source, open } = aFeed()
  source.show(aView())
  const page = open()
  await page.next()
  const waiting = page.events.next()
  page.gone.abort()
  assert.equal((await waiting).done, true)
})

test('a stream without news gives a sign of life every 15 s, and at most 32 are open', async () => {
  const { source, time, feed, open } = aFeed()
  source.show(aView())
  const page = open()
  await page.next()
  const sign = page.events.next()
  await time.pass(15_000)
  assert.equal((await sign).value, ': no news\n\n')
  for (let count = 1; count < 32; count++) {
    assert.ok(feed.hasRoom)
    await open().next()
  }
  assert.equal(feed.hasRoom, false)
})

test('text of others is sent with escapes for what would reorder it, and a job with such a name can be opened', async () => {
  const { source, open } = aFeed()
  source.show(aView({ jobs: [aJob({ id: HOSTILE }), aJob({ id: 'other' })], workers: [aWorker({ name: HOSTILE })] }))
  const first = (await open().next()).message
  const shown = first.order!.at(-1)!
  for (const text of [shown, first.workers![0]!.name]) assert.doesNotMatch(text, /[\p{Cc}\p{Bidi_Control}]/u)
  assert.match(shown, /<img src=x onerror=alert\(1\)>/)
  assert.equal((await open(shown).next()).message.job!.id, shown)
})

test('of many jobs, partitions and workers it sends those that matter', async () => {
  const { source, open } = aFeed()
  const jobs = Array.from({ length: 300 }, (_, n) =>
    aJob({ id: `job-${n}`, phase: n === 3 ? 'classifying' : 'complete' }),
  )
  const partition = aJob().partitions[0]!
  jobs[3] = aJob({
    id: 'job-3',
    partitions: Array.from({ length: 500 }, (_, n) => ({
      ...partition,
      partition: n,
      lagRows: n % 100,
      blocks: n === 200,
    })),
  })
  const workers = Array.from({ length: 150 }, (_, n) =>
    aWorker({ name: `w-${n}`, state: n === 149 ? 'silent' : 'busy' }),
  )
  source.show(aView({ jobs, workers }))
  const { message } = await open().next()
  assert.equal(message.order!.length, 100)
  assert.deepEqual(message.order!.slice(0, 2), ['job-3', 'job-299'])
  const partitions = message.job!.partitions
  assert.equal(partitions.length, 64)
  assert.equal(message.job!.partitionsLeftOut, 436)
  assert.ok(partitions.some(({ partition }) => partition === 200))
  assert.ok(partitions.every(({ lagRows, blocks }) => blocks || lagRows! >= 87))
  assert.equal(message.workers![0]!.name, 'w-149')
  assert.deepEqual([message.workers!.length, message.workersLeftOut], [100, 50])
})
