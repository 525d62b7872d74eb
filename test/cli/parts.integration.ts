/** The parts as separate commands: publish, work and collect, in any order, several jobs at once. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { brokerAddress, testPipeline, writablePipeline } from '../helpers/broker.ts'
import { rowmill, startRowmill, testFolder } from '../helpers/cli.ts'
import { partialOf } from '../helpers/partial.ts'
import { descendants, untilGone } from '../helpers/processes.ts'
import { serialJob } from '../helpers/serial.ts'

const CLASSIFIER = join(import.meta.dirname, '../fixtures/classifiers.py:a_float')

type Command = ReturnType<typeof startRowmill>

async function place(t: TestContext) {
  const { pipeline } = await testPipeline(t)
  const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline }
  return { folder: testFolder(t), cli: { env } }
}

/** A file with `count` rows and this header, and what the original job makes of it. */
async function makeFile(folder: string, name: string, { header, count }: { header: string; count: number }) {
  const path = join(folder, name)
  const width = header.split(',').length
  const cells = (row: number) => [row * 3, ...Array.from({ length: width - 1 }, (_, at) => `${name}-${row}-${at}`)]
  writeFileSync(path, `${header}\n${Array.from({ length: count }, (_, row) => `${cells(row).join(',')}\n`).join('')}`)
  return { path, serial: await serialJob(path, CLASSIFIER) }
}

test('collect that times out names the part it waited for', async t => {
  const { pipeline } = await writablePipeline(t, 8)
  const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline }
  const out = join(testFolder(t), 'o.csv')
  // Long enough for a slow machine to connect, for then it begins to wait.
  const { code, stderr } = await rowmill(['collect', out, '--job', 'never', '--timeout', '4'], { env })
  assert.equal(code, 124, stderr)
  assert.match(stderr, /^rowmill: job never is not published yet in pipeline .*\n.*\[TIMEOUT\]/m)
})

test('collect and work may start before publish; a stopped worker leaves nothing', async t => {
  const { folder, cli } = await place(t)
  const { path, serial } = await makeFile(folder, 'in.csv', { header: 'ID,A,B', count: 950 })
  const out = join(folder, 'out.csv')
  const collecting = startRowmill(['collect', out, '--job', 'early'], cli)
  const working = startRowmill(['work', '--classifier', CLASSIFIER, '--workers', '2'], cli)
  t.after(() => [collecting, working].map(({ child }) => child.kill('SIGKILL')))
  const published = await rowmill(['publish', path, '--job', 'early'], cli)
  assert.deepEqual([published.code, published.stdout], [0, 'early\n'], published.stderr)
  const collected = await collecting.finished
  assert.equal(collected.code, 0, collected.stderr)
  assert.equal(readFileSync(out, 'utf8'), serial)
  const below = descendants(working.child.pid!)
  working.child.kill('SIGTERM')
  const worked = await working.finished
  assert.deepEqual([worked.code, worked.stdout], [0, ''], worked.stderr)
  await untilGone(below)
})

test('jobs published before any worker, with different headers and options, get the same workers', async t => {
  const { folder, cli } = await place(t)
  const one = await makeFile(folder, 'one.csv', { header: 'ID,A,B', count: 730 })
  const two = await makeFile(folder, 'two.csv', { header: 'KEY,X', count: 410 })
  const publish = async (path: string, ...more: string[]) => {
    const { code, stdout, stderr } = await rowmill(['publish', path, ...more], cli)
    assert.equal(code, 0, stderr)
    assert.match(stdout, /^[A-Za-z0-9][A-Za-z0-9._-]*\n$/)
    return stdout.trim()
  }
  const jobs = await Promise.all([
    publish(one.path),
    publish(two.path, '--batch-rows', '7', '--to-csv', '{"sep": ";"}', '--header'),
  ])
  const working = startRowmill(['work', '--classifier', CLASSIFIER, '--workers', '2'], cli)
  t.after(() => working.child.kill('SIGKILL'))
  const outs = jobs.map(job => join(folder, `${job}.out`))
  const collected = await Promise.all(
    jobs.map((job, at) => rowmill(['collect', outs[at]!, '--job', job, '--timeout', '240'], cli)),
  )
  for (const { code, stderr } of collected) assert.equal(code, 0, stderr)
  assert.equal(readFileSync(outs[0]!, 'utf8'), one.serial)
  const serial = await serialJob(two.path, CLASSIFIER, { toCsv: { sep: ';', header: true } })
  assert.equal(readFileSync(outs[1]!, 'utf8'), serial)
})

test('work --until-done classifies the job, drains and ends; a later worker classifies the rest', async t => {
  const { folder, cli } = await place(t)
  const [one, two] = [
    await makeFile(folder, 'one.csv', { header: 'ID,A', count: 320 }),
    await makeFile(folder, 'two.csv', { header: 'ID,A', count: 150 }),
  ]
  const working = startRowmill(['work', '--classifier', CLASSIFIER, '--workers', '2', '--until-done', 'one'], cli)
  t.after(() => working.child.kill('SIGKILL'))
  const below = new Promise<ReturnType<typeof descendants>>(resolve =>
    working.child.once('spawn', () => resolve(descendants(working.child.pid!))),
  )
  const published = await rowmill(['publish', one.path, '--job', 'one'], cli)
  assert.equal(published.code, 0, published.stderr)
  const worked = await working.finished
  assert.deepEqual([worked.code, worked.stdout], [0, ''], worked.stderr)
  await untilGone(await below)
  await rowmill(['publish', two.path, '--job', 'two'], cli)
  const again = await rowmill(['work', '--classifier', CLASSIFIER, '--until-done', 'two'], cli)
  assert.equal(again.code, 0, again.stderr)
  for (const [job, { serial }] of [['one', one] as const, ['two', two] as const]) {
    const out = join(folder, `${job}.out`)
    const collected = await rowmill(['collect', out, '--job', job, '--timeout', '240'], cli)
    assert.equal(collected.code, 0, collected.stderr)
    assert.equal(readFileSync(out, 'utf8'), serial)
  }
})

test('work --until-done of a failing job ends with the code of the job, and with 143 if stopped before', async t => {
  const { folder, cli } = await place(t)
  const { path } = await makeFile(folder, 'in.csv', { header: 'ID,A', count: 30 })
  const until = (job: string, classifier: string) => ['work', '--classifier', classifier, '--until-done', job]
  await rowmill(['publish', path, '--job', 'bad', '--cast', 'NOWHERE=int64'], cli)
  const failed = await rowmill(until('bad', CLASSIFIER), cli)
  assert.equal(failed.code, 2, failed.stderr)
  assert.match(failed.stderr, /job bad, rows? 0.*no column of that name.*\[USAGE\]/s)
  const never = startRowmill(until('never', CLASSIFIER), cli)
  await says(never, [/never is not published yet/])
  never.child.kill('SIGTERM')
  const stopped = await never.finished
  assert.equal(stopped.code, 143, stopped.stderr)
  const late = await rowmill([...until('never', CLASSIFIER), '--timeout', '2'], cli)
  assert.equal(late.code, 124, late.stderr)
})

test('an absent or killed collector delays no other job, while workers come and leave', async t => {
  const { folder, cli } = await place(t)
  const file = await makeFile(folder, 'in.csv', { header: 'ID,A,B', count: 2500 })
  const large = await makeFile(folder, 'large.csv', { header: 'ID,A,B', count: 12_000 })
  const publish = (job: string) => rowmill(['publish', file.path, '--job', job, '--batch-rows', '10'], cli)
  const work = (...more: string[]) => {
    const working = startRowmill(['work', '--classifier', CLASSIFIER, '--workers', '1', ...more], cli)
    t.after(() => working.child.kill('SIGKILL'))
    return working
  }
  const collect = (job: string, name = job) =>
    startRowmill(['collect', join(folder, name), '--job', job, '--timeout', '240'], cli)
  // The publisher has not sent the last row, so its collector cannot complete before it is killed.
  const bytes = readFileSync(large.path)
  const allButOne = bytes.lastIndexOf('\n', -2) + 1
  const fed = { ...cli, input: bytes.subarray(0, allButOne), inputStays: true }
  const publishing = startRowmill(['publish', '-', '--job', 'killed'], fed)
  t.after(() => publishing.child.kill('SIGKILL'))
  const killed = collect('killed', 'never')
  t.after(() => killed.child.kill('SIGKILL'))
  const first = work()
  await grows(() => partialOf(join(folder, 'never')))
  killed.child.kill('SIGKILL')
  publishing.child.stdin.end(bytes.subarray(allButOne))
  for (const { code, stderr } of [await publish('absent'), await publish('served'), await publishing.finished])
    assert.equal(code, 0, stderr)
  const second = work('--until-done', 'served')
  const served = collect('served')
  first.child.kill('SIGTERM')
  assert.equal((await first.finished).code, 0)
  for (const { code, stderr } of [await served.finished, await second.finished]) assert.equal(code, 0, stderr)
  assert.equal(readFileSync(join(folder, 'served'), 'utf8'), file.serial)
  for (const [job, { serial }] of [['absent', file] as const, ['killed', large] as const]) {
    const { code, stderr } = await collect(job).finished
    assert.equal(code, 0, stderr)
    assert.equal(readFileSync(join(folder, job), 'utf8'), serial)
  }
})

test('publish - ends at a signal and at its time-out while its input is silent, and cancels its job', async t => {
  // The job log is open before the job is published, so it must find its topic.
  const { pipeline, jobs } = await writablePipeline(t, 8)
  const cli = { env: { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline } }
  const silent = { ...cli, input: 'ID,A\n1,x\n', inputStays: true }
  const interrupted = startRowmill(['publish', '-', '--job', 'j'], silent)
  t.after(() => interrupted.child.kill('SIGKILL'))
  await jobs.until('j', () => true, new AbortController().signal)
  interrupted.child.kill('SIGTERM')
  const { code, stdout, stderr } = await interrupted.finished
  assert.deepEqual([code, stdout], [143, ''], stderr)
  assert.match(stderr, /interrupted by SIGTERM before all rows were published \[INTERRUPTED\]/)
  const job = (await jobs.latest('j'))!
  assert.deepEqual([job.state, job.reason?.code], ['cancelled', 'JOB_CANCELLED'])
  const late = startRowmill(['publish', '-', '--timeout', '1'], silent)
  t.after(() => late.child.kill('SIGKILL'))
  assert.equal((await late.finished).code, 124)
  const verified = await rowmill(['verify', join(testFolder(t), 'none'), '--job', 'j'], cli)
  assert.notEqual(verified.code, 0)
})

/** Polls for the first bytes of a file, for which there is no event. */
async function grows(file: () => string | null) {
  const deadline = Date.now() + 60_000
  for (let path = file(); !(path && existsSync(path) && statSync(path).size > 0); path = file()) {
    assert.ok(Date.now() < deadline, `nothing was written to ${path}`)
    await sleep(10)
  }
}

/** Waits until a command prints each of these, and runs `then` after each. On a busy machine their order may be another. */
async function says(command: Command, signs: readonly RegExp[], then: () => Promise<void> = async () => {}) {
  const missing = new Set(signs)
  for await (const line of createInterface(command.child.stderr)) {
    const sign = [...missing].find(sign => sign.test(line))
    if (!sign) continue
    missing.delete(sign)
    await then()
    if (missing.size === 0) return
  }
  assert.fail(`ended without ${[...missing]}`)
}

/** A command for which 10 s without progress last one second. Another test with a manual clock checks the 10 s. */
const hurried = <T extends { env: Record<string, string> }>({ env }: T) => ({
  env: { ...env, NODE_OPTIONS: `--import=${new URL('../fixtures/hurried-time.ts', import.meta.url)}` },
})

test('without progress each part logs what it waits for', { concurrency: 2 }, async t => {
  const collector = t.test('a collector logs that it waits for its job, then for a worker', async t => {
    const { folder, cli } = await place(t)
    const { path } = await makeFile(folder, 'in.csv', { header: 'ID,A', count: 10 })
    const publish = async (id: string) => {
      const { code, stderr } = await rowmill(['publish', path, '--job', id, '--partitions', '1'], cli)
      assert.equal(code, 0, stderr)
    }
    await publish('first')
    const collecting = startRowmill(['collect', join(folder, 'out.csv'), '--job', 'late'], hurried(cli))
    t.after(() => collecting.child.kill('SIGKILL'))
    const { ROWMILL_PIPELINE: pipeline } = cli.env
    const [unpublished, unserved] = [
      `job late is not published yet in pipeline ${pipeline}`,
      `no worker in group ${pipeline}.workers: start`,
    ]
    let published = false
    await says(collecting, [new RegExp(unpublished), new RegExp(unserved)], async () => {
      if (!published) await publish('late')
      published = true
    })
    const working = startRowmill(['work', '--classifier', CLASSIFIER, '--until-done', 'late'], cli)
    t.after(() => working.child.kill('SIGKILL'))
    assert.equal((await collecting.finished).code, 0)
  })
  const workers = t.test(
    'workers log at once that they have no partition, and later that they have no row',
    async t => {
      const { folder, cli } = await place(t)
      const { path } = await makeFile(folder, 'in.csv', { header: 'ID,A', count: 10 })
      const { code, stderr } = await rowmill(['publish', path, '--job', 'first', '--partitions', '1'], cli)
      assert.equal(code, 0, stderr)
      const working = startRowmill(['work', '--classifier', CLASSIFIER, '--workers', '3'], hurried(cli))
      t.after(() => working.child.kill('SIGKILL'))
      const idle = /worker \S+ has no partition: other workers have all partitions of \S+\.rows and \S+\.bulk/
      await says(working, [idle, /nothing to classify/])
    },
  )
  const hanging = t.test('a command whose classifier hangs logs its worker and its rows', async t => {
    const { folder, cli } = await place(t)
    const { path } = await makeFile(folder, 'in.csv', { header: 'ID,A', count: 10 })
    const { code, stderr } = await rowmill(['publish', path, '--job', 'first', '--partitions', '1'], cli)
    assert.equal(code, 0, stderr)
    const classifier = join(folder, 'hangs.py')
    writeFileSync(classifier, 'import time\n\n\ndef classify_df(df):\n    time.sleep(3600)\n')
    const options = ['--classifier', classifier, '--workers', '1', '--probe', '0']
    const working = startRowmill(['work', ...options], hurried(cli))
    t.after(() => working.child.kill('SIGKILL'))
    await says(working, [/waiting for the classifier of worker \S+-1, which has 10 rows from row 0 of job first$/])
  })
  await Promise.all([collector, workers, hanging])
})

test('without a broker the parts say how to get one', async () => {
  for (const args of [['publish', '/dev/null'], ['collect', '/nowhere/out.csv', '--job', 'x'], ['work']]) {
    const { code, stderr } = await rowmill(args, { env: { ROWMILL_BROKERS: '' } })
    assert.equal(code, 2, stderr)
  }
  const { stderr } = await rowmill(['work', '--classifier', CLASSIFIER], { env: { ROWMILL_BROKERS: '' } })
  assert.match(stderr, /rowmill work needs a Kafka: give --brokers HOST:PORT.*rowmill broker starts one \[USAGE\]/)
})

test('two publish commands with different files and one id: one publishes, the other is JOB_EXISTS', async t => {
  const { folder, cli } = await place(t)
  const files = [
    await makeFile(folder, 'one.csv', { header: 'ID,A', count: 700 }),
    await makeFile(folder, 'two.csv', { header: 'ID,A', count: 600 }),
  ]
  const outcomes = await Promise.all(files.map(({ path }) => rowmill(['publish', path, '--job', 'same'], cli)))
  const codes = outcomes.map(({ code }) => code)
  assert.deepEqual([...codes].sort(), [0, 2], outcomes.map(({ stderr }) => stderr).join(''))
  assert.match(outcomes[codes.indexOf(2)]!.stderr, /job same exists already .* choose another --job \[JOB_EXISTS\]/)
  const worked = await rowmill(['work', '--classifier', CLASSIFIER, '--until-done', 'same'], cli)
  assert.equal(worked.code, 0, worked.stderr)
  const out = join(folder, 'out.csv')
  const collected = await rowmill(['collect', out, '--job', 'same', '--timeout', '240'], cli)
  assert.equal(collected.code, 0, collected.stderr)
  assert.equal(readFileSync(out, 'utf8'), files[codes.indexOf(0)]!.serial)
})

test('a run with the id of a job from another file writes nothing of that job', async t => {
  const { folder, cli } = await place(t)
  const [one, two] = [
    await makeFile(folder, 'one.csv', { header: 'ID,A', count: 20 }),
    await makeFile(folder, 'two.csv', { header: 'ID,A', count: 20 }),
  ]
  const { ROWMILL_BROKERS: brokers, ROWMILL_PIPELINE: pipeline } = cli.env
  const run = (path: string, out: string) => {
    const at = ['--brokers', brokers, '--pipeline', pipeline, '--job', 'same', '--workers', '1']
    return rowmill(['run', path, join(folder, out), '--classifier', CLASSIFIER, ...at])
  }
  const first = await run(one.path, 'one.out')
  assert.equal(first.code, 0, first.stderr)
  const second = await run(two.path, 'two.out')
  assert.equal(second.code, 2, second.stderr)
  assert.match(second.stderr, /\[JOB_EXISTS\]/)
  assert.equal(readFileSync(join(folder, 'one.out'), 'utf8'), one.serial)
  assert.deepEqual([existsSync(join(folder, 'two.out')), existsSync(join(folder, 'two.out.rowmill'))], [false, false])
})
