/** Users with exactly the rights that a command needs, on a separate broker with an authorizer, and what they are told without. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { clusterSettings } from '../../src/client-config/kafka-options.ts'
import { Kafka } from '../../src/kafka/index.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { ensureTopics } from '../../src/pipeline/topics.ts'
import { GuardedBroker } from '../helpers/guarded-broker.ts'

const closes: (() => Promise<void> | void)[] = []
let guarded: GuardedBroker
before(async () => {
  guarded = await GuardedBroker.start(close => closes.unshift(close))
})
after(async () => {
  for (const close of closes) await close()
})

test('without the right to create topics, the printed commands create them', async () => {
  const properties = await guarded.user('creator')
  const kafka = new Kafka({ ...clusterSettings({ properties }), clientId: 'test' })
  const admin = await kafka.admin()
  closes.unshift(() => admin.close())
  const ensure = () =>
    ensureTopics(admin, 'made', 3).then(
      partitions => ({ partitions, message: '' }),
      (error: Error & { code: string }) => {
        assert.equal(error.code, 'NOT_AUTHORIZED')
        return { partitions: null, message: error.message }
      },
    )
  const hidden = await ensure()
  assert.match(
    hidden.message,
    /^User:creator has no right to Describe topic made\.\w+\. .*--operation Describe --topic made/,
  )
  for (const topic of Object.values(topicsOf('made')))
    await guarded.change('add', 'creator', { operation: 'Describe', resource: 'topic', name: topic })
  const refused = await ensure()
  assert.match(
    refused.message,
    /^User:creator has no right to Create topics made\.\*\. .* --operation Create --topic made\. /,
  )
  const [, ...commands] = refused.message.split('\n')
  assert.equal(commands.length, 5)
  for (const command of commands) await guarded.run(command)
  assert.deepEqual(await ensure(), { partitions: 3, message: '' })
})
