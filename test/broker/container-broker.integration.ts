/** Machines without containers. Tests that need a Docker engine are in container-broker.docker.ts. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { newLogin } from '../../src/broker/broker-login.ts'
import {
  containerEnvironment,
  containerSecrets,
  KAFKA_VERSION,
  serverProperties,
} from '../../src/broker/jvm/broker-files.ts'
import { findJava } from '../../src/broker/jvm/java.ts'
import { startLocalBroker } from '../../src/broker/local-broker.ts'
import type { ErrorRecord } from '../../src/errors.ts'
import { runFixture } from '../helpers/broker-owner.ts'
import { testFolder } from '../helpers/cli.ts'

const HOOK = pathToFileURL(join(import.meta.dirname, 'fixtures/without.ts'))
const WAYS_OUT =
  /^the local Kafka needs Java, but there is none on PATH\. To continue, install Java 17 or later and Maven, or start Docker and npm install testcontainers, or name a running Kafka with --brokers HOST:PORT\. A container is not possible either: (.*)$/

async function refused(t: TestContext, env: NodeJS.ProcessEnv): Promise<ErrorRecord> {
  const without = { PATH: testFolder(t), JAVA_HOME: '', NODE_OPTIONS: `--import=${HOOK}`, ...env }
  const said = await runFixture(t, 'owner', without).all
  assert.equal(said.length, 1, `no container is announced: ${JSON.stringify(said)}`)
  return said[0]!.error!
}

for (const [env, reason] of [
  [{ WITHOUT: 'testcontainers' }, 'the npm package testcontainers is not installed'],
  [{ WITHOUT: 'Docker' }, 'Docker does not answer. Is it running, and may this user use it?'],
  [{ ROWMILL_KAFKA_IMAGE: 'none' }, 'ROWMILL_KAFKA_IMAGE is none'],
] as const) {
  test(`without Java one message names every solution, and that ${reason}`, async t => {
    const { code, message } = await refused(t, env)
    assert.equal(code, 'BROKER_NO_JAVA')
    assert.equal(WAYS_OUT.exec(message)?.[1], reason)
  })
}

test('without Maven and jars, the message also says that no container is available', async t => {
  const { command } = await findJava()
  const java = { JAVA_HOME: dirname(dirname(command)), ROWMILL_CACHE: testFolder(t) }
  const { code, message } = await refused(t, { ...java, WITHOUT: 'testcontainers' })
  assert.equal(code, 'BROKER_NO_JARS')
  assert.match(
    message,
    /^Maven fetches the jars .* no mvn on PATH.* A container is not possible either: the npm package testcontainers is not/,
  )
})

test('no container is started where topics must be kept', async t => {
  const { PATH, JAVA_HOME } = process.env
  t.after(() => Object.assign(process.env, { PATH, ...(JAVA_HOME ? { JAVA_HOME } : {}) }))
  process.env['PATH'] = testFolder(t)
  delete process.env['JAVA_HOME']
  const refusal = { code: 'BROKER_NO_JAVA', message: /not possible either: it cannot keep topics in a data directory$/ }
  await assert.rejects(startLocalBroker({ dataDir: join(process.env['PATH'], 'data') }), refusal)
})

test('a private Kafka in a container has every setting of the local one, except where it listens and writes, and what JMX shows', () => {
  const login = newLogin()
  const node = { ports: { broker: 20_001, controller: 20_002 }, login }
  const environment = { ...containerEnvironment('id', node), ...containerSecrets(login) }
  const different = serverProperties({ data: '/data', ...node })
    .trim()
    .split('\n')
    .map(line => /^(.*?)=(.*)$/.exec(line)!.slice(1) as [string, string])
    .filter(([name, value]) => environment[`KAFKA_${name.toUpperCase().replaceAll('.', '_')}`] !== value)
  assert.deepEqual(
    different.map(([name]) => name),
    ['listeners', 'log.dirs', 'metric.reporters', 'metrics.jmx.exclude'],
  )
  assert.equal(environment['KAFKA_ADVERTISED_LISTENERS'], 'SASL://127.0.0.1:20001')
  assert.doesNotMatch(JSON.stringify(containerEnvironment('id', node)), new RegExp(login.password))
})

test('the compose file describes the same Kafka that rowmill starts by itself', () => {
  const compose = readFileSync(join(import.meta.dirname, '../../docker/compose.yaml'), 'utf8')
  assert.ok(compose.includes(`apache/kafka:${KAFKA_VERSION}}`))
})
