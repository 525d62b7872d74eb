import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { EventPublisher } from '../../src/events/event-publisher.ts'
import type { OutgoingMessage } from '../../src/kafka/index.ts'
import type { PartitionSender } from '../../src/kafka/partition-sender.ts'
import type { Rows } from '../../src/model.ts'
import { decode } from '../../src/wire/codec.ts'
import { ManualTime } from '../helpers/manual-time.ts'

const JOB = { id: 'j', epoch: 3, from: 100, topic: 't', partitions: 3, blockRows: 1 }

interface Out {
  readonly partition: number
  readonly rows: Rows
  ack(): Promise<void>
  fail(error: Error): Promise<void>
}

/** A publisher whose messages, and whose looks at `jobs`, the test answers by hand. */
function byHand(t: TestContext) {
  const out: Out[] = []
  const looks: PromiseWithResolvers<void>[] = []
  const time = new ManualTime()
  const sender = {
    send({ partition }: { partition: number }, { value }: OutgoingMessage): Promise<void> {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const { value: rows } = decode(value) as { value: Rows }
      const ack = () => turn(resolve(undefined))
      out.push({ partition, rows, ack, fail: error => turn(reject(error)) } as Out)
      return promise
    },
  }
  const publisher = new EventPublisher({
    job: JOB,
    sender: sender as unknown as PartitionSender,
    checkHeld: () => {
      looks.push(Promise.withResolvers<void>())
      return looks.at(-1)!.promise
    },
    lost: error => publisher.fail(error),
    time,
  })
  t.after(() => publisher.fail(new Error('the test is over')))
  const told: (number | string)[] = []
  const send = (value: string) =>
    publisher.send([value]).then(
      seq => void told.push(seq),
      error => void told.push(error.message),
    )
  const answer = (look: number) => turn(looks[look]!.resolve())
  return { publisher, out, looks, time, told, send, answer }
}

test('seqs continue at `from` in the order of the calls, each row in its partition, with the epoch', t => {
  const { send, out } = byHand(t)
  for (const value of ['a', 'b', 'c', 'd']) void send(value)
  const seen = out.map(({ partition, rows: { seq, epoch, from, count, rows } }) => [
    partition,
    seq,
    epoch,
    from,
    count,
    rows,
  ])
  assert.deepEqual(seen, [
    [1, 100, 3, 100, 1, [['a']]],
    [2, 101, 3, 100, 1, [['b']]],
    [0, 102, 3, 100, 1, [['c']]],
    [1, 103, 3, 100, 1, [['d']]],
  ])
})

test('a row is safe when all rows up to it are acknowledged and a later look finds no newer producer', async t => {
  const { publisher, send, out, looks, time, told, answer } = byHand(t)
  for (const value of ['a', 'b', 'c', 'd']) void send(value)
  await out[1]!.ack()
  await out[2]!.ack()
  await time.pass(100)
  assert.equal(looks.length, 0, 'the first row is missing')
  await out[0]!.ack()
  await time.pass(10)
  assert.equal(looks.length, 1, 'one look for all acknowledged rows')
  await out[3]!.ack()
  assert.equal(looks.length, 1, 'one look at a time')
  assert.deepEqual([told, publisher.safe], [[], 100])
  await answer(0)
  assert.deepEqual([told, publisher.safe], [[100, 101, 102], 103], 'not the row that was acknowledged during the look')
  assert.equal(looks.length, 2)
  await answer(1)
  assert.deepEqual([told, publisher.safe], [[100, 101, 102, 103], 104])
})

test('rows that one request acknowledged share a look', async t => {
  const { send, out, looks, told, answer } = byHand(t)
  for (const value of ['a', 'b', 'c']) void send(value)
  await Promise.all(out.map(({ ack }) => ack()))
  assert.equal(looks.length, 1)
  await answer(0)
  assert.deepEqual(told, [100, 101, 102])
  assert.equal(looks.length, 1)
})

test('a look waits for the rows that are under way, but no longer than 10 ms', async t => {
  const { send, out, looks, time, told, answer } = byHand(t)
  for (const value of ['a', 'b', 'c']) void send(value)
  await out[0]!.ack()
  await time.pass(9)
  assert.equal(looks.length, 0, 'two rows are under way')
  await time.pass(1)
  assert.equal(looks.length, 1)
  await out[1]!.ack()
  await answer(0)
  assert.deepEqual([told, looks.length], [[100], 1], 'one row is under way')
  await out[2]!.ack()
  assert.equal(looks.length, 2, 'no row is under way')
  await answer(1)
  assert.deepEqual(told, [100, 101, 102])
})

test('a look that finds a newer producer rejects every pending and later row, even acknowledged ones', async t => {
  const { publisher, send, out, looks, time, told } = byHand(t)
  for (const value of ['a', 'b', 'c']) void send(value)
  await out[0]!.ack()
  await out[1]!.ack()
  await time.pass(10)
  await turn(looks[0]!.reject(new Error('fenced')))
  void send('d')
  await turn()
  assert.deepEqual(told, ['fenced', 'fenced', 'fenced', 'fenced'])
  await out[2]!.ack()
  assert.equal(out.length, 3, 'nothing more is sent')
  await assert.rejects(publisher.untilSafe(101), /fenced/)
  assert.equal(publisher.safe, 100)
})

test('a fault during a look leaves no row safe', async t => {
  const { publisher, send, out, told, answer } = byHand(t)
  void send('a')
  await out[0]!.ack()
  publisher.fail(new Error('frozen'))
  await answer(0)
  assert.deepEqual([told, publisher.safe], [['frozen'], 100])
})

test('a row that cannot be written ends the publisher: after it would be a hole', async t => {
  const { send, out, told } = byHand(t)
  for (const value of ['a', 'b']) void send(value)
  await out[0]!.fail(new Error('unreachable'))
  await out[1]!.ack()
  void send('c')
  await turn()
  assert.deepEqual([told, out.length], [['unreachable', 'unreachable', 'unreachable'], 2])
})

test('about 1 MB is in flight; further rows wait, and follow in order', async t => {
  const { publisher, send, out, looks, told } = byHand(t)
  const rows = 3000
  for (let row = 0; row < rows; row++) void send('x'.repeat(1000))
  const first = out.length
  assert.ok(first > 700 && first < 1100, `${first} rows in flight`)
  assert.deepEqual([publisher.given, publisher.handed], [100 + rows, 100 + first])
  for (let row = 0; row < rows; row++) {
    await out[row]!.ack()
    looks.at(-1)?.resolve()
  }
  while (told.length < rows) await turn(looks.at(-1)!.resolve())
  assert.deepEqual(
    out.map(({ rows }) => rows.seq),
    Array.from({ length: rows }, (_, row) => 100 + row),
  )
  assert.deepEqual(
    told,
    out.map(({ rows }) => rows.seq),
  )
  await publisher.untilSafe(100 + rows)
})
