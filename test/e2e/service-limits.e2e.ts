/**
 * The limits of managed services, on a real broker that is configured alike: whole commands with their output compared.
 *
 * Tested elsewhere, also on a real broker: each TLS shape and login with every command (secured.e2e.ts), what a login or
 * TLS refuses (secured-faults.e2e.ts), the rights of users (test/foreign/rights.foreign.ts), rows that a topic cannot take
 * (test/publish/row-limit.integration.ts). No broker of the tests creates topics by itself.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import { openJob, results } from '../../src/index.ts'
import { Kafka } from '../../src/kafka/index.ts'
import { startRowmill, testFolder } from '../helpers/cli.ts'
import { policedBroker } from '../helpers/policed-broker.ts'
import { SecuredBroker } from '../helpers/secured-broker.ts'
import { until } from '../helpers/until.ts'
import { propertiesText } from '../helpers/ways-in.ts'

const CLASSIFIER = [
  '--classifier',
  `${join(import.meta.dirname, '../fixtures/classifiers.ts')}:later`,
  '--workers',
  '1',
]
const ROWS = 150
const COLUMNS = ['ID', 'A', 'B']
const rows = Array.from({ length: ROWS }, (_, i) => [`${i}`, `a${i % 7}`, `${i / 8}`])
const INPUT = `${COLUMNS}\n${rows.map(row => `${row}\n`).join('')}`
const EXPECTED = rows.map(row => `${row.toReversed()}\n`).join('')

/** Which rules the policy has for the topics of each pipeline. */
const LIMITS = {
  serverless: 'min.insync.replicas=no max.message.bytes=8388608',
  retention: 'retention.ms=604800000',
  quota: 'partitions=20',
}

const closes: (() => Promise<void> | void)[] = []
const closing = (close: () => Promise<void> | void) => closes.unshift(close)
let secured: SecuredBroker
before(async () => {
  const { start, properties } = await policedBroker(closing, LIMITS)
  secured = await SecuredBroker.start(closing, { start, properties: { ...properties, 'message.max.bytes': '1046528' } })
})
after(async () => {
  for (const close of closes) await close()
})

type Properties = Readonly<Record<string, string>>
const plaintext = (): Properties => ({ 'bootstrap.servers': secured.broker.address })

/** A client with these properties in a pipeline, and all lines that its commands log. */
class Client {
  readonly folder: string
  readonly said: string[] = []
  readonly #t: TestContext
  readonly #pipeline: string
  readonly #properties: Properties

  constructor(t: TestContext, pipeline: string, properties = plaintext()) {
    this.#t = t
    this.#pipeline = pipeline
    this.#properties = properties
    this.folder = testFolder(t)
    writeFileSync(join(this.folder, 'in.csv'), INPUT)
    writeFileSync(join(this.folder, 'client.properties'), propertiesText(properties))
  }

  start(...args: string[]) {
    const at = ['--command-config', 'client.properties', '--pipeline', this.#pipeline]
    const { child, finished } = startRowmill([...args, ...at], { cwd: this.folder })
    this.#t.after(() => child.kill('SIGKILL'))
    const ended = finished.then(result => {
      this.said.push(...result.stderr.split('\n').filter(line => line !== ''))
      return result
    })
    return { child, ended }
  }

  async does(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.start(...args).ended
    assert.equal(code, 0, `${args[0]}: ${stderr}`)
    return stdout
  }

  output(name: string): string {
    return readFileSync(join(this.folder, name), 'utf8')
  }

  /** A file with `run`, a file with `publish`, `work` and `collect`, and events, with the output of each compared. */
  async doesAllJobs(...partitions: string[]): Promise<void> {
    await this.does('run', 'in.csv', 'run.csv', ...CLASSIFIER, ...partitions)
    assert.equal(this.output('run.csv'), EXPECTED)
    const work = this.start('work', ...CLASSIFIER)
    const job = (await this.does('publish', 'in.csv')).trim()
    await this.does('collect', 'out.csv', '--job', job)
    assert.equal(this.output('out.csv'), EXPECTED)
    const sdk = { kafka: { properties: this.#properties }, pipeline: this.#pipeline }
    const events = await openJob({ ...sdk, id: 'events', columns: COLUMNS })
    await Promise.all(rows.map(row => events.send(row)))
    await events.end()
    await events.close()
    const found: (readonly string[])[] = []
    for await (const batch of results({ ...sdk, job: 'events' })) found.push(...batch.rows.map(row => row.values!))
    assert.deepEqual(
      found,
      rows.map(row => row.toReversed()),
    )
    work.child.kill('SIGTERM')
    await once(work.child, 'exit')
    await work.ended
  }
}

/** The lines that say what the cluster refused. */
const refusals = ({ said }: Client) => said.filter(line => line.includes('the cluster refuses'))

test('MSK Serverless: without min.insync.replicas and long messages the topics are made, said once', async t => {
  const client = new Client(t, 'serverless')
  await client.doesAllJobs()
  assert.deepEqual(refusals(client), [
    'rowmill: the cluster refuses max.message.bytes, min.insync.replicas of the topics serverless.*: they have its defaults instead',
  ])
})

test('a cluster that keeps nothing for ever: job records have its longest retention, and each command warns', async t => {
  const client = new Client(t, 'retention')
  await client.doesAllJobs()
  assert.deepEqual(refusals(client), [
    'rowmill: the cluster refuses retention.ms of the topics retention.*: they have its defaults instead',
  ])
  const warnings = client.said.filter(line => line.includes('retention.ms=604800000 deletes job records'))
  assert.equal(warnings.length, 4)
  assert.match(warnings[0]!, /The cluster refuses retention\.ms=-1: end each job before its record is deleted$/)
  assert.equal(await client.does('topics', 'check', '--hours', '168'), '')
  assert.match(await client.does('doctor'), /warning +settings +topic retention\.jobs: .*refuses retention\.ms=-1/)
})

test('a quota of partitions: the error has the words of the cluster and what is half there; fewer --partitions fit', async t => {
  const client = new Client(t, 'quota')
  const { code, stderr } = await client.start('publish', 'in.csv').ended
  const why = 'topic quota.results is not created: this would exceed the quota of 20 partitions'
  const cure = 'Delete quota.jobs, quota.rows, quota.bulk, quota.rejects before you try again with other --partitions'
  assert.deepEqual([code, stderr.split('\n')[0]], [3, `rowmill: ${why}. ${cure} [TOPIC_UNUSABLE]`])
  const admin = await new Kafka({ brokers: [secured.broker.address], clientId: 'test' }).admin()
  t.after(() => admin.close())
  const made = ['quota.jobs', 'quota.rows', 'quota.bulk', 'quota.rejects']
  await admin.deleteTopics(made)
  await until('they are gone', async () => (await admin.partitions(made)).size === 0)
  await client.doesAllJobs('--partitions', '6')
  assert.deepEqual(refusals(client), [])
})
