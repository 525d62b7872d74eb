/** rowmill monitor as a process, on a real broker. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmodSync, existsSync, renameSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { brokerFiles } from '../../src/broker/jvm/broker-files.ts'
import { type FoundRun, findRuns } from '../../src/cli/found-run.ts'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { rowmill, startRowmill, testFolder } from '../helpers/cli.ts'
import { ask } from '../helpers/http.ts'
import { jsonLines } from '../helpers/json-lines.ts'
import { placeForRuns, waitingRun } from '../helpers/kept-runs.ts'
import { brokerBehindProxy } from '../helpers/proxied-broker.ts'
import { ofMetric } from '../helpers/scrape.ts'
import { until } from '../helpers/until.ts'
import { waitingClassifier } from '../helpers/waiting-classifier.ts'

const TOKEN = 'a-token-of-this-test-alone'

async function place(t: TestContext) {
  const { pipeline } = await testPipeline(t)
  const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline }
  assert.equal((await rowmill(['topics', 'apply', '--partitions', '2'], { env })).code, 0)
  const monitor = async (...args: string[]) => {
    const started = startRowmill(['monitor', '--port', '0', ...args], { env })
    t.after(() => started.child.kill('SIGKILL'))
    const [url] = (await once(createInterface({ input: started.child.stdout }), 'line')) as [string]
    return { ...started, url }
  }
  return { pipeline, env, monitor }
}

test('monitor prints its URL, answers there, and ends on a signal with 0', async t => {
  const { pipeline, monitor } = await place(t)
  const { url, child, finished } = await monitor()
  await until('it is ready', async () => (await ask(`${url}/readyz`)).status === 200)
  assert.equal((await ask(`${url}/readyz`)).body, `ok: it watches pipeline ${pipeline}\n`)
  assert.match((await ask(`${url}/livez`)).body, /^ok: it looked at pipeline \S+ \d+ s ago\n$/)
  const page = await ask(url)
  assert.deepEqual([page.status, page.headers['content-type']], [200, 'text/html; charset=utf-8'])
  child.kill('SIGTERM')
  const { code, stderr } = await finished
  assert.equal(code, 0, stderr)
})

test('a scrape of monitor shows the rows of a job, published and without a result', async t => {
  const { pipeline, env, monitor } = await place(t)
  const path = join(testFolder(t), 'in.csv')
  writeFileSync(path, 'ID,A\n1,a\n2,b\n3,c\n')
  assert.equal((await rowmill(['publish', path, '--job', 'orders'], { env })).code, 0)
  const { url } = await monitor()
  let text = ''
  await until('it has read the job', async () => {
    text = (await ask(`${url}/metrics`)).body
    return text.includes('orders')
  })
  assert.deepEqual(ofMetric(text, 'rowmill_backlog_rows'), { [`pipeline="${pipeline}"`]: 3 })
  assert.deepEqual(ofMetric(text, 'rowmill_broker_up'), { [`pipeline="${pipeline}"`]: 1 })
  const rows = (stage: string) =>
    ofMetric(text, 'rowmill_job_rows')[`job_id="orders",stage="${stage}",pipeline="${pipeline}"`]
  assert.deepEqual(['total', 'published', 'classified', 'written'].map(rows), [3, 3, 0, undefined])
})

test('while no broker answers monitor is live and not ready, and its metrics say so until one answers', async t => {
  const proxy = await brokerBehindProxy(t)
  const env = { ROWMILL_BROKERS: proxy.address }
  assert.equal((await rowmill(['topics', 'apply', '--partitions', '2'], { env })).code, 0)
  const started = startRowmill(['monitor', '--port', '0'], { env })
  t.after(() => started.child.kill('SIGKILL'))
  const [url] = (await once(createInterface({ input: started.child.stdout }), 'line')) as [string]
  const brokerUp = async () => Object.values(ofMetric((await ask(`${url}/metrics`)).body, 'rowmill_broker_up'))[0]
  await until('it is ready', async () => (await ask(`${url}/readyz`)).status === 200)
  assert.equal(await brokerUp(), 1)
  await proxy.refuse()
  await until('it is not ready', async () => (await ask(`${url}/readyz`)).status === 503)
  assert.match((await ask(`${url}/readyz`)).body, /^not ready: no broker has answered for \d+ s\n$/)
  assert.equal(await brokerUp(), 0)
  assert.equal((await ask(`${url}/livez`)).status, 200)
  await proxy.accept()
  await until('it is ready', async () => (await ask(`${url}/readyz`)).status === 200)
  assert.equal(await brokerUp(), 1)
})

test('a port that is taken ends monitor before it asks a broker', async t => {
  const taken = createServer().listen(0, '127.0.0.1')
  t.after(() => taken.close())
  await once(taken, 'listening')
  const { port } = taken.address() as AddressInfo
  const { code, stderr } = await rowmill(['monitor', '--port', String(port), '--brokers', '127.0.0.1:1'])
  assert.equal(code, 2)
  assert.match(stderr, /^rowmill: cannot listen on port \d+ of 127\.0\.0\.1: another program listens there\. /)
})

test('monitor listens elsewhere only with a token of some length, in a file', async t => {
  const { monitor } = await place(t)
  const file = join(testFolder(t), 'token')
  const elsewhere = ['--metrics-address', '0.0.0.0']
  const refused = async (...args: string[]) => {
    const { code, stderr } = await rowmill(['monitor', '--brokers', '127.0.0.1:1', ...elsewhere, ...args])
    assert.equal(code, 2)
    assert.doesNotMatch(stderr, /short-token|two words/)
    return stderr
  }
  assert.match(
    await refused(),
    /0\.0\.0\.0: other machines could read it, .* Give --metrics-token-file FILE \[USAGE\]$/m,
  )
  assert.match(await refused('--metrics-token-file', file), /the file cannot be read: ENOENT/)
  for (const name of ['http://x:1/', 'x:1', 'x/y'])
    assert.match(
      await refused('--metrics-allowed-host', name),
      /--metrics-allowed-host \S+: give a name alone, such as /,
    )
  writeFileSync(file, 'short-token\n')
  assert.match(await refused('--metrics-token-file', file), /shorter than 16 characters\. openssl rand -hex 32/)
  writeFileSync(file, `two words of ${TOKEN}\n`)
  assert.match(await refused('--metrics-token-file', file), /must hold one line, the token, without spaces/)
  writeFileSync(file, `${TOKEN}\n`)
  chmodSync(file, 0o600)
  const { url, said } = await monitor(...elsewhere, '--metrics-token-file', file)
  const here = url.replace('0.0.0.0', '127.0.0.1')
  await until('it is ready', async () => (await ask(`${here}/readyz`)).body === 'ok\n')
  assert.equal((await ask(`${here}/`)).status, 401)
  const headers = { authorization: `Bearer ${TOKEN}` }
  await until('it is ready', async () => (await ask(`${here}/readyz`, { headers })).body.startsWith('ok: it watches'))
  assert.doesNotMatch(said(), /chmod/)
})

test('monitor of a run ends with 0 when the run is over, and says so', async t => {
  const place = placeForRuns(t, 200)
  const run = await waitingRun(t, place)
  const [{ job, pipeline }] = (await findRuns(place.folder, place.kept)) as [FoundRun]
  const args = ['monitor', '--port', '0', '--log-format', 'json']
  const { child, finished, said } = startRowmill(args, { env: place.env, cwd: testFolder(t) })
  t.after(() => child.kill('SIGKILL'))
  await once(createInterface({ input: child.stdout }), 'line')
  await until('it has seen the run', () => said().includes('watching pipeline'))
  writeFileSync(run.go, '')
  assert.equal((await run.finished).code, 0)
  const { code } = await finished
  assert.equal(code, 0, said())
  assert.match(said(), new RegExp(`The run is complete: ${run.output} is written`))
  const { log } = jsonLines(said())
  assert.ok(log.length > 1)
  for (const line of log) assert.deepEqual([line['job'], line['pipeline']], [job, pipeline])
})

test('monitor of a run that is killed says at once that it has ended, and goes on when it is resumed', async t => {
  const place = placeForRuns(t, 200)
  const run = await waitingRun(t, place)
  const args = ['monitor', '--port', '0', '--stalled-after', '3600'] // so that only the end of the run says it
  const { child, finished, said } = startRowmill(args, { env: place.env, cwd: testFolder(t) })
  t.after(() => child.kill('SIGKILL'))
  const [url] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  const isStalled = async () => /^rowmill_job_phase\{.*phase="stalled".*\} 1$/m.test((await ask(`${url}/metrics`)).body)
  await until('it is ready', async () => (await ask(`${url}/readyz`)).status === 200)
  assert.equal(await isStalled(), false)
  run.child.kill('SIGKILL')
  await run.finished
  await until('it is stalled', isStalled)
  const resumed = startRowmill(['run', '--resume', run.output], { env: place.env })
  t.after(() => resumed.child.kill('SIGKILL'))
  await until('it moves', async () => !(await isStalled()))
  writeFileSync(run.go, '')
  assert.equal((await resumed.finished).code, 0)
  assert.equal((await finished).code, 0, said())
})

test('monitor of a run whose own Kafka is not there yet waits for it', async t => {
  const { folder, input, env } = placeForRuns(t, 200)
  const { file, waits, go } = waitingClassifier(folder)
  const output = join(folder, 'out.csv')
  const args = ['run', input, output, '--no-keep', '--classifier', file, '--workers', '1', '--batch-rows', '50']
  const run = startRowmill(args, { env })
  t.after(() => run.child.kill('SIGKILL'))
  await until('the classifier waits', () => existsSync(waits))
  const { client } = brokerFiles(`${output}.rowmill/broker`)
  renameSync(client, `${client}.later`) // who has no such file has no Kafka that answers
  const { child, finished, said } = startRowmill(['monitor', '--port', '0'], { env, cwd: folder })
  t.after(() => child.kill('SIGKILL'))
  const firstSaid = await Promise.race([once(child.stderr, 'data').then(() => said()), finished.then(() => said())])
  assert.match(firstSaid, new RegExp(`^rowmill: The run of ${output} is starting\\. Waiting for its Kafka$`, 'm'))
  renameSync(`${client}.later`, client)
  const [url] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  await until('it is ready', async () => (await ask(`${url}/readyz`)).status === 200)
  writeFileSync(go, '')
  assert.equal((await run.finished).code, 0)
  assert.equal((await finished).code, 0, said())
})

test('monitor without a broker watches the run of another terminal', async t => {
  const place = placeForRuns(t, 200)
  const { output } = await waitingRun(t, place)
  const [run] = await findRuns(place.folder, place.kept)
  assert.equal(run?.output, output)
  const { child, finished } = startRowmill(['monitor', '--port', '0'], { env: place.env, cwd: testFolder(t) })
  t.after(() => child.kill('SIGKILL'))
  const [url] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  await until('it is ready', async () => (await ask(`${url}/readyz`)).status === 200)
  assert.equal((await ask(`${url}/readyz`)).body, `ok: it watches pipeline ${run!.pipeline}\n`)
  child.kill('SIGTERM')
  assert.equal((await finished).code, 0)
  const none = await rowmill(['monitor', '--port', '0'], {
    env: { XDG_STATE_HOME: testFolder(t) },
    cwd: testFolder(t),
  })
  assert.equal(none.code, 2)
  assert.match(
    none.stderr,
    /^rowmill: no run, collect or work of this user is found on this machine\. Give --brokers HOST:PORT/,
  )
})
