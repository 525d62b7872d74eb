/** A user who may not add partitions, on a separate broker with an authorizer. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { startLocalBroker } from '../../src/broker/local-broker.ts'
import { Kafka } from '../../src/kafka/index.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { rowmill, startRowmill } from '../helpers/cli.ts'
import { runKafkaTool } from '../helpers/kafka-tools.ts'
import { until } from '../helpers/until.ts'

const CLASSIFIER = join(import.meta.dirname, '../fixtures/classifiers.py:a_float')
const PROPERTIES = {
  'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  'allow.everyone.if.no.acl.found': 'true',
}

test('without the right to add partitions, the command is shown; rows with room continue', async t => {
  const broker = await startLocalBroker({ properties: PROPERTIES })
  t.after(() => broker.close())
  const env = { ROWMILL_BROKERS: broker.address, ROWMILL_PIPELINE: 'p' }
  const { reports: _, ...topics } = topicsOf('p')
  const { rows, results } = topics
  const tool = (main: string, ...args: string[]) =>
    runKafkaTool(`org.apache.kafka.tools.${main}`, ['--bootstrap-server', broker.address, ...args])
  const kafka = new Kafka({ brokers: [broker.address], clientId: 'test' })
  const [admin, producer] = await Promise.all([kafka.admin(), kafka.producer()])
  t.after(() => Promise.all([admin.close(), producer.close()]))

  const work = startRowmill(['work', '--classifier', CLASSIFIER, '--workers', '1'], { env })
  t.after(() => work.child.kill('SIGKILL'))
  let said = ''
  work.child.stderr.on('data', chunk => {
    said += chunk
  })
  await until('the topics are there', async () => (await admin.partitions(Object.values(topics))).size === 5)
  const opened = await rowmill(['jobs', 'open', '--job', 'j', '--columns', 'ID,A'], { env })
  assert.equal(opened.code, 0, opened.stderr)
  const anybody = ['--add', '--allow-principal', 'User:*', '--operation', 'All', '--topic', results]
  await tool('AclCommand', ...anybody)
  await tool('AclCommand', '--add', '--deny-principal', 'User:*', '--operation', 'Alter', '--topic', results)
  await tool('TopicCommand', '--alter', '--topic', rows, '--partitions', '10')

  const value = Buffer.from('{"job": "j", "values": ["1", "a"]}')
  for (let partition = 0; partition < 10; partition++)
    await producer.send({ topic: rows, partition }, [{ key: 'j', value }])
  const command = `--bootstrap-server ${broker.address} --alter --topic ${results} --partitions 10`
  await until('the worker logs what it lacks', () => said.includes(command))
  assert.match(said, /has 8 partitions and needs 10.*not authorized.*Until then, rows of partition 8 and above wait/i)
  for (let partition = 0; partition < 8; partition++)
    await until(`partition ${partition} continues`, async () => (await admin.bounds(results, partition)).end === 1)
  const refused = await rowmill(['jobs', 'open', '--job', 'other', '--columns', 'ID,A'], { env })
  assert.equal(refused.code, 3, refused.stderr)
  assert.ok(refused.stderr.includes(command), refused.stderr)

  await tool('AclCommand', '--remove', '--force', '--topic', results)
  const described = await admin.topicConfigs([rows, results])
  assert.equal(described.get(rows)?.get('compression.type'), 'producer')
  await tool('AclCommand', ...anybody)
  await tool('AclCommand', '--add', '--deny-principal', 'User:*', '--operation', 'DescribeConfigs', '--topic', results)
  assert.equal((await admin.topicConfigs([rows, results])).size, 0)
  const silent = await rowmill(['jobs', 'open', '--job', 'j', '--columns', 'ID,A'], { env })
  assert.deepEqual([silent.code, silent.stderr], [0, 'rowmill: job j is open already\n'])
  for (const partition of [8, 9])
    await until(`partition ${partition} continues`, async () => (await admin.bounds(results, partition)).end === 1)
  assert.equal(said.split(command).length, 2, 'it is logged once')
})
