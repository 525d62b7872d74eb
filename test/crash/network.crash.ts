/**
 * A slow network, an interrupted one, and one that loses answers: the broker did the request, but the client cannot
 * know.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { brokerBehindProxy } from '../helpers/proxied-broker.ts'
import type { BrokerProxy, Request } from '../helpers/proxy.ts'
import { until } from '../helpers/until.ts'
import { assertCode, assertOutagesToldOnce, type Command, Fire, ONE_MOVES, TWO_MOVE } from './fire.ts'
import { by, published } from './requests.ts'

const CUT_AFTER_MS = 300

/**
 * Ends a job whose answers are being lost. Workers that are done still fetch and send heartbeats, so we stop them when all
 * answers are lost. They commit only while they have rows: the job must last as many seconds as it loses commits.
 */
async function complete(
  fire: Fire,
  working: Command,
  others: readonly Command[],
  losing: readonly Promise<void>[] = [],
): Promise<void> {
  for (const { finished } of others) assertCode(await finished, 0)
  let lost = false
  void Promise.all(losing).then(() => {
    lost = true
  })
  await until('the commands requested so much that all these answers were lost', () => lost)
  await fire.drain(working)
}

test('75 ms of latency each way: slower, and nothing is logged', async t => {
  const proxy = await brokerBehindProxy(t, { delayMs: 75 })
  const fire = await Fire.open(t, { brokers: proxy.address })
  const working = fire.work(2)
  const all = [fire.publish(), fire.collect()]
  await complete(fire, working, all)
  for (const { finished } of [working, ...all]) assert.doesNotMatch((await finished).stderr, /cannot|lost|Warning/)
  await fire.check({ again: 2 * ONE_MOVES }) // the second worker joins, and each request takes 150 ms longer
})

test('all connections refused, for less and more than the session: logged once, then resumed', async t => {
  const proxy = await brokerBehindProxy(t)
  const fire = await Fire.open(t, { rows: 6000, brokers: proxy.address })
  const working = fire.work(2)
  const collected = fire.collect()
  await proxy.answer(by('collect', 'fetch'))
  const publishing = fire.publish()
  await proxy.answer(published('rows'))
  for (const [seconds, classified] of [
    [2, 0],
    [20, 2000], // a session ends after 6 s, and the group waits 10 s more for its members
  ] as const) {
    await fire.untilClassified(classified)
    await proxy.refuse()
    await sleep(seconds * 1000)
    await proxy.accept()
  }
  await complete(fire, working, [publishing, collected])
  const { stderr } = await collected.finished
  assertOutagesToldOnce(stderr) // the long one, and the short one perhaps
  assert.match(stderr, /the broker is back/)
  assert.doesNotMatch(stderr, /Warning/)
  assert.doesNotMatch((await working.finished).stderr, /Warning|starting it again/)
  // During the outage workers continue with their rows; after the session other workers get these rows too.
  await fire.check({ again: fire.rows })
})

type Matches = (request: Request) => boolean

/** Loses several answers, one after the other, each with its connection. */
async function lose(proxy: BrokerProxy, matches: Matches, times: number): Promise<void> {
  for (let time = 0; time < times; time++) await proxy.loseAnswer(matches, CUT_AFTER_MS)
}

test('answers to Produce lost, of publisher and workers: sent again, and second copies are dropped', async t => {
  const proxy = await brokerBehindProxy(t)
  const fire = await Fire.open(t, { brokers: proxy.address })
  const losing = [
    lose(proxy, published('jobs'), 1),
    lose(proxy, published('rows'), 2),
    lose(proxy, by('work', 'produce'), 3),
  ]
  const working = fire.work(2)
  await complete(fire, working, [fire.publish(), fire.collect()], losing)
  const counts = await fire.check({ again: fire.rows })
  assert.match(counts, /duplicates in rows +[1-9].*\nduplicates in results +[1-9]/)
})

test('answers to Fetch and OffsetCommit lost: fetched and committed again', async t => {
  const proxy = await brokerBehindProxy(t)
  const fire = await Fire.open(t, { rows: 12_000, brokers: proxy.address })
  const losing = [
    lose(proxy, by('collect', 'fetch'), 3),
    lose(proxy, by('work', 'fetch'), 5),
    lose(proxy, by('work', 'offsetCommit'), 3),
  ]
  const working = fire.work(2)
  await complete(fire, working, [fire.publish(), fire.collect()], losing)
  // The second worker joins. Each lost commit may cost a worker its group for a moment.
  await fire.check({ again: ONE_MOVES + 3 * TWO_MOVE })
})

for (const [api, times, again] of [
  ['heartbeat', 3, ONE_MOVES + 3 * TWO_MOVE], // the second worker joins, and each loss may be a rebalance
  // Until the group drops the member that no client knows of, the others keep working and cannot commit.
  ['joinGroup', 2, 6000],
] as const) {
  test(`answers to ${api} lost: requested again`, async t => {
    const proxy = await brokerBehindProxy(t)
    const fire = await Fire.open(t, { rows: 6000, brokers: proxy.address })
    const losing = lose(proxy, by('work', api), times)
    const working = fire.work(2)
    await complete(fire, working, [fire.publish(), fire.collect()], [losing])
    await fire.check({ again })
  })
}

test('answers that never come on open connections: given up after a while, and requested again', async t => {
  const proxy = await brokerBehindProxy(t)
  const env = { ROWMILL_PROPERTY: 'request.timeout.ms=10000' }
  const fire = await Fire.open(t, { rows: 6000, brokers: proxy.address, env })
  const losing = [
    proxy.loseAnswer(published('rows'), null),
    proxy.loseAnswer(by('work', 'produce'), null),
    proxy.loseAnswer(by('collect', 'fetch'), null),
    proxy.loseAnswer(by('work', 'offsetCommit'), null),
    proxy.loseAnswer(by('work', 'heartbeat'), null),
  ]
  const working = fire.work(2)
  await complete(fire, working, [fire.publish(), fire.collect()], losing)
  // The results of all partitions in one request wait for its answer, longer than a session lasts: most rows move, some twice.
  await fire.check({ again: 2 * fire.rows })
})
