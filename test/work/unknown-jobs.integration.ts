import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EventPipeline } from '../helpers/event-pipeline.ts'
import { ManualTime } from '../helpers/manual-time.ts'

/** How long the messages of an unknown job wait. */
const WAIT_MS = 5000

const strangers = (count: number) => Array.from({ length: count }, (_, i) => `stranger-${i}`)

test('rows after messages of unknown jobs do not wait for them, and all unknown jobs wait together', async t => {
  const time = new ManualTime()
  const events = await EventPipeline.open(t, time)
  const jobs = strangers(8)
  await events.send(0, [...jobs, 'live'])
  await events.send(1, [...jobs, 'live'])
  await events.work()
  assert.deepEqual([await events.results(0, 'live', 1), await events.results(1, 'live', 1)], [['8!'], ['8!']])
  assert.equal(await events.rejected(), 0, 'the unknown jobs still wait')
  await time.pass(WAIT_MS) // eight jobs in two partitions wait only once
  const rejects = await events.rejects(16)
  const places = rejects.map(({ partition, offset, reason }) => `${partition}@${offset} ${reason}`).sort()
  assert.deepEqual(
    places,
    [0, 1].flatMap(partition => jobs.map((_, offset) => `${partition}@${offset} UNKNOWN_JOB`)),
  )
  const said = [0, 1].map(partition => events.said.filter(line => line.includes(`rows[${partition}]`)))
  for (const lines of said) {
    assert.match(lines[0]!, /@0: UNKNOWN_JOB no job stranger-0 in /)
    assert.equal(lines.length, 5)
  }
  await events.untilCommitted(9, 9)
  const counts = () => events.said.filter(line => line.includes('and 3 more UNKNOWN_JOB'))
  await events.until('the others are counted', () => counts().length === 2, 1000)
})

test('rows whose job record comes while they wait are classified in their order', async t => {
  const time = new ManualTime()
  const events = await EventPipeline.open(t, time)
  await events.send(0, ['early', 'live', 'early', 'stranger', 'early', 'live'])
  await events.work()
  assert.deepEqual(await events.results(0, 'live', 2), ['1!', '5!'])
  await events.openJob('early')
  await events.send(0, ['early'])
  assert.deepEqual(await events.results(0, 'early', 4), ['0!', '2!', '4!', '0!'])
  await time.pass(WAIT_MS)
  const rejects = await events.rejects(1)
  assert.deepEqual([rejects.length, rejects[0]!.offset], [1, 3])
})

test('a message that waits for its job is not committed: the next worker reads it again', async t => {
  const events = await EventPipeline.open(t, new ManualTime())
  await events.send(0, ['live', 'early', 'live', 'live'])
  const drain = await events.work()
  await events.results(0, 'live', 3)
  await drain()
  assert.ok((await events.committed(0)) <= 1)
  await events.openJob('early')
  await events.work()
  assert.deepEqual(await events.results(0, 'early', 1), ['1!'])
  await events.untilCommitted(4)
})

test('a flood of unknown jobs is rejected without a wait once the waiting room is full', async t => {
  const time = new ManualTime()
  const events = await EventPipeline.open(t, time)
  const jobs = strangers(30_000)
  await events.send(0, [...jobs, 'live'])
  await events.work()
  assert.deepEqual(await events.results(0, 'live', 1), ['30000!'])
  await events.until('at most 4,000 wait', async () => (await events.rejected()) >= 26_000)
  await time.pass(WAIT_MS)
  // A worker that loses its partition for a moment, on a busy machine, reads again and copies once more what it did not commit.
  const offsets = new Set<number>()
  for (let count = jobs.length; offsets.size < jobs.length; count++)
    for (const { offset } of await events.rejects(count)) offsets.add(offset)
  assert.deepEqual([offsets.size, Math.max(...offsets)], [30_000, 29_999])
  assert.ok(events.said.length < 100, `${events.said.length} lines`)
})
