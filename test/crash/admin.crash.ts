/** A broker that disappears between the connection of a command and its first request. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { startLocalBroker } from '../../src/broker/local-broker.ts'
import { Kafka, type KafkaAdmin } from '../../src/kafka/index.ts'
import { descendants, freeze } from '../helpers/processes.ts'

const TOPIC = { topic: 'p.rows', partitions: 1, replicationFactor: 1, config: {} }
/** Longer than a request needs to reach the socket. */
const ON_ITS_WAY_MS = 300

const QUESTIONS: readonly { what: string; ask(admin: KafkaAdmin): Promise<unknown> }[] = [
  { what: 'about the topics of a pipeline', ask: admin => admin.partitions(['p.rows']) },
  { what: 'about the number of brokers', ask: admin => admin.brokers() },
  { what: 'to create topics', ask: admin => admin.createTopics([TOPIC]) },
]

for (const { what, ask } of QUESTIONS) {
  test(`a frozen broker that is asked ${what} and killed is unreachable: that is no defect of rowmill`, async t => {
    const broker = await startLocalBroker({})
    t.after(() => broker.close())
    const java = descendants(process.pid).find(({ name }) => name === 'java')
    const admin = await new Kafka({ brokers: [broker.address], clientId: 'test' }).admin()
    t.after(() => admin.close())
    await freeze(java!.pid)
    const asked = assert.rejects(ask(admin), { code: 'BROKER_UNREACHABLE' })
    await sleep(ON_ITS_WAY_MS)
    await broker.kill()
    await asked
  })
}
