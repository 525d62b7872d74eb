/** What commands say of themselves over HTTP, as processes with a real broker and real pandas. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { rowmill, startRowmill, testFolder } from '../helpers/cli.ts'
import { ask } from '../helpers/http.ts'
import { descendants, freeze } from '../helpers/processes.ts'
import { brokerBehindProxy } from '../helpers/proxied-broker.ts'
import { ofMetric } from '../helpers/scrape.ts'
import { until } from '../helpers/until.ts'
import { waitingClassifier } from '../helpers/waiting-classifier.ts'

const PASS = join(import.meta.dirname, '../fixtures/classifiers.ts')
const PORT = ['--metrics-port', '0']

interface Served {
  /** `200 ok: ...`, in one line. */
  probe(path: '/livez' | '/readyz'): Promise<string>
  /** The one value of a metric, whatever its labels. Undefined: there is none. */
  value(name: string): Promise<number | undefined>
}

/** A command with a port for metrics, once it listens there. It is killed at the end of the test. */
async function serve(t: TestContext, args: readonly string[], env: Record<string, string>, input?: string) {
  const more = input === undefined ? {} : { input, inputStays: true }
  const started = startRowmill([...args, ...PORT], { env, ...more })
  t.after(() => started.child.kill('SIGKILL'))
  await until(
    'it listens',
    () => /metrics are at (\S+)\/metrics/.test(started.said()) || started.child.exitCode !== null,
  )
  const url = /metrics are at (\S+)\/metrics/.exec(started.said())?.[1]
  assert.ok(url, started.said())
  const served: Served = {
    probe: async path => {
      const { status, body } = await ask(url + path)
      return `${status} ${body.trim()}`
    },
    value: async name => Object.values(ofMetric((await ask(`${url}/metrics`)).body, name))[0],
  }
  return { ...started, ...served }
}

async function place(t: TestContext) {
  const { pipeline } = await testPipeline(t)
  return {
    pipeline,
    folder: testFolder(t),
    env: { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline },
  }
}

const csvOf = (rows: number) => `ID,A\n${Array.from({ length: rows }, (_, id) => `${id},a\n`).join('')}`

/** Publishes so many rows. */
async function publish(folder: string, rows: number, env: Record<string, string>): Promise<void> {
  const path = join(folder, 'in.csv')
  writeFileSync(path, csvOf(rows))
  const { code, stderr } = await rowmill(['publish', path, '--job', 'orders', '--batch-rows', '50'], { env })
  assert.equal(code, 0, stderr)
}

test('a worker counts what it classifies; without rows it is live and ready', async t => {
  const { folder, env, pipeline } = await place(t)
  // One: if a second one joined while rows come, a row could be classified twice.
  const args = ['work', '--classifier', PASS, '--workers', '1', '--stalled-after', '1']
  const { probe, value, child, finished } = await serve(t, args, env)
  await until(
    'it is ready',
    async () => (await probe('/readyz')) === '200 ok: the cluster answers and the topics are there',
  )
  await publish(folder, 300, env)
  await until('all rows are classified', async () => (await value('rowmill_classified_rows_total')) === 300)
  assert.ok((await value('rowmill_batch_duration_seconds_count'))! >= 6)
  assert.ok((await value('rowmill_rebalances_total'))! >= 1)
  await until('it is idle for two seconds', async () => / for (?:[2-9]|\d\d+) s$/.test(await probe('/livez')))
  assert.match(await probe('/livez'), /^200 ok: no rows wait here; /)
  assert.ok(pipeline)
  child.kill('SIGTERM')
  assert.equal((await finished).code, 0)
})

test('a worker whose classifier hangs is not live until it goes on, and says which rows', async t => {
  const { folder, env } = await place(t)
  const classifier = waitingClassifier(folder)
  await publish(folder, 150, env)
  const args = ['work', '--classifier', classifier.file, '--workers', '1', '--probe', '0', '--stalled-after', '2']
  const { probe } = await serve(t, args, env)
  const said =
    /^503 not live: worker \S+-1 has had 50 rows \(from row 100 on\) of job orders \(\S+\[2\]\) in its classifier for \d+ s, /
  await until('it is not live, and says so', async () => said.test(await probe('/livez')))
  assert.match(await probe('/readyz'), /^200 /)
  writeFileSync(classifier.go, '')
  await until('it is live', async () => (await probe('/livez')).startsWith('200'))
})

test('a worker that stands still is not live', async t => {
  const { env } = await place(t)
  const { probe, child } = await serve(t, ['work', '--classifier', PASS, '--workers', '1', '--stalled-after', '3'], env)
  await until('it is ready', async () => (await probe('/readyz')).startsWith('200'))
  const [worker] = descendants(child.pid!)
  await freeze(worker!.pid)
  t.after(() => process.kill(worker!.pid, 'SIGKILL'))
  await until('it is not live', async () => (await probe('/livez')).startsWith('503'))
  assert.match(await probe('/livez'), /^503 not live: worker \S+-1 has said nothing for \d+ s\. It may be frozen$/)
})

test('while no broker answers a worker is live and not ready, and ready again by itself', async t => {
  const proxy = await brokerBehindProxy(t)
  const env = { ROWMILL_BROKERS: proxy.address }
  const { probe } = await serve(t, ['work', '--classifier', PASS, '--workers', '1', '--stalled-after', '1'], env)
  await until('it is ready', async () => (await probe('/readyz')).startsWith('200'))
  await proxy.refuse()
  await until('it is not ready', async () =>
    /^503 not ready: no broker has answered for (?:[2-9]|\d\d+) s$/.test(await probe('/readyz')),
  )
  assert.match(await probe('/livez'), /^200 ok: /)
  await proxy.accept()
  await until('it is ready', async () => (await probe('/readyz')).startsWith('200'))
})

test('a publisher whose source is slow is live', async t => {
  const { env } = await place(t)
  const args = ['publish', '-', '--job', 'orders', '--batch-rows', '10', '--stalled-after', '1']
  const { probe, value, child, finished } = await serve(t, args, env, csvOf(25))
  await until('two messages are published', async () => (await value('rowmill_published_rows_total')) === 20)
  await until('nothing has come for two seconds', async () => / for (?:[2-9]|\d\d+) s$/.test(await probe('/livez')))
  assert.match(await probe('/livez'), /^200 ok: no rows wait here; /)
  assert.match(await probe('/readyz'), /^200 /)
  child.stdin.end()
  assert.equal((await finished).code, 0)
})

test('a collector is live while it waits for a row, and says for which', async t => {
  const { folder, env } = await place(t)
  const classifier = waitingClassifier(folder)
  await publish(folder, 150, env)
  const worker = startRowmill(['work', '--classifier', classifier.file, '--workers', '1', '--probe', '0'], { env })
  t.after(() => worker.child.kill('SIGKILL'))
  const args = ['collect', join(folder, 'out.csv'), '--job', 'orders', '--stalled-after', '1']
  const { probe, value, finished } = await serve(t, args, env)
  await until('it has written what came', async () => (await value('rowmill_written_rows_total')) === 100)
  const blocked =
    /^200 ok: no rows wait here: the output has waited \d+ s for row 100 of partition 2; nothing has moved for (?:[2-9]|\d\d+) s$/
  await until('nothing has come for two seconds', async () => blocked.test(await probe('/livez')))
  assert.ok((await value('rowmill_disk_free_bytes'))! > 0)
  writeFileSync(classifier.go, '')
  const { code, stderr } = await finished
  assert.equal(code, 0, stderr)
})

test('a run counts rows at each stage, says which rows hang, and closes its port at the end', async t => {
  const folder = testFolder(t)
  const classifier = waitingClassifier(folder)
  const [input, output] = [join(folder, 'in.csv'), join(folder, 'out.csv')]
  writeFileSync(input, csvOf(150))
  const options = [
    '--classifier',
    classifier.file,
    '--workers',
    '1',
    '--batch-rows',
    '50',
    '--probe',
    '0',
    '--stalled-after',
    '2',
  ]
  const { probe, value, finished } = await serve(t, ['run', input, output, ...options], {
    ROWMILL_BROKERS: await brokerAddress(),
  })
  const said = /^503 .*-1 has had 50 rows \(from row 100 on\) of job \S+ \(\S+\[2\]\) in its classifier for \d+ s, /
  await until('it is not live, and says so', async () => said.test(await probe('/livez')))
  const count = (stage: string) => value(`rowmill_${stage}_rows_total`)
  await until('what came before is written', async () => (await count('written')) === 100)
  assert.deepEqual([await count('published'), await count('classified')], [150, 100])
  assert.ok((await value('rowmill_reorder_wait_seconds_count'))! >= 1)
  writeFileSync(classifier.go, '')
  const { code, stderr } = await finished
  assert.equal(code, 0, stderr)
  await assert.rejects(probe('/livez'), { code: 'ECONNREFUSED' })
})

test('without --metrics-port nothing of it is loaded, and with it only a part of prom-client', async t => {
  const { folder, env } = await place(t)
  const path = join(folder, 'in.csv')
  writeFileSync(path, csvOf(10))
  const loadedBy = async (...args: string[]) => {
    const file = join(testFolder(t), 'loaded')
    const loads = {
      NODE_OPTIONS: `--import ${join(import.meta.dirname, '../fixtures/says-what-it-loads.mjs')}`,
      ROWMILL_TEST_LOADED: file,
    }
    const { code, stderr } = await rowmill(['publish', path, ...args], { env: { ...env, ...loads } })
    assert.equal(code, 0, stderr)
    return readFileSync(file, 'utf8').split('\n')
  }
  const isOfMetrics = (url: string) => /\/src\/monitor\/|\/prom-client\/|^node:http$/.test(url)
  assert.deepEqual((await loadedBy()).filter(isOfMetrics), [])
  const loaded = await loadedBy(...PORT)
  assert.ok(loaded.some(url => url.endsWith('/src/monitor/meter.ts')))
  assert.deepEqual(
    loaded.filter(url => /opentelemetry|prom-client\/(index|lib\/(cluster|defaultMetrics))/.test(url)),
    [],
  )
})
