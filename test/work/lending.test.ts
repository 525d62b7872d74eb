/** Workers that lend each other their classifiers, over a Kafka in memory and a desk in this process. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { classified, Exclaimer, numbered } from '../helpers/exclaimer.ts'
import { twoAtADesk } from '../helpers/two-at-a-desk.ts'

test('a worker without rows classifies for one that has too many, and the owner sends and commits', async t => {
  const { running, cluster, topics, log, owner, lender, taking, work } = await twoAtADesk(t)
  const [first, second] = [await work('owner', taking(100)), await work('lender', taking(100))]
  await running.publish('j', [numbered(200)])
  const { written, duplicates, rowsByWorker } = await running.collect('j')
  assert.deepEqual([written, duplicates], [classified(numbered(200)), 0])
  const lent = rowsByWorker.get('lender') ?? 0
  assert.ok(lent >= 70 && lent <= 130, `the lender classified ${lent} of 200 rows`)
  assert.equal(lender.count('lend'), 0)
  assert.ok(owner.count('needs') <= 2, `${owner.count('needs')} times needy`)
  await Promise.all([first.drain(), second.drain()])
  const { committed } = cluster.groups.get('p.workers')!
  assert.equal(committed.get(`${topics.rows}/0`)?.offset, log('rows').end)
})

test('a slow worker gets no batch that a fast one would be done with sooner', async t => {
  const { running, taking, work, time } = await twoAtADesk(t)
  await work('owner', taking(400))
  await work('lender', taking(100))
  await running.publish('j', [numbered(205)])
  const began = time.now()
  const { written, rowsByWorker } = await running.collect('j')
  assert.deepEqual(written, classified(numbered(205)))
  const lent = rowsByWorker.get('lender') ?? 0
  assert.ok(lent >= 145 && lent <= 195, `the fast worker classified ${lent} of 205 rows; 164 are its share`)
  assert.ok(time.now() - began < 205 * 80 * 1.5, `it took ${time.now() - began} ms; ${205 * 80} are possible`)
})

test('of two workers with the same rows, the one that is done first lends to the other', async t => {
  const { running, taking, work, time } = await twoAtADesk(t, { partitions: 2, blockRows: 5 })
  await work('owner', taking(400))
  await work('lender', taking(100))
  await running.publish('j', [numbered(200)])
  const began = time.now()
  const { written, rowsByWorker } = await running.collect('j')
  assert.deepEqual(written, classified(numbered(200)))
  const fast = rowsByWorker.get('lender') ?? 0
  assert.ok(fast >= 140 && fast <= 185, `the fast worker classified ${fast} of 200 rows; 160 are its share`)
  assert.ok(time.now() - began < 200 * 80 * 1.5, `it took ${time.now() - began} ms; ${200 * 80} are possible`)
})

test('workers that are busy, and workers that are idle, say nothing to the desk', async t => {
  const { running, owner, lender, taking, work } = await twoAtADesk(t)
  await work('owner', taking(0.1))
  await work('lender', taking(0.1))
  for (const job of ['a', 'b', 'c', 'd']) {
    await running.publish(job, [numbered(50)])
    assert.deepEqual((await running.collect(job)).written, classified(numbered(50)))
  }
  const said = [...owner.said, ...lender.said].map(({ type }) => type)
  assert.deepEqual(said, ['spare', 'spare'], 'a batch that takes 0.5 ms is not lent')
})

test('a lender that ends gives its batch back, and a late answer of it is dropped', async t => {
  const { running, lender, taking, holding, work } = await twoAtADesk(t)
  const held = holding(100)
  await work('owner', taking(100))
  await work('lender', held.classifier)
  await running.publish('j', [numbered(100)])
  const collecting = running.collect('j')
  await held.has
  lender.leave()
  const { written, duplicates, rowsByWorker } = await collecting
  held.answer()
  assert.deepEqual([written, duplicates], [classified(numbered(100)), 0])
  assert.deepEqual([...rowsByWorker.keys()], ['owner'])
})

test('a lender that stands still is not waited for, and its answer after that is dropped', async t => {
  const { running, owner, lender, taking, holding, work } = await twoAtADesk(t)
  const held = holding(100)
  await work('owner', taking(100))
  await work('lender', held.classifier)
  await running.publish('j', [numbered(200)])
  const { written, duplicates, rowsByWorker } = await running.collect('j')
  assert.deepEqual([written, duplicates], [classified(numbered(200)), 0])
  assert.deepEqual([...rowsByWorker.keys()], ['owner'])
  assert.ok(owner.count('lend') > 0)
  const heard = owner.heard.length
  held.answer()
  while (!owner.heard.slice(heard).some(({ type }) => type === 'answer')) await turn()
  assert.ok(lender.count('answered') > 0)
})

test('a batch that the classifier of a lender fails on is tried by the owner, whose failure fails the job', async t => {
  const { running, taking, work } = await twoAtADesk(t)
  await work('owner', taking(100))
  await work(
    'lender',
    taking(100, async () => {
      throw new Error('not here')
    }),
  )
  await running.publish('j', [numbered(100)])
  const { written, rowsByWorker } = await running.collect('j')
  assert.deepEqual(written, classified(numbered(100)))
  assert.deepEqual([...rowsByWorker.keys()], ['owner'])
})

test('a lender that drains answers the batch that it has first', async t => {
  const { running, lender, taking, holding, work } = await twoAtADesk(t)
  const held = holding(100)
  await work('owner', taking(100))
  const second = await work('lender', held.classifier)
  await running.publish('j', [numbered(100)])
  const collecting = running.collect('j')
  await held.has
  const drained = second.drain().then(() => 'drained')
  for (let i = 0; i < 20; i++) assert.equal(await Promise.race([drained, turn('works')]), 'works')
  held.answer()
  await drained
  assert.ok(lender.said.some(message => message.type === 'answered' && message.answer))
  assert.deepEqual((await collecting).written, classified(numbered(100)))
})

test('an owner that drains waits for the batch that it lent', async t => {
  const { running, lender, taking, holding, work } = await twoAtADesk(t)
  const held = holding(100)
  const first = await work('owner', taking(100))
  await work('lender', held.classifier)
  await running.publish('j', [numbered(100)])
  const collecting = running.collect('j')
  await held.has
  const draining = first.drain() // it waits for the batch that was lent
  held.answer()
  await draining
  const { written, duplicates } = await collecting
  assert.deepEqual([written, duplicates], [classified(numbered(100)), 0])
  assert.ok(lender.count('answered') > 0)
})

test('an owner that loses its partition while a lender has a batch leaves every row exactly once', async t => {
  const { running, cluster, time, taking, holding, work } = await twoAtADesk(t)
  const held = holding(100)
  const client = cluster.client()
  await work('owner', taking(100), { kafka: client.kafka })
  await work('lender', held.classifier)
  await running.publish('j', [numbered(100)])
  const collecting = running.collect('j')
  await held.has
  await running.work(new Exclaimer(), { name: 'third', kafka: cluster.client().kafka, time, batchRows: 5 })
  client.expire()
  held.answer()
  assert.deepEqual((await collecting).written, classified(numbered(100)))
})

test('a shared pipeline lends short calls only: rows of the lender may come at any time', async t => {
  const { running, taking, work, lender } = await twoAtADesk(t)
  await work('owner', taking(10), { bulk: true, batchRows: 100 })
  await work('lender', taking(10), { bulk: true, batchRows: 100 })
  await running.publish('j', [numbered(900)])
  const { written, rowsByWorker } = await running.collect('j')
  assert.deepEqual(written, classified(numbered(900)))
  assert.ok(rowsByWorker.get('lender')! > 100)
  const rows = lender.heard.flatMap(message => (message.type === 'lent' ? [message.batch.count] : []))
  assert.ok(rows[0]! <= 20, 'nothing is known of the lender yet')
  // This classifier takes two calls at once, so each seems to take half the time.
  const mean = rows.reduce((sum, count) => sum + count, 0) / rows.length
  assert.ok(mean <= 50, `calls of ${mean} rows`)
})

test('the judge of the owner sees lent batches as its own', async t => {
  const { running, taking, work } = await twoAtADesk(t)
  const judged: number[] = []
  const judge = {
    batch: ({ first, count }: { first: number; count: number }) => {
      for (let i = 0; i < count; i++) judged.push(first + i)
      return []
    },
    end: () => null,
  }
  await work('owner', taking(100), { judge })
  await work('lender', taking(100), { judge: { batch: () => assert.fail('it is not its batch'), end: () => null } })
  await running.publish('j', [numbered(100)])
  const { rowsByWorker } = await running.collect('j')
  assert.ok(rowsByWorker.get('lender')! > 0)
  assert.deepEqual(
    judged.sort((a, b) => a - b),
    numbered(100).map((_, row) => row),
  )
})
