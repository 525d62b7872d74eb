import assert from 'node:assert/strict'
import { test } from 'node:test'
import { workersGroup } from '../../src/pipeline/topic-names.ts'
import { ensureTopics } from '../../src/pipeline/topics.ts'
import { Membership } from '../../src/work/membership.ts'
import { FakeCluster } from '../fakes/kafka.ts'

const PIPELINE = 'p'

/** Waits for each of these messages, and keeps all that come. */
class Messages {
  readonly all: string[] = []
  #wanted: { sign: string; found: () => void } | null = null

  readonly say = (message: string): void => {
    this.all.push(message)
    if (this.#wanted && message.includes(this.#wanted.sign)) this.#wanted.found()
  }

  next(sign: string): Promise<void> {
    return new Promise(found => {
      this.#wanted = { sign, found }
    })
  }
}

test('a broker that still loads the group delays a first join; only a later failure is a lost group', async () => {
  const cluster = new FakeCluster()
  const { kafka } = cluster.client()
  await ensureTopics(await kafka.admin(), PIPELINE, 2)
  const messages = new Messages()
  const membership = await Membership.open({ kafka, pipeline: PIPELINE, say: messages.say }, { name: 'w1' })
  const group = cluster.group(workersGroup(PIPELINE), [])
  const join = group.join.bind(group)
  let isLoading = true
  group.join = member => {
    if (!isLoading) return join(member)
    isLoading = false
    return Promise.reject(new Error('The coordinator is loading'))
  }
  const joined = messages.next('has joined its group')
  const unused = async () => assert.fail('the group has no rows')
  membership.join({ pump: async () => {}, findDone: unused, resultPartitions: async n => n, failed: unused })
  await joined
  assert.deepEqual(messages.all, [
    'worker w1 waits until the broker lets it join its group (The coordinator is loading). Retrying',
    'worker w1 has joined its group',
  ])
  const back = messages.next('is back in its group')
  isLoading = true
  group.rebalance()
  await back
  assert.match(messages.all[2]!, /^worker w1 lost its group \(The coordinator is loading\)\. Retrying$/)
  await membership.close()
})
