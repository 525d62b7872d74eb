import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EventPipeline } from '../helpers/event-pipeline.ts'

const FLOOD = 40_000
/** More in one request would block this process, and so the worker, for seconds (partition-sender.ts). */
const REQUEST = 2000

test('rows of another partition have their results while a flood is rejected, and each message of it has one copy', async t => {
  const events = await EventPipeline.open(t)
  await events.send(0, ['live'])
  const drain = await events.work()
  await events.results(0, 'live', 1)
  await events.sendJunk(0, Array(FLOOD / REQUEST).fill(REQUEST))
  await events.send(0, ['live'])
  const during: number[] = []
  for (let sent = 1; (await events.rejected()) < FLOOD; sent++) {
    const began = performance.now()
    await events.send(1, ['live'])
    await events.results(1, 'live', sent)
    during.push(Math.round(performance.now() - began))
  }
  t.diagnostic(`ms from row to result: ${during.join(' ')}`)
  assert.ok(Math.max(...during) < 10_000, 'a row waited, longer than a busy machine explains')
  await events.results(0, 'live', 2)
  const offsets = (await events.rejects(FLOOD)).map(({ offset }) => offset)
  assert.equal(offsets.length, FLOOD)
  assert.ok(offsets.every((offset, i) => offset === i + 1))
  await events.untilCommitted(FLOOD + 2)
  await drain()
  const counted = events.said.map(line =>
    Number(/and ([\d,]+) more MALFORMED/.exec(line)?.[1]?.replaceAll(',', '') ?? 1),
  )
  assert.equal(
    counted.reduce((sum, lines) => sum + lines, 0),
    FLOOD,
  )
  assert.ok(events.said.length < 600, `${events.said.length} lines`)
})
