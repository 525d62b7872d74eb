import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TopicSettings } from '../../src/kafka/index.ts'
import { judgeReplication, type TopicReplicas } from '../../src/pipeline/replication.ts'

const PLAN: TopicSettings = {
  topic: 'p.rows',
  partitions: 3,
  replicationFactor: 3,
  config: { 'min.insync.replicas': '2' },
}

/** Each partition is on these brokers. They are in sync unless `late` names them. */
function found(replicas: readonly number[][], minInSync: number | null, late: readonly number[] = []): TopicReplicas {
  const partitions = replicas.map((here, partition) => ({
    partition,
    replicas: here,
    inSync: here.filter(id => !late.includes(id)),
  }))
  return { brokers: [1, 2, 3, 4], partitions, minInSync }
}

const judged = (topic: TopicReplicas, plan = PLAN) =>
  judgeReplication(plan, topic, 'b:9092').map(({ text, stops, cure }) => ({ text, stops, cure }))

const ON_THREE = [
  [1, 2, 3],
  [2, 3, 4],
  [3, 4, 1],
]
const setTo = (value: number) =>
  `kafka-configs.sh --bootstrap-server b:9092 --alter --entity-type topics --entity-name p.rows --add-config min.insync.replicas=${value}`

test('replicas as planned are no fault, also if more must be in sync than planned', () => {
  assert.deepEqual(judged(found(ON_THREE, 2)), [])
  assert.deepEqual(judged(found([[1, 2, 3, 4]], 3)), [])
  assert.deepEqual(judged(found(ON_THREE, null)), [], 'a user who may not read the setting')
  const single = { ...PLAN, replicationFactor: 1, config: { 'min.insync.replicas': '1' } }
  assert.deepEqual(judged(found([[1]], 1), single), [])
})

test('too few replicas: the command keeps those that are there and spreads the others', () => {
  const [fault, ...others] = judged(found([[1], [1], [1, 2, 3]], 1))
  assert.match(fault!.text, /^2 of 3 partitions have fewer replicas than the 3 planned\. /)
  assert.equal(fault!.stops, false)
  const plan = {
    version: 1,
    partitions: [
      { topic: 'p.rows', partition: 0, replicas: [1, 2, 3] },
      { topic: 'p.rows', partition: 1, replicas: [1, 3, 4] },
    ],
  }
  const command = `kafka-reassign-partitions.sh --bootstrap-server b:9092 --reassignment-json-file p.rows.json --execute --additional`
  assert.equal(fault!.cure, `echo '${JSON.stringify(plan)}' > p.rows.json && ${command}`)
  assert.match(others[0]!.cure, /^add the replicas, then: kafka-configs\.sh /)
})

test('a minimum that is too low, too high for a lost broker, or higher than the replicas', () => {
  const [low] = judged(found(ON_THREE, 1))
  assert.match(low!.text, /^min\.insync\.replicas=1, and 2 is planned\. .* only 1 broker may have it$/)
  assert.deepEqual([low!.stops, low!.cure], [false, setTo(2)])
  const [high] = judged(found(ON_THREE, 3))
  assert.match(high!.text, /^min\.insync\.replicas=3, .* While one of their brokers is down, nothing can be written$/)
  assert.deepEqual([high!.stops, high!.cure], [false, setTo(2)])
  const [, never] = judged(found([[1], [2], [3]], 2))
  assert.match(
    never!.text,
    /^min\.insync\.replicas=2, and a partition has 1 replica\. The broker refuses all its rows$/,
  )
  assert.deepEqual([never!.stops, never!.cure], [true, 'add the replicas, with the command for that'])
  const [, full] = judged(
    found(
      [
        [1, 2],
        [2, 3],
        [3, 4],
      ],
      2,
    ),
  )
  assert.match(full!.text, /While one of their brokers is down/)
  assert.equal(full!.cure, 'add the replicas, with the command for that')
  const [, above] = judged(found([[1], [2], [3]], 4))
  assert.deepEqual([above!.stops, above!.cure], [true, setTo(2)])
})

test('a broker that is not in sync is named; with two of them the leaders refuse rows', () => {
  const [one] = judged(found(ON_THREE, 2, [4]))
  assert.equal(one!.text, '2 of 3 partitions are not in sync on broker 4')
  assert.deepEqual([one!.stops, one!.cure], [false, 'start broker 4, or read why in its log'])
  const [two] = judged(found(ON_THREE, 2, [4, 3]))
  assert.match(
    two!.text,
    /^3 of 3 partitions are not in sync on brokers 3, 4, which is fewer than min\.insync\.replicas=2/,
  )
  assert.equal(two!.stops, true)
  const [unknown] = judged(found(ON_THREE, null, [1, 2, 3, 4]))
  assert.deepEqual([unknown!.stops, unknown!.text], [false, '3 of 3 partitions are not in sync on brokers 1, 2, 3, 4'])
})
