/** rowmill monitor of a pipeline whose topics, or whose broker, are not there. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { rowmill, startRowmill, testFolder } from '../helpers/cli.ts'
import { ask } from '../helpers/http.ts'
import { brokerBehindProxy } from '../helpers/proxied-broker.ts'
import { ofMetric } from '../helpers/scrape.ts'
import { until } from '../helpers/until.ts'

async function monitorOf(t: TestContext, env: Readonly<Record<string, string>>) {
  const started = startRowmill(['monitor', '--port', '0'], { env })
  t.after(() => started.child.kill('SIGKILL'))
  const [url] = (await once(createInterface({ input: started.child.stdout }), 'line')) as [string]
  const view = async () => JSON.parse((await ask(`${url}/api/view`)).body)
  const readiness = async () => (await ask(`${url}/readyz`)).body
  const metric = async (name: string) => Object.values(ofMetric((await ask(`${url}/metrics`)).body, name))
  const end = async () => {
    started.child.kill('SIGTERM')
    return await started.finished
  }
  return { ...started, url, view, readiness, metric, end }
}

/** Publishes a job of three rows, which creates the topics. */
async function publish(t: TestContext, env: Readonly<Record<string, string>>, job: string, partitions: number) {
  const path = join(testFolder(t), 'in.csv')
  writeFileSync(path, 'ID,A\n1,a\n2,b\n3,c\n')
  const { code, stderr } = await rowmill(['publish', path, '--job', job, '--partitions', String(partitions)], { env })
  assert.equal(code, 0, stderr)
}

test('monitor waits for topics, says when they are deleted, and shows those that are made again as new', async t => {
  const { pipeline, admin } = await testPipeline(t)
  const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline }
  const { url, view, readiness, metric, end } = await monitorOf(t, env)
  const none = `pipeline ${pipeline} has no topics yet: start rowmill publish or rowmill work`
  await until('it says that there are no topics', async () => (await readiness()) === `not ready: ${none}\n`)
  assert.equal((await ask(`${url}/livez`)).status, 200)
  assert.match((await ask(`${url}/livez`)).body, /has no topics yet/)
  assert.match(
    (await view()).headline.sentence,
    /^Pipeline \S+ has no topics yet: start rowmill publish or rowmill work\.$/,
  )
  assert.deepEqual([await metric('rowmill_broker_up'), await metric('rowmill_backlog_rows')], [[1], [0]])

  await publish(t, env, 'first', 2)
  await until('it shows the job', async () => (await view()).job?.id === 'first')
  assert.equal((await view()).job.partitions.length, 2)

  await admin.deleteTopics(Object.values(topicsOf(pipeline)))
  await until(
    'it says that they are gone',
    async () => (await readiness()) === `not ready: the topics of pipeline ${pipeline} are gone\n`,
  )
  const gone = await view()
  assert.deepEqual(
    [gone.headline.sentence, gone.headline.tone],
    [`The topics of pipeline ${pipeline} are gone.`, 'bad'],
  )
  assert.match(gone.headline.detail, /^Topic \S+ does not exist\. Before that: Job first /)
  assert.deepEqual(gone.jobs ?? [], [])
  assert.equal((await ask(`${url}/livez`)).status, 200)

  await publish(t, env, 'second', 3)
  await until('it shows the new job', async () => (await view()).job?.id === 'second')
  const again = await view()
  assert.deepEqual([again.jobs.length, again.job.partitions.length], [1, 3])
  const { code, stderr } = await end()
  assert.equal(code, 0, stderr)
  const said = stderr.split('\n').filter(line => line.startsWith('rowmill: '))
  assert.deepEqual(said, [
    `rowmill: ${none}. Waiting for them`,
    `rowmill: watching pipeline ${pipeline}`,
    `rowmill: the topics of pipeline ${pipeline} are gone. Waiting for them`,
    `rowmill: watching pipeline ${pipeline}`,
  ])
})

test('topics that are deleted and made again between two looks of monitor are seen as new', async t => {
  const { pipeline, admin } = await testPipeline(t)
  const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline }
  await publish(t, env, 'first', 2)
  const { view, child, end } = await monitorOf(t, env)
  await until('it shows the job', async () => (await view()).job?.id === 'first')
  child.kill('SIGSTOP')
  await admin.deleteTopics(Object.values(topicsOf(pipeline)))
  await until('they are gone', async () => (await admin.partitions(Object.values(topicsOf(pipeline)))).size === 0)
  assert.equal((await rowmill(['topics', 'apply', '--partitions', '2'], { env })).code, 0)
  child.kill('SIGCONT')
  await until('it shows that there is no job', async () => (await view()).headline.sentence === 'There is no job yet.')
  assert.equal((await end()).code, 0)
})

test('monitor serves before a broker answers, with rowmill_broker_up 0, and shows the pipeline once one does', async t => {
  const proxy = await brokerBehindProxy(t)
  const env = { ROWMILL_BROKERS: proxy.address }
  assert.equal((await rowmill(['topics', 'apply', '--partitions', '2'], { env })).code, 0)
  await proxy.refuse()
  const { url, view, readiness, metric, end } = await monitorOf(t, env)
  await until('it says so', async () => (await readiness()).startsWith('not ready: no broker has answered for '))
  assert.equal((await ask(`${url}/livez`)).status, 200)
  assert.deepEqual([await metric('rowmill_broker_up'), await metric('rowmill_backlog_rows')], [[0], []])
  assert.equal((await view()).headline.sentence, `No Kafka broker answers at ${proxy.address}.`)
  await proxy.accept()
  await until('it is ready', async () => (await ask(`${url}/readyz`)).status === 200)
  assert.deepEqual(await metric('rowmill_broker_up'), [1])
  const { code, stderr } = await end()
  assert.equal(code, 0)
  assert.match(stderr, /^rowmill: no Kafka broker answers at \S+\. Waiting until one does$/m)
})

test('monitor of the pipeline of a run says that the run is over once its topics are gone', async t => {
  const { admin } = await testPipeline(t)
  const pipeline = `rowmill-20260301T020000-${Date.now().toString(16).slice(-6)}`
  t.after(() => admin.deleteTopics(Object.values(topicsOf(pipeline))).catch(() => {}))
  const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline }
  await publish(t, env, 'orders', 1)
  const { view, readiness, end } = await monitorOf(t, env)
  await until('it shows the job', async () => (await view()).job?.id === 'orders')
  await admin.deleteTopics(Object.values(topicsOf(pipeline)))
  await until('it is over', async () => (await view()).headline.sentence === 'The run is over.')
  const { headline } = await view()
  assert.deepEqual([headline.isOver, headline.tone], [true, 'idle'])
  assert.match(headline.detail, /^Before that: Job orders .* Its terminal says how it ended\.$/)
  assert.equal(await readiness(), `not ready: the run of pipeline ${pipeline} is over: its topics are gone\n`)
  assert.equal((await end()).code, 0)
})
