/**
 * A control: with several partitions in one request of KafkaJS, a leader that moves loses rows, and the check sees it.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startProgram } from '../helpers/cli.ts'
import { Cluster } from '../helpers/cluster.ts'
import { type Edit, mutant } from '../helpers/mutant.ts'
import { assertCode, Fire } from './fire.ts'
import { publishWhileLeadersMove } from './moving-leaders.ts'

/** Partitions take no turns, and all messages of one turn of the event loop go in one request. */
const TOGETHER: readonly Edit[] = [
  {
    file: 'src/kafka/partition-sender.ts',
    find: 'const endTurn = await this.#turn.take()',
    put: 'const endTurn = () => {}',
  },
  {
    file: 'src/kafka/producer.ts',
    find: 'const [written] = await this.#rights.needing(write(topic), () =>',
    put: `
    const gathering = (this as any).gathering ??= new Map()
    if (!gathering.has(topic)) {
      const all: object[] = []
      const sent = new Promise(resolve => setImmediate(resolve)).then(() => {
        gathering.delete(topic)
        return this.#producer.send({ topic, acks: -1, messages: all as never })
      })
      gathering.set(topic, { all, sent })
    }
    const { all, sent } = gathering.get(topic)
    for (const { key, value } of messages) all.push({ key, value: this.#format.write(value), partition })
    return sent.then(() => 0)
    const [written] = await this.#rights.needing(write(topic), () =>`,
  },
]

test('with several partitions in one request, moving leaders lose rows, and collect names the first', async t => {
  const closing: (() => Promise<void>)[] = []
  t.after(async () => {
    for (const close of closing.reverse()) await close()
  })
  // Nothing is killed here. On a busy machine a broker must not count as dead, or leaders move at other times too.
  const properties = { 'broker.session.timeout.ms': 30_000 }
  const cluster = await Cluster.open(close => closing.push(close), { properties })
  const fire = await Fire.open(t, { brokers: cluster.addresses })
  const command = mutant(t, TOGETHER)
  const publish = () =>
    startProgram(process.execPath, [command, 'publish', fire.input, '--job', 'j'], { env: fire.env })
  const working = fire.work(2)
  const collected = fire.collect()
  const publishing = await publishWhileLeadersMove(fire, cluster, publish)
  assertCode(await publishing.finished, 0, 'it assumes that everything was sent')
  assertCode(await collected.finished, 6)
  assert.match((await collected.finished).stderr, /\[ROW_GAP\]/)
  await fire.drain(working)
})
