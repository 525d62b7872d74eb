/** Topics with one replica on a cluster of three brokers: what is said of them, and that the printed commands mend them. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import kafkajs from 'kafkajs'
import { clusterSettings } from '../../src/client-config/kafka-options.ts'
import { ClusterAccess } from '../../src/doctor/cluster-access.ts'
import { Kafka } from '../../src/kafka/index.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { newTopics } from '../../src/pipeline/topics.ts'
import { rowmill, testFolder } from '../helpers/cli.ts'
import { Cluster } from '../helpers/cluster.ts'
import { expectFinding, findingsOf } from '../helpers/doctor.ts'
import { runKafkaTool } from '../helpers/kafka-tools.ts'
import { until } from '../helpers/until.ts'

const closes: (() => Promise<void>)[] = []
let cluster: Cluster
before(async () => {
  cluster = await Cluster.open(close => closes.unshift(close))
})
after(async () => {
  for (const close of closes) await close()
})

const TOPICS = topicsOf('p')

/** What one check of doctor finds. */
async function find(check: 'replication' | 'topics', pipeline = 'p') {
  const access = new ClusterAccess({ ...clusterSettings({ brokers: cluster.addresses.split(',') }), clientId: 'test' })
  try {
    return await findingsOf(check, { cluster: access, pipeline })
  } finally {
    access.close()
  }
}

/** Resolves when each broker lists the topics: it hears of a new one from the controller, after the request. */
async function listedByAll(): Promise<void> {
  const names = Object.values(TOPICS)
  for (const address of cluster.addresses.split(',')) {
    const admin = await new Kafka({ brokers: [address], clientId: 'test' }).admin()
    await until(`${address} lists the topics`, async () => (await admin.partitions(names)).size === names.length)
    await admin.close()
  }
}

/** Does what a printed command says. The jars of the tests lack kafka-configs. */
async function run(command: string, folder: string): Promise<void> {
  const [write, tool] = command.split(' && ')
  if (tool === undefined) return configure(command)
  execFileSync('sh', ['-c', write!], { cwd: folder })
  const words = tool.split(' ').slice(1)
  const args = words.map(word => (word.endsWith('.json') ? join(folder, word) : word))
  await runKafkaTool('org.apache.kafka.tools.reassign.ReassignPartitionsCommand', args)
}

async function configure(command: string): Promise<void> {
  const [, name, setting, value] = command.match(/--entity-name (\S+) --add-config (\S+)=(\S+)$/)!
  const { Kafka, logLevel, ConfigResourceTypes } = kafkajs
  const admin = new Kafka({ brokers: cluster.addresses.split(','), logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  const { config } = newTopics(TOPICS, 2, 1).find(({ topic }) => topic === name)!
  const configEntries = Object.entries({ ...config, [setting!]: value! }).map(([name, value]) => ({ name, value }))
  const resources = [{ type: ConfigResourceTypes.TOPIC, name: name!, configEntries }]
  await admin.alterConfigs({ validateOnly: false, resources }).finally(() => admin.disconnect())
}

test('topics on one broker of three: check and doctor say so, the printed commands mend them, and a dead broker is named', async t => {
  const folder = testFolder(t)
  const kafka = new Kafka({ brokers: cluster.addresses.split(','), clientId: 'test' })
  const admin = await kafka.admin()
  await admin.createTopics(newTopics(TOPICS, 2, 1)) // as on a cluster of one broker
  await admin.close()
  await listedByAll()
  const check = async (code: number) => {
    const args = ['topics', 'check', '--pipeline', 'p', '--partitions', '2', '-b', cluster.addresses]
    const checked = await rowmill(args, { cwd: folder })
    assert.equal(checked.code, code, checked.stdout + checked.stderr)
    return checked.stdout.split('\n').map(line => line.split('. To change it: '))
  }
  const rows = 'p.rows: 2 of 2 partitions have fewer replicas than the 3 planned'
  expectFinding(await find('replication'), [
    'warning',
    new RegExp(`^${rows}`),
    /^echo .* && kafka-reassign-partitions\.sh /,
  ])
  const faults = await check(3)
  assert.ok(
    faults.some(([text]) => text!.startsWith(`topic ${rows}`)),
    String(faults),
  )
  for (const [, cure] of faults) if (cure?.startsWith('echo')) await run(cure, folder)
  await cluster.untilInSync(Object.values(TOPICS), 3)
  const left = await check(3)
  assert.match(String(left), /min\.insync\.replicas=1, and 2 is planned/)
  for (const [, cure] of left) if (cure) await run(cure, folder)
  assert.deepEqual(await check(0), [['']])
  expectFinding(await find('replication'), ['ok', /^each message is on 3 brokers, and all of them are in sync$/])

  await cluster.kill(3)
  await cluster.untilInSync(Object.values(TOPICS), 2)
  expectFinding(await find('replication'), [
    'warning',
    /^p\.rows: 2 of 2 partitions are not in sync on broker 3$/,
    /^start broker 3/,
  ])
  await check(3)
  await cluster.heal()
})

test('a broker that alone keeps a topic is down: its partitions have no leader', async () => {
  const admin = new kafkajs.Kafka({ brokers: cluster.addresses.split(','), logLevel: kafkajs.logLevel.NOTHING }).admin()
  await admin.connect()
  const replicaAssignment = [{ partition: 0, replicas: [3] }]
  await admin.createTopics({ topics: [{ topic: 'q.rows', replicaAssignment }] }).finally(() => admin.disconnect())
  await cluster.kill(3)
  const found = () => find('topics', 'q')
  await until('the cluster knows that the broker is down', async () => (await found())[0]!.status === 'failure')
  expectFinding(await found(), [
    'failure',
    /^q\.rows: 1 of 1 partitions have no leader$/,
    /^start the brokers that keep them: 3$/,
  ])
})
