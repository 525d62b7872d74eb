/** Three brokers that take clients over TLS with a login. One is killed in the middle of a job, and stays away. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, type TestContext, test } from 'node:test'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { Authority } from '../helpers/certificates.ts'
import { Cluster } from '../helpers/cluster.ts'
import { scramUser } from '../helpers/scram-user.ts'
import { PASSWORD, USER } from '../helpers/secured-broker.ts'
import { propertiesText } from '../helpers/ways-in.ts'
import { assertCode, CLASSIFIER, Fire } from './fire.ts'

/**
 * The victim may hold the offsets of the group. Then nothing is committed until another broker has them, and what workers
 * classified meanwhile is classified again at each rebalance.
 */
const OFTEN = 2

const closing: (() => Promise<void> | void)[] = []
let opened: Promise<{ cluster: Cluster; config: string }> | null = null

// Registered here for the whole file: inside a test it would run when that test ends.
after(async () => {
  for (const close of closing.reverse()) await close()
})

async function openCluster() {
  const authority = new Authority(close => closing.push(close))
  const cluster = await Cluster.open(close => closing.push(close), { authority })
  await scramUser(cluster.addresses, USER, PASSWORD)
  const config = join(authority.folder, 'client.properties')
  const properties = {
    'security.protocol': 'SASL_SSL',
    'ssl.ca.location': authority.ca,
    'sasl.mechanism': 'SCRAM-SHA-512',
    'sasl.username': USER,
    'sasl.password': PASSWORD,
  }
  writeFileSync(config, propertiesText(properties))
  return { cluster, config }
}

/** One job on the cluster of this file, with all three brokers, and a broker that leads some of its partitions. */
async function place(t: TestContext) {
  opened ??= openCluster()
  const { cluster, config } = await opened
  await cluster.heal()
  const env = { ROWMILL_COMMAND_CONFIG: config }
  const fire = await Fire.open(t, { rows: 6000, brokers: cluster.securedAddresses, env })
  const victim = (await cluster.prepare(fire.pipeline)).findLast(id => id !== 1)! // the controller is needed
  const topics = Object.values(topicsOf(fire.pipeline))
  await cluster.untilInSync(topics, 3)
  return { cluster, fire, victim, topics }
}

test('run finishes on two secured brokers after the third was killed', async t => {
  const { cluster, fire, victim, topics } = await place(t)
  const options = ['--classifier', CLASSIFIER, '--workers', '2', '--job', 'j']
  const running = fire.start(['run', fire.input, fire.output, ...options])
  await fire.untilClassified(1500)
  await cluster.kill(victim)
  assertCode(await running.finished, 0)
  await cluster.untilInSync(topics, 2)
  await fire.check({ again: OFTEN * fire.rows })
})

test('publish, work and collect finish on two secured brokers after the third was killed', async t => {
  const { cluster, fire, victim, topics } = await place(t)
  const working = fire.work(2)
  const [publishing, collected] = [fire.publish(), fire.collect()]
  await fire.untilClassified(1500)
  await cluster.kill(victim)
  for (const { finished } of [publishing, collected]) assertCode(await finished, 0)
  await fire.drain(working)
  await cluster.untilInSync(topics, 2)
  await fire.check({ again: OFTEN * fire.rows })
})
