/** rowmill monitor as a process, on a real broker. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmodSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { findRuns } from '../../src/cli/found-run.ts'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { rowmill, startRowmill, testFolder } from '../helpers/cli.ts'
import { ask } from '../helpers/http.ts'
import { placeForRuns, waitingRun } from '../helpers/kept-runs.ts'

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
  const ready = await ask(`${url}/readyz`)
  assert.deepEqual([ready.status, ready.body], [200, `ok: it watches pipeline ${pipeline}\n`])
  assert.equal((await ask(`${url}/livez`)).status, 200)
  child.kill('SIGTERM')
  const { code, stderr } = await finished
  assert.equal(code, 0, stderr)
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
  writeFileSync(file, 'short-token\n')
  assert.match(await refused('--metrics-token-file', file), /shorter than 16 characters\. openssl rand -hex 32/)
  writeFileSync(file, `two words of ${TOKEN}\n`)
  assert.match(await refused('--metrics-token-file', file), /must hold one line, the token, without spaces/)
  writeFileSync(file, `${TOKEN}\n`)
  chmodSync(file, 0o600)
  const { url, said } = await monitor(...elsewhere, '--metrics-token-file', file)
  const here = url.replace('0.0.0.0', '127.0.0.1')
  assert.equal((await ask(`${here}/readyz`)).body, 'ok\n')
  assert.equal((await ask(`${here}/`)).status, 401)
  const headers = { authorization: `Bearer ${TOKEN}` }
  assert.match((await ask(`${here}/readyz`, { headers })).body, /^ok: it watches/)
  assert.doesNotMatch(said(), /chmod/)
})

test('monitor without a broker watches the run of another terminal', async t => {
  const place = placeForRuns(t, 200)
  const { output } = await waitingRun(t, place)
  const [run] = await findRuns(place.folder, place.kept)
  assert.equal(run?.output, output)
  const { child, finished } = startRowmill(['monitor', '--port', '0'], { env: place.env, cwd: testFolder(t) })
  t.after(() => child.kill('SIGKILL'))
  const [url] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
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
    /^rowmill: there is no run of this user that uses the kept Kafka, .* Give --brokers HOST:PORT/,
  )
})
