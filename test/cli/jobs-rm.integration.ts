/** rowmill jobs rm on a real broker. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { PartitionSender } from '../../src/kafka/partition-sender.ts'
import type { Job } from '../../src/model.ts'
import { appendJob } from '../../src/pipeline/append-job.ts'
import { JobLog } from '../../src/pipeline/job-log.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { ensureTopics } from '../../src/pipeline/topics.ts'
import { collectGarbage } from '../../src/support/collect-garbage.ts'
import { brokerAddress, testKafka, testPipeline } from '../helpers/broker.ts'
import { rowmill, startRowmill, testFolder } from '../helpers/cli.ts'
import { jobRecord } from '../helpers/pipeline.ts'

const CLASSIFIER = join(import.meta.dirname, '../fixtures/classifiers.ts')
const ROWS = Array.from({ length: 10 }, (_, id) => `${id},x\n`).join('')

/** A pipeline of this test, commands on it, and what its `jobs` holds. */
async function place(t: TestContext) {
  const { pipeline, admin } = await testPipeline(t)
  await ensureTopics(admin, pipeline, 2)
  const kafka = await testKafka()
  const topics = topicsOf(pipeline)
  const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline }
  const folder = testFolder(t)
  const run = (...args: string[]) => rowmill(args, { env, cwd: folder })
  writeFileSync(join(folder, 'in.csv'), `ID,A\n${ROWS}`)
  const append = async (...records: Partial<Job>[]) => {
    const sender = new PartitionSender(await kafka.producer(), () => {})
    const layout = { partitions: 2, topic: topics.rows, rowsFrom: [0, 0], resultsFrom: [0, 0] }
    await Promise.all(records.map(record => appendJob(sender, pipeline, jobRecord({ ...layout, ...record }))))
    await sender.close()
  }
  const listed = async () => {
    const { stdout, stderr } = await run('jobs', 'list', '--output', 'json')
    assert.equal(stderr, '')
    return stdout.split('\n').flatMap(line => (line === '' ? [] : [JSON.parse(line).job as string]))
  }
  const bounds = () => admin.bounds(topics.jobs, 0)
  return { pipeline, kafka, env, folder, run, append, listed, bounds }
}

const failed = (id: string, columns = 20): Partial<Job> => ({
  id,
  state: 'failed',
  at: 1,
  columns: Array.from({ length: columns }, (_, i) => `column ${i} of ${id}`),
})

test('300 old jobs are removed: memory and log shrink, and live workers and an open event job continue', async t => {
  const { pipeline, kafka, env, folder, run, append, listed, bounds } = await place(t)
  const old = Array.from({ length: 300 }, (_, i) => `old-${i}`)
  await append(...old.map(id => failed(id, 300)))
  assert.equal((await run('jobs', 'open', '--job', 'events', '--columns', 'ID,A')).code, 0)
  const work = startRowmill(['work', '--classifier', CLASSIFIER, '--workers', '1'], { env })
  t.after(() => work.child.kill('SIGKILL'))
  const tail = startRowmill(['tail', '--job', 'events', '--timeout', '240'], { env })
  const jobs = await JobLog.open(kafka, pipeline, () => {})
  t.after(() => jobs.close())
  await jobs.latest('')
  const before = heapBytes()

  const removed = await run('jobs', 'rm', '--done-before', '1d')
  assert.equal(removed.code, 0, removed.stderr)
  assert.deepEqual(removed.stdout.trim().split('\n').sort(), [...old].sort())
  assert.match(removed.stderr, /300 jobs removed\nrowmill: 300 records deleted from \S+\.jobs\n/)
  assert.deepEqual(await listed(), ['events'])
  assert.equal((await bounds()).start, 300)
  await jobs.latest('')
  const freed = before - heapBytes()
  assert.ok(freed > 300 * 300 * 16, `${freed} bytes are free again`)

  assert.equal((await run('publish', 'in.csv', '--job', 'new')).code, 0)
  const collected = await rowmill(['collect', '-', '--job', 'new'], { env, cwd: folder })
  assert.deepEqual([collected.code, collected.stdout.split('\n').length], [0, 11], collected.stderr)
  const producer = await kafka.producer()
  t.after(() => producer.close())
  const value = Buffer.from(JSON.stringify({ job: 'events', values: ['7', 'x'] }))
  const printed = once(tail.child.stdout, 'data')
  await producer.send({ topic: topicsOf(pipeline).rows, partition: 0 }, [{ key: 'events', value }])
  assert.match(String(await printed), /^7,/)
  assert.equal((await run('jobs', 'cancel', '--job', 'events')).code, 0)
  assert.equal((await tail.finished).code, 1)
  work.child.kill('SIGTERM')
  assert.equal((await work.finished).code, 0)
})

function heapBytes(): number {
  collectGarbage()
  return process.memoryUsage().heapUsed
}

test('a job is removed when it is over, or by force; commands on a removed job say so', async t => {
  const { run, listed } = await place(t)
  assert.equal((await run('publish', 'in.csv', '--job', 'one')).code, 0)
  const early = await run('jobs', 'rm', 'one')
  assert.equal(early.code, 2)
  assert.match(early.stderr, /job one is not classified to its end yet\. .* --force \[USAGE\]/)
  const work = ['work', '--classifier', CLASSIFIER, '--workers', '1', '--until-done', 'one']
  assert.equal((await run(...work)).code, 0)
  assert.equal((await run('collect', 'out.csv', '--job', 'one')).code, 0)
  assert.equal((await run('jobs', 'open', '--job', 'events', '--columns', 'ID')).code, 0)

  const dry = await run('jobs', 'rm', 'one', 'one', '--dry-run')
  assert.deepEqual([dry.code, dry.stdout], [0, 'one\n'], dry.stderr)
  assert.match(dry.stderr, /1 job would be removed/)
  assert.deepEqual(await listed(), ['one', 'events'])
  const both = await run('jobs', 'rm', 'one', 'events')
  assert.equal(both.code, 2)
  assert.match(both.stderr, /job events is open: more rows may come/)
  assert.deepEqual(await listed(), ['one', 'events'], 'none of them was removed')
  const { stdout, stderr, code } = await run('jobs', 'rm', 'one', 'events', '--force', '-o', 'json')
  assert.equal(code, 0, stderr)
  const lines = stdout.trim().split('\n')
  const shown = lines.map(line => JSON.parse(line)).map(({ job, state, removed }) => [job, state, removed])
  assert.deepEqual(shown, [
    ['one', 'ended', true],
    ['events', 'open', true],
  ])
  assert.deepEqual(await listed(), [])

  for (const command of [
    ['collect', '-'],
    ['tail'],
    ['verify', 'out.csv'],
    ['rejects', 'list'],
    ['rejects', 'export'],
    ['rejects', 'replay'],
    ['jobs', 'list'],
  ]) {
    const said = await run(...command, '--job', 'one', '--timeout', '240')
    assert.equal(said.code, 1, command.join(' '))
    assert.match(said.stderr, /job one was removed by rowmill jobs rm on \S+ \[JOB_CANCELLED\]/, command.join(' '))
  }
  const again = await run('publish', 'in.csv', '--job', 'one')
  assert.equal(again.code, 2)
  assert.match(again.stderr, /and was removed: a job id is used once, choose another --job \[JOB_EXISTS\]/)
  const repeated = await run('jobs', 'rm', 'one')
  assert.deepEqual([repeated.code, repeated.stdout], [0, ''])
  assert.match(repeated.stderr, /job one was removed before/)
})

test('jobs rm refuses to guess which jobs', async t => {
  const { run } = await place(t)
  for (const args of [[], ['a', '--done-before', '1d']]) {
    const { code, stderr } = await run('jobs', 'rm', ...args)
    assert.equal(code, 2)
    assert.match(stderr, /which jobs\? Give either the ids of jobs, or --done-before AGE/)
  }
  const wrong = await run('jobs', 'rm', '--done-before', '1 week')
  assert.equal(wrong.code, 2)
  assert.match(wrong.stderr, /--done-before "1 week": must be a number of minutes, hours or days, such as 30m/)
})

test('jobs rm killed after the second of three removals: nothing else is lost, and the same command removes the rest', async t => {
  const { env, folder, run, append, listed, bounds } = await place(t)
  await append(failed('a'), failed('b'), failed('c'))
  const args = ['jobs', 'rm', '--done-before', '1d']
  const crash = { ...env, ROWMILL_CRASH: `job-removed:2 ${join(folder, 'died')}` }
  assert.equal((await rowmill(args, { env: crash })).signal, 'SIGKILL')
  assert.equal((await listed()).length, 1)
  assert.equal((await bounds()).start, 0)
  assert.equal((await run(...args)).code, 0)
  assert.deepEqual(await listed(), [])
  assert.equal((await bounds()).start, 3)
})

test('two jobs rm at once remove every job, and a job that is published meanwhile stays', async t => {
  const { run, append, listed } = await place(t)
  await append(...Array.from({ length: 20 }, (_, i) => failed(`old-${i}`)))
  const args = ['jobs', 'rm', '--done-before', '1d']
  const all = await Promise.all([run(...args), run(...args), run('publish', 'in.csv', '--job', 'new')])
  assert.deepEqual(
    all.map(({ code }) => code),
    [0, 0, 0],
    all.map(({ stderr }) => stderr).join(''),
  )
  assert.deepEqual(await listed(), ['new'])
})
