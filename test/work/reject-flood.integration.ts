import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EventBench } from '../helpers/event-bench.ts'
import { until } from '../helpers/until.ts'

const FLOOD = 40_000
/** More in one request would block this process, and so the worker, for seconds (partition-sender.ts). */
const REQUEST = 2000

test('rows of another partition have their results while a flood is rejected, and each message of it has one copy', async t => {
  const bench = await EventBench.open(t)
  await bench.send(0, ['live'])
  const drain = await bench.work()
  await bench.results(0, 'live', 1)
  await bench.sendJunk(0, Array(FLOOD / REQUEST).fill(REQUEST))
  await bench.send(0, ['live'])
  const during: number[] = []
  for (let sent = 1; (await bench.rejected()) < FLOOD; sent++) {
    const began = performance.now()
    await bench.send(1, ['live'])
    await bench.results(1, 'live', sent)
    during.push(Math.round(performance.now() - began))
  }
  t.diagnostic(`ms from row to result: ${during.join(' ')}`)
  assert.ok(Math.max(...during) < 10_000, 'a row waited, longer than a busy machine explains')
  await bench.results(0, 'live', 2)
  const offsets = (await bench.rejects(FLOOD)).map(({ offset }) => offset)
  assert.equal(offsets.length, FLOOD)
  assert.ok(offsets.every((offset, i) => offset === i + 1))
  await until('all is committed', async () => (await bench.committed(0)) === FLOOD + 2)
  await drain()
  const counted = bench.said.map(line =>
    Number(/and ([\d,]+) more MALFORMED/.exec(line)?.[1]?.replaceAll(',', '') ?? 1),
  )
  assert.equal(
    counted.reduce((sum, lines) => sum + lines, 0),
    FLOOD,
  )
  assert.ok(bench.said.length < 600, `${bench.said.length} lines`)
})
