/**
 * The contract of src/kafka/, as cases that any Kafka must pass: conformance.test.ts runs them on the fake,
 * conformance.integration.ts on a real broker. So a unit test on the fake says something about Kafka.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import {
  type ClientLimits,
  type Committed,
  describeKafkaError,
  type GroupMember,
  type Kafka,
  type KafkaSettings,
  type Message,
} from '../../src/kafka/index.ts'
import { PartitionFeed } from '../../src/kafka/partition-feed.ts'
import { PartitionSender } from '../../src/kafka/partition-sender.ts'
import { readNow, takeUntil } from '../../src/kafka/read-now.ts'
import { until } from '../helpers/until.ts'

const LIMITS = { maxWaitMs: 100, maxPartitionBytes: 512 * 1024, maxBytes: 1024 * 1024 }
const silent = () => {}
const message = (text: string) => ({ key: 'k', value: Buffer.from(text) })
const texts = (found: readonly { readonly value: Buffer | null }[]) => found.map(({ value }) => value!.toString())

interface Joined {
  readonly member: GroupMember
  readonly events: string[]
  /** As whom it joined last. */
  id(): string
  /** Offsets of the assignment number `count`, from 1, once it came. */
  assigned(count: number): Promise<readonly Committed[]>
  leave(): Promise<void>
}

/** A member of the group that records what it is told. */
async function join(t: TestContext, kafka: Kafka, groupId: string, topic: string): Promise<Joined> {
  const member = await kafka.member(groupId, [topic])
  const events: string[] = []
  const assignments: (readonly Committed[])[] = []
  let id = ''
  let news = Promise.withResolvers<void>()
  const abort = new AbortController()
  const running = member.run(
    {
      onJoined: memberId => {
        id = memberId
      },
      onAssigned: offsets => {
        events.push('assigned')
        assignments.push([...offsets].sort((a, b) => a.partition - b.partition))
        news.resolve()
        news = Promise.withResolvers<void>()
      },
      onRebalance: () => {
        events.push('rebalance')
      },
      onTrouble: error => events.push(`trouble: ${error.message}`),
    },
    abort.signal,
  )
  const leave = async () => {
    abort.abort()
    await running
    await member.close()
  }
  t.after(leave)
  const assigned = async (count: number) => {
    while (assignments.length < count) await news.promise
    return assignments[count - 1]!
  }
  return { member, events, id: () => id, assigned, leave }
}

const committedOffsets = (
  topic: string,
  offsets: Record<number, number>,
  metadata: string | null = null,
): Committed[] =>
  Object.entries(offsets).map(([partition, offset]) => ({ topic, partition: Number(partition), offset, metadata }))

/** Runs every case against a Kafka. `connect` opens a new client of it. */
export function conformance(connect: (settings?: Pick<KafkaSettings, 'limits' | 'headers'>) => Promise<Kafka>): void {
  async function topicOf(
    t: TestContext,
    partitions: number,
    {
      config = {},
      ...settings
    }: { config?: Record<string, string>; limits?: ClientLimits; headers?: readonly string[] } = {},
  ) {
    const kafka = await connect(settings)
    const topic = `test-${randomBytes(6).toString('hex')}`
    const admin = await kafka.admin()
    await admin.createTopics([{ topic, partitions, replicationFactor: 1, config }])
    t.after(async () => {
      await admin.deleteTopics([topic])
      await admin.close()
    })
    const producer = await kafka.producer()
    t.after(() => producer.close())
    return { kafka, topic, admin, producer }
  }

  async function readerOf(t: TestContext, kafka: Kafka, topic: string) {
    const reader = await kafka.reader([topic])
    t.after(() => reader.close())
    return reader
  }

  test('a send resolves with the offset of its first message, and each partition counts for itself', async t => {
    const { topic, producer } = await topicOf(t, 2)
    assert.equal(await producer.send({ topic, partition: 0 }, [message('a'), message('b')]), 0)
    assert.equal(await producer.send({ topic, partition: 0 }, [message('c')]), 2)
    assert.equal(await producer.send({ topic, partition: 1 }, [message('d')]), 0)
  })

  test('a fetch brings the messages from its offset on, and says where to fetch next and where the log ends', async t => {
    const { kafka, topic, producer } = await topicOf(t, 1)
    await producer.send({ topic, partition: 0 }, [message('a'), message('b'), message('c')])
    const reader = await readerOf(t, kafka, topic)
    const [[node]] = [...(await reader.leaders([{ topic, partition: 0 }], false))] as [[string, unknown]]
    const [found] = await reader.fetch(node, [{ topic, partition: 0, offset: 1 }], LIMITS)
    assert.deepEqual(texts(found!.messages), ['b', 'c'])
    assert.deepEqual(found!.messages[0]!.key, Buffer.from('k'))
    const { offset, next, end, logEnd, empty, error, outOfRange } = found!
    assert.deepEqual([offset, next, end, logEnd, empty, error, outOfRange], [1, 3, 3, 3, false, null, false])
  })

  for (const wanted of [['one', 'two'], undefined])
    test(`messages keep the headers that their reader asked for: ${wanted ?? 'none'}`, async t => {
      const { kafka, topic, producer } = await topicOf(t, 1, wanted ? { headers: wanted } : {})
      const sender = new PartitionSender(producer, silent)
      const all = [{ one: '1', other: 'x' }, null, { two: 'é' }, { other: 'x' }]
      const sent = all.map((headers, i) => sender.send({ topic, partition: 0 }, { ...message(`${i}`), headers }))
      await Promise.all(sent)
      const found: Message[] = []
      const reading = { kafka, say: silent, signal: new AbortController().signal }
      await readNow(reading, [{ topic, partition: 0, offset: 0 }], (_, message) => found.push(message))
      assert.deepEqual(texts(found), ['0', '1', '2', '3'])
      const kept = wanted ? [{ one: '1' }, undefined, { two: 'é' }, undefined] : all.map(() => undefined)
      assert.deepEqual(
        found.map(({ headers }) => headers),
        kept,
      )
    })

  test('a fetch at the end of the log is empty, and one beyond it is out of range', async t => {
    const { kafka, topic, producer } = await topicOf(t, 1)
    await producer.send({ topic, partition: 0 }, [message('a')])
    const reader = await readerOf(t, kafka, topic)
    const [[node]] = [...(await reader.leaders([{ topic, partition: 0 }], false))] as [[string, unknown]]
    const [atEnd] = await reader.fetch(node, [{ topic, partition: 0, offset: 1 }], LIMITS)
    assert.deepEqual([atEnd!.messages, atEnd!.next, atEnd!.empty, atEnd!.error], [[], 1, true, null])
    const [beyond] = await reader.fetch(node, [{ topic, partition: 0, offset: 9 }], LIMITS)
    assert.deepEqual([beyond!.messages, beyond!.next, beyond!.outOfRange], [[], 9, true])
    assert.equal((beyond!.error as Error & { type: string }).type, 'OFFSET_OUT_OF_RANGE')
  })

  test('if a batch exceeds the fetch limit, the first partition still gets a whole batch', async t => {
    const { kafka, topic, producer } = await topicOf(t, 1)
    await producer.send({ topic, partition: 0 }, [message('x'.repeat(5000))])
    await producer.send({ topic, partition: 0 }, [message('y')])
    const reader = await readerOf(t, kafka, topic)
    const [[node]] = [...(await reader.leaders([{ topic, partition: 0 }], false))] as [[string, unknown]]
    const small = { maxWaitMs: 100, maxPartitionBytes: 1000, maxBytes: 1000 }
    const [found] = await reader.fetch(node, [{ topic, partition: 0, offset: 0 }], small)
    assert.deepEqual([found!.messages.length, found!.next, found!.end], [1, 1, 2])
  })

  test('offsets and ends say where a log begins and ends, in the requested order', async t => {
    const { kafka, topic, admin, producer } = await topicOf(t, 3)
    await producer.send({ topic, partition: 1 }, [message('a'), message('b')])
    const reader = await readerOf(t, kafka, topic)
    assert.deepEqual(await reader.ends(topic, 3), [0, 2, 0])
    assert.deepEqual(await reader.offsets([{ topic, partition: 1 }], 'start'), [{ topic, partition: 1, offset: 0 }])
    assert.deepEqual(await admin.bounds(topic, 1), { start: 0, end: 2 })
  })

  test('a batch tells when the broker appended it, and none is there after the end of a log', async t => {
    const { kafka, topic, producer } = await topicOf(t, 2)
    const before = Date.now()
    await producer.send({ topic, partition: 1 }, [message('x'.repeat(5000)), message('b')])
    const after = Date.now()
    const reader = await readerOf(t, kafka, topic)
    const [[node]] = [...(await reader.leaders([{ topic, partition: 0 }], false))] as [[string, unknown]]
    const at = (partition: number, offset: number) => ({ topic, partition, offset })
    await until(
      'both partitions answer',
      async () => !(await reader.timestamps(node, [at(0, 0), at(1, 1)])).includes(undefined),
    )
    const found = await reader.timestamps(node, [at(0, 0), at(1, 1)])
    assert.equal(found[0], null)
    assert.ok(found[1]! >= before && found[1]! <= after, `${found[1]} is not from ${before} to ${after}`)
    assert.deepEqual(await reader.timestamps(node, [at(1, 2)]), [null])
    const [fetched] = await reader.fetch(node, [at(1, 1)], LIMITS)
    assert.equal(fetched!.messages[0]!.timestamp, found[1])
  })

  test('a missing partition is named, by the producer and by the reader', async t => {
    const { kafka, topic, producer } = await topicOf(t, 1)
    const reader = await readerOf(t, kafka, topic)
    await assert.rejects(producer.send({ topic, partition: 7 }, [message('a')]), error => {
      const { text, retriable, type } = describeKafkaError(error)
      assert.match(text, /has no partition 7/)
      return retriable && type === 'UNKNOWN_TOPIC_OR_PARTITION'
    })
    await assert.rejects(reader.leaders([{ topic, partition: 7 }], false), {
      code: 'TOPIC_UNUSABLE',
      message: /has no partition 7/,
    })
  })

  test('a missing topic cannot be read', async () => {
    const kafka = await connect()
    await assert.rejects(kafka.reader([`test-${randomBytes(6).toString('hex')}`]), { code: 'TOPIC_UNUSABLE' })
  })

  test('a message above the limit of the topic is refused permanently, and the next one gets its offset', async t => {
    const { topic, producer } = await topicOf(t, 1, { config: { 'max.message.bytes': '1000' } })
    await assert.rejects(producer.send({ topic, partition: 0 }, [message('x'.repeat(2000))]), error => {
      const { retriable, type } = describeKafkaError(error)
      return !retriable && type === 'MESSAGE_TOO_LARGE'
    })
    assert.equal(await producer.send({ topic, partition: 0 }, [message('a')]), 0)
  })

  test('each partition has the messages of many calls in the order of the calls, each once', async t => {
    const { kafka, topic } = await topicOf(t, 3)
    const sender = new PartitionSender(await kafka.producer(), silent)
    t.after(() => sender.close())
    const all = Array.from({ length: 300 }, (_, i) => i)
    await Promise.all(all.map(i => sender.send({ topic, partition: i % 3 }, message(String(i)))))
    const found: string[][] = [[], [], []]
    const offsets = [0, 1, 2].map(partition => ({ topic, partition, offset: 0 }))
    const { signal } = new AbortController()
    await readNow({ kafka, say: silent, signal }, offsets, (partition, { value }) => {
      found[partition]!.push(value!.toString())
    })
    assert.deepEqual(
      found,
      [0, 1, 2].map(partition => all.filter(i => i % 3 === partition).map(String)),
    )
  })

  test('a feed that waits at the end of a log gets what is sent later', async t => {
    const { kafka, topic, producer } = await topicOf(t, 2)
    const feed = await PartitionFeed.open(kafka, [topic], silent)
    t.after(() => feed.close())
    const queues = await feed.assign([0, 1].map(partition => ({ topic, partition, offset: 0 })))
    while (!queues.every(({ drained }) => drained)) await feed.arrival()
    await producer.send({ topic, partition: 1 }, [message('late')])
    const found: string[] = []
    await takeUntil(feed, [queues[1]!], (_, taken) => {
      if (taken) found.push(taken.value!.toString())
      return found.length > 0
    })
    assert.deepEqual(found, ['late'])
  })

  test('added partitions are counted, and can be written and read', async t => {
    const { kafka, topic, admin, producer } = await topicOf(t, 1)
    const reader = await readerOf(t, kafka, topic)
    assert.equal(reader.partitions(topic), 1)
    await admin.addPartitions(topic, 3)
    while ((await reader.partitionsNow(topic)) < 3); // a broker needs a moment to know them
    while ((await producer.partitions(topic)) < 3);
    assert.deepEqual(await admin.partitions([topic, `${topic}-none`]), new Map([[topic, 3]]))
    await producer.send({ topic, partition: 2 }, [message('a')])
    assert.deepEqual(await reader.ends(topic, 3), [0, 0, 1])
  })

  test('the lag of a group is what its commits leave of a topic', async t => {
    const { kafka, topic, admin, producer } = await topicOf(t, 2)
    const group = `${topic}.group`
    await producer.send({ topic, partition: 0 }, [message('a'), message('b'), message('c')])
    await producer.send({ topic, partition: 1 }, [message('d')])
    assert.equal(await admin.committed(group, topic, 0), -1)
    const first = await join(t, kafka, group, topic)
    await first.assigned(1)
    assert.equal(await admin.groupMembers(group), 1)
    await first.member.commit(committedOffsets(topic, { 0: 2 }))
    assert.equal(await admin.committed(group, topic, 0), 2)
    assert.equal(await admin.lag(group, topic), 2)
    assert.deepEqual(
      await admin.readUpTo(group, topic),
      new Map([
        [0, 2],
        [1, 0],
      ]),
    )
    await admin.deleteRecords(topic, 1, 1)
    assert.deepEqual(
      await admin.readUpTo(group, topic),
      new Map([
        [0, 2],
        [1, 1],
      ]),
    )
    await first.leave()
    assert.equal(await admin.groupMembers(group), 0)
  })

  test('messages below an offset are deleted once and for all, and readers begin after them', async t => {
    const { kafka, topic, admin, producer } = await topicOf(t, 1)
    for (const text of ['a', 'b', 'c']) await producer.send({ topic, partition: 0 }, [message(text)])
    await admin.deleteRecords(topic, 0, 2)
    await admin.deleteRecords(topic, 0, 1)
    assert.deepEqual(await admin.bounds(topic, 0), { start: 2, end: 3 })
    const found: string[] = []
    const reading = { kafka, say: silent, signal: new AbortController().signal }
    await readNow(reading, [{ topic, partition: 0, offset: 0 }], (_, { value }) => void found.push(`${value}`))
    assert.deepEqual(found, ['c'])
    await assert.rejects(admin.deleteRecords(topic, 0, 4))
  })

  test('a member begins at the committed offsets, or at the start of the log without any', async t => {
    const { kafka, topic } = await topicOf(t, 3)
    const group = `${topic}.group`
    const first = await join(t, kafka, group, topic)
    assert.deepEqual(await first.assigned(1), committedOffsets(topic, { 0: 0, 1: 0, 2: 0 }))
    await first.member.commit(committedOffsets(topic, { 0: 5, 2: 7 }))
    await first.leave()
    const second = await join(t, kafka, group, topic)
    assert.deepEqual(await second.assigned(1), committedOffsets(topic, { 0: 5, 1: 0, 2: 7 }))
  })

  test('members share partitions; one that stays hears of a join, can still commit, and gets all back', async t => {
    const limits = { sessionTimeoutMs: 120_000 }
    const { kafka, topic } = await topicOf(t, 4, { limits })
    const group = `${topic}.group`
    const first = await join(t, kafka, group, topic)
    assert.equal((await first.assigned(1)).length, 4)
    const second = await join(t, kafka, group, topic)
    const shared = [...(await first.assigned(2)), ...(await second.assigned(1))]
    assert.deepEqual(shared.map(({ partition }) => partition).sort(), [0, 1, 2, 3])
    const [held] = await second.assigned(1)
    await second.member.commit([{ ...held!, offset: 9 }])
    const began = performance.now()
    await second.leave()
    const all = await first.assigned(3)
    assert.ok(
      performance.now() - began < limits.sessionTimeoutMs / 2,
      'nobody waits until the session of the member that left expires',
    )
    assert.equal(all.length, 4)
    assert.equal(all.find(({ partition }) => partition === held!.partition)!.offset, 9)
    assert.deepEqual(first.events, ['assigned', 'rebalance', 'assigned', 'rebalance', 'assigned'])
  })

  test('metadata committed with an offset reaches the next owner of the partition', async t => {
    const { kafka, topic } = await topicOf(t, 2)
    const group = `${topic}.group`
    const first = await join(t, kafka, group, topic)
    await first.assigned(1)
    await first.member.commit(committedOffsets(topic, { 0: 5 }, 'twice'))
    await first.leave()
    const second = await join(t, kafka, group, topic)
    assert.deepEqual(await second.assigned(1), [
      ...committedOffsets(topic, { 0: 5 }, 'twice'),
      ...committedOffsets(topic, { 1: 0 }),
    ])
  })

  test('offsets are committed for nobody while the group has no member, and for nobody else while it has', async t => {
    const { kafka, topic } = await topicOf(t, 2)
    const group = `${topic}.group`
    const offsets = await kafka.groupOffsets(group, [topic])
    t.after(() => offsets.close())
    await offsets.commit(committedOffsets(topic, { 0: 5 }, 'mine'))
    const both = [0, 1].map(partition => ({ topic, partition }))
    const found = [...committedOffsets(topic, { 0: 5 }, 'mine'), ...committedOffsets(topic, { 1: 0 })]
    assert.deepEqual(await offsets.committed(both), found)
    const member = await join(t, kafka, group, topic)
    assert.deepEqual(await member.assigned(1), found)
    await assert.rejects(offsets.commit(committedOffsets(topic, { 0: 7 })), { type: 'UNKNOWN_MEMBER_ID' })
    await member.leave()
    await offsets.commit(committedOffsets(topic, { 0: 7 }))
    assert.equal((await offsets.committed(both))[0]!.offset, 7)
  })

  test('a group tells its members, each with its partitions, to somebody who is no member', async t => {
    const { kafka, topic } = await topicOf(t, 2)
    const group = `${topic}.group`
    const offsets = await kafka.groupOffsets(group, [topic])
    t.after(() => offsets.close())
    const member = await join(t, kafka, group, topic)
    await member.assigned(1)
    const { state, members } = await offsets.describe()
    assert.equal(state, 'Stable')
    assert.deepEqual(
      members.map(({ memberId }) => memberId),
      [member.id()],
    )
    const held = members[0]!.partitions.toSorted((a, b) => a.partition - b.partition)
    assert.deepEqual(
      held,
      [0, 1].map(partition => ({ topic, partition })),
    )
    await member.leave()
    assert.deepEqual((await offsets.describe()).members, [])
  })

  test('somebody else can leave for a member, and the others, when they ask, have its partitions', async t => {
    const { kafka, topic } = await topicOf(t, 2)
    const group = `${topic}.group`
    const offsets = await kafka.groupOffsets(group, [topic])
    t.after(() => offsets.close())
    const first = await join(t, kafka, group, topic)
    await first.assigned(1)
    const second = await join(t, kafka, group, topic)
    const [, held] = await Promise.all([second.assigned(1), first.assigned(2)])
    assert.equal(held.length, 1)
    const { events } = first
    await offsets.leave(second.id())
    first.member.wake()
    await first.assigned(3)
    assert.deepEqual(events.slice(0, 5), ['assigned', 'rebalance', 'assigned', 'rebalance', 'assigned'])
    await assert.rejects(offsets.leave('nobody'), { type: 'UNKNOWN_MEMBER_ID' })
  })

  test('a member that left cannot commit', async t => {
    const { kafka, topic } = await topicOf(t, 1)
    const group = `${topic}.group`
    const first = await join(t, kafka, group, topic)
    await first.assigned(1)
    const second = await join(t, kafka, group, topic)
    await second.assigned(1)
    await second.leave()
    await assert.rejects(second.member.commit(committedOffsets(topic, { 0: 1 })))
  })
}
