import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RowmillError } from '../../src/errors.ts'
import { ClusterReach, type ReachConnection } from '../../src/monitor/cluster-reach.ts'
import { ManualTime } from '../helpers/manual-time.ts'

const FINE = { isGood: true, reason: 'the cluster answers and the topics are there' }
const REFUSED = new RowmillError('BROKER_UNREACHABLE', 'refused')

/** A cluster that answers as `answer` does, and what was connected and closed. */
function cluster() {
  const made = { connections: 0, closed: 0, answer: async (): Promise<string | null> => null }
  const connection: ReachConnection = {
    ask: () => made.answer(),
    close: async () => {
      made.closed++
    },
  }
  const time = new ManualTime()
  const reach = new ClusterReach(async hangUp => {
    made.connections++
    const hungUp = new Promise<never>((_, reject) => hangUp.addEventListener('abort', () => reject(REFUSED)))
    hungUp.catch(() => {})
    return { ...connection, ask: () => Promise.race([made.answer(), hungUp]) }
  }, time)
  return { made, time, reach }
}

test('a cluster that answers is asked over one connection, which ends at the end', async () => {
  const { made, reach } = cluster()
  assert.deepEqual(await reach.look(), FINE)
  assert.deepEqual(await reach.look(), FINE)
  assert.deepEqual([made.connections, made.closed], [1, 0])
  await reach.close()
  await reach.close()
  assert.equal(made.closed, 1)
})

test('a topic that is missing, and a right that is missing, are told', async () => {
  const { made, reach } = cluster()
  made.answer = async () => 'topic rowmill.rows does not exist'
  assert.deepEqual(await reach.look(), { isGood: false, reason: 'topic rowmill.rows does not exist' })
  made.answer = async () => {
    throw new RowmillError('NOT_AUTHORIZED', 'may not')
  }
  assert.deepEqual(await reach.look(), { isGood: false, reason: 'may not' })
  assert.equal(await reach.outageSeconds(), null)
})

test('an outage counts from the first question without an answer, and ends with an answer', async () => {
  const { made, time, reach } = cluster()
  assert.equal(await reach.outageSeconds(), null)
  made.answer = async () => {
    throw REFUSED
  }
  assert.equal(await reach.outageSeconds(), 0)
  await time.pass(12_000)
  assert.deepEqual(await reach.look(), { isGood: false, reason: 'no broker has answered for 12 s' })
  made.answer = async () => null
  assert.deepEqual(await reach.look(), FINE)
  assert.deepEqual([made.connections, made.closed], [3, 2])
})

test('a broker that does not answer keeps nobody waiting, and is asked anew over another connection', async () => {
  const { made, time, reach } = cluster()
  await reach.look()
  made.answer = () => Promise.withResolvers<never>().promise
  const looking = reach.look()
  await time.pass(700)
  assert.deepEqual(await looking, { isGood: false, reason: 'no broker has answered for 0 s' })
  await time.pass(4300) // it is hung up
  made.answer = async () => null
  assert.deepEqual(await reach.look(), FINE)
  assert.equal(made.connections, 2)
})
