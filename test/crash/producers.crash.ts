/** Producers of events that are killed, frozen, or concurrent; and which of their rows count. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { mutant } from '../helpers/mutant.ts'
import { type ProducerProcess, Producers } from '../helpers/producers.ts'
import { seeded } from '../helpers/seeded.ts'

const TOTAL = 400
/** So many that a first producer, however late it is killed, leaves enough for a second one to get to any point. */
const MANY = 1200
/** More rows than a producer sends before the test ends it: one sends up to 10,000 in a second. */
const ENDLESS = 10_000_000

for (const [at, time] of [
  ['epoch-claimed', 1],
  ['barrier-acked', 1],
  ['barrier-acked', 3],
  ['barriers-acked', 1],
  ['marked', 1],
  ['event-acked', 1],
  ['event-acked', 60],
  ['event-safe', 1],
  ['event-safe', 8],
  ['end-acked', 1],
  ['end-acked', 4],
  ['ends-acked', 1],
  ['job-ended', 1],
] as const) {
  test(`a producer that takes over and is killed at ${at}, on visit ${time}, and started again`, async t => {
    const producers = await Producers.open(t)
    const first = await producers.start({ total: MANY, last: 'end' })
    await first.untilSafe(100)
    await first.kill()
    const second = await producers.run({ total: MANY, last: 'end', at, time })
    assert.equal(second.child.signalCode, 'SIGKILL', 'it got there')
    const third = await producers.run({ total: MANY, last: 'end' })
    if (at === 'job-ended') assert.equal(third.lost, 'JOB_EXISTS')
    else assert.ok(third.lines.at(-1)?.closed, JSON.stringify(third.lines.at(-1)))
    await producers.check(MANY)
  })
}

test('the first producer of a job killed after its first record, and started again', async t => {
  const producers = await Producers.open(t)
  await producers.run({ total: TOTAL, at: 'epoch-claimed' })
  await producers.run({ total: TOTAL, last: 'end' })
  await producers.check(TOTAL)
})

test('a producer killed while it leaves, and started again', async t => {
  const producers = await Producers.open(t)
  await producers.run({ total: TOTAL, at: 'marked' }) // its only mark: it opened the job itself
  const again = await producers.run({ total: TOTAL, last: 'end' })
  assert.equal(again.lines[0]?.opened, TOTAL)
  await producers.check(TOTAL)
})

test('producers killed at random moments', async t => {
  const random = seeded(t)
  const producers = await Producers.open(t)
  for (let time = 0; time < 12; time++) {
    const producer = await producers.start({ total: 20_000, pauseMs: 1 })
    if (random(3) > 0) await producer.says('opened')
    await sleep(random(700))
    await producer.kill()
  }
  const { counted } = await producers.read()
  const total = counted.rows.size + 500
  await producers.run({ total, pauseMs: 0, last: 'end' })
  await producers.check(total)
})

test('a producer frozen past a takeover resolves no row when it wakes, and is told of the new owner', async t => {
  const producers = await Producers.open(t)
  await producers.check(await freezeAndWake(producers))
})

test('a frozen producer without news of the takeover looks for itself before it resolves a row', async t => {
  const unfollowed = { file: 'src/events/open-job.ts', find: '    this.#follow()\n', put: '' }
  const producers = await Producers.open(t, mutant(t, [unfollowed]))
  await producers.check(await freezeAndWake(producers))
})

/**
 * The first producer freezes while it sends. The second sends, and ends the job after the first has woken. Resolves with the
 * rows of the job.
 */
async function freezeAndWake(producers: Producers): Promise<number> {
  const frozen = await producers.start({ total: ENDLESS, pauseMs: 1 })
  await frozen.untilSafe(100)
  frozen.signal('SIGSTOP')
  const seen = (frozen.safe.at(-1)?.seq ?? 0) + 300
  const second = await producers.run({ total: seen })
  assert.equal(second.lost, undefined)
  frozen.signal('SIGCONT')
  await sleep(500) // time enough for a false answer
  await frozen.says('lost')
  assert.equal(frozen.lost, 'PRODUCER_FENCED')
  const total = Math.max(2 * TOTAL, seen) // it may have come far before it was stopped
  await producers.run({ total, last: 'end', pauseMs: 0 })
  return total
}

test('a producer frozen at random moments, even while it opens, and other producers come and go', async t => {
  const random = seeded(t)
  const producers = await Producers.open(t)
  for (let time = 0; time < 6; time++) {
    const frozen = await producers.start({ total: 20_000, pauseMs: 1 })
    await sleep(200 + random(900))
    frozen.signal('SIGSTOP')
    const other = await producers.start({ total: 20_000, pauseMs: 1 })
    await other.untilSafe(1 + random(100))
    frozen.signal('SIGCONT')
    await sleep(random(300)) // it may open now, and be the newer one
    await Promise.race([frozen.ended, other.ended, sleep(3000)])
    await Promise.all([frozen.kill(), other.kill()])
  }
  await endAnywhere(producers)
})

test('two live producers take the job from each other', async t => {
  const random = seeded(t)
  const producers = await Producers.open(t)
  const fate = { total: ENDLESS, pauseMs: 1 }
  let holder = await producers.start(fate)
  for (let time = 0; time < 8; time++) {
    await holder.untilSafe(random(200))
    const next = await producers.start(fate)
    await holder.ended
    assert.equal(holder.lost, 'PRODUCER_FENCED')
    holder = next
  }
  await holder.untilSafe(50)
  await holder.kill()
  await endAnywhere(producers)
})

test('of producers that open a new job at the same moment, one has it', async t => {
  const producers = await Producers.open(t)
  const all = await Promise.all([1, 2, 3, 4].map(() => producers.start({ total: TOTAL, last: 'hold' })))
  const holds = (producer: ProducerProcess) => !producer.over && producer.lines.some(({ sent }) => sent !== undefined)
  for (const producer of all) await Promise.race([producer.ended, producer.says('sent')])
  const left = all.filter(holds)
  assert.ok(left.length >= 1, 'somebody has it')
  const newer = await producers.run({ total: TOTAL, last: 'end' })
  assert.equal(newer.lost, undefined)
  for (const producer of all) {
    await producer.ended
    assert.equal(producer.lost, 'PRODUCER_FENCED', producer.name)
  }
  await producers.check(TOTAL)
})

async function endAnywhere(producers: Producers): Promise<void> {
  const { counted } = await producers.read()
  const total = counted.rows.size + 100
  await producers.run({ total, pauseMs: 0, last: 'end' })
  await producers.check(total)
}

test('control: without the look for newer producers the check goes red', async t => {
  const bin = mutant(t, [
    {
      file: 'src/events/open-job.ts',
      find: '    if (job.epoch <= this.#job.epoch) return null\n',
      put: '    if (this.#job.epoch >= 0) return null\n',
    },
  ])
  const producers = await Producers.open(t, bin)
  const frozen = await producers.start({ total: ENDLESS, pauseMs: 1 })
  await frozen.untilSafe(100)
  frozen.signal('SIGSTOP')
  const seen = (frozen.safe.at(-1)?.seq ?? 0) + 300
  await producers.run({ total: seen })
  frozen.signal('SIGCONT')
  await frozen.untilSafe(frozen.safe.length + 100)
  await frozen.kill()
  const total = Math.max(TOTAL, seen) // the frozen one may have come far before it was stopped
  await producers.run({ total, last: 'end', pauseMs: 0 })
  await assert.rejects(producers.check(total), { message: /^(twice|lost)/ })
})

test('control: a takeover that does not read what is there goes red', async t => {
  const bin = mutant(t, [
    { file: 'src/events/take-over.ts', find: '  return rows.next\n', put: '  return point.from\n' },
  ])
  const producers = await Producers.open(t, bin)
  const first = await producers.start({ total: TOTAL })
  await first.untilSafe(100)
  await first.kill()
  await producers.run({ total: TOTAL, last: 'end', pauseMs: 0 })
  await assert.rejects(producers.check(TOTAL), { message: /^(twice|lost)/ })
})
