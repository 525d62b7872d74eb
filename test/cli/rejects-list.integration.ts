/** `rejects list` of event jobs, and of messages without a job. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { brokerAddress, testKafka, testPipeline } from '../helpers/broker.ts'
import { rowmill, startRowmill, testFolder } from '../helpers/cli.ts'
import { readTopic } from '../helpers/pipeline.ts'
import { until } from '../helpers/until.ts'

const THROWS = join(import.meta.dirname, '../fixtures/bad-rows.ts:throws')

async function place(t: TestContext) {
  const { pipeline } = await testPipeline(t)
  const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline }
  const kafka = await testKafka()
  const { rows, rejects } = topicsOf(pipeline)
  return {
    ...{ env, rows, cli: (...args: string[]) => rowmill(args, { env }) },
    work() {
      const { child } = startRowmill(['work', '--classifier', THROWS, '--workers', '1'], { env })
      t.after(() => child.kill('SIGKILL'))
    },
    async send(partition: number, ...texts: string[]) {
      const producer = await kafka.producer()
      t.after(() => producer.close())
      await producer.send(
        { topic: rows, partition },
        texts.map(text => ({ key: 'k', value: Buffer.from(text) })),
      )
    },
    rejected: (count: number) =>
      until(`${count} rejects`, async () => (await readTopic(kafka, rejects, 1)).flat().length >= count),
  }
}

test('rejects of an event job are listed as of now, with a note that more may come', async t => {
  const { cli, work, send, rejected } = await place(t)
  const listed = async () => {
    const { code, stdout, stderr } = await cli('rejects', 'list', '--job', 'orders')
    assert.equal(code, 0, stderr)
    return { lines: stdout.trimEnd().split('\n').slice(1), stderr }
  }
  assert.equal((await cli('jobs', 'open', '--job', 'orders', '--columns', 'ID,A')).code, 0)
  const none = await listed()
  assert.deepEqual(none.lines, [])
  assert.match(none.stderr, /0 rejects of job orders so far: it is a job of events, and more may come\n/)
  work()
  const row = (a: string) => JSON.stringify({ job: 'orders', values: ['1', a] })
  await send(3, row('good'), row('bad'), JSON.stringify({ job: 'orders', values: { ID: 1 } }))
  await rejected(2)
  const two = await listed()
  assert.match(two.lines[0]!, /^3@1\t\tCLASSIFIER_FAILED\t.*no bad rows here/)
  assert.match(two.lines[1]!, /^3@2\t\tROW_MALFORMED\t/)
  assert.match(two.stderr, /2 rejects of job orders so far: it is a job of events, and more may come\n/)
  assert.doesNotMatch(two.stderr, /to its end/)
  assert.equal((await cli('jobs', 'cancel', '--job', 'orders')).code, 0)
  assert.match((await listed()).stderr, /2 rejects of job orders so far: it was cancelled before all its rows were/)
})

test('rejects list without a job lists each unassignable message once; other actions need a job', async t => {
  const { cli, work, send, rejected, rows } = await place(t)
  assert.equal((await cli('jobs', 'open', '--job', 'orders', '--columns', 'ID,A')).code, 0)
  const nothing = await cli('rejects', 'list')
  assert.deepEqual([nothing.code, nothing.stdout], [0, ''], nothing.stderr)
  assert.match(nothing.stderr, /pipeline \S+ has 0 rejected messages of no job\. For the rejects of a job give --job\n/)
  await send(5, '{"job":"nobody","values":["1","a"]}')
  await send(2, 'neither Avro nor JSON', '{"job":"orders","values":["1","bad"]}', '{"broken')
  work()
  await rejected(4)
  const { code, stdout, stderr } = await cli('rejects', 'list')
  assert.equal(code, 0, stderr)
  const [header, ...lines] = stdout
    .trimEnd()
    .split('\n')
    .map(line => line.split('\t'))
  assert.deepEqual(header, ['message', 'reason', 'detail'])
  assert.deepEqual(
    lines.map(([message, reason]) => [message, reason]),
    [
      [`${rows}[2]@0`, 'MALFORMED'],
      [`${rows}[2]@2`, 'MALFORMED'],
      [`${rows}[5]@0`, 'UNKNOWN_JOB'],
    ],
  )
  assert.match(lines[2]![2]!, /no job nobody in /)
  assert.match(stderr, /pipeline \S+ has 3 rejected messages of no job/)
  for (const action of ['export', 'replay']) {
    const refused = await cli('rejects', action)
    assert.deepEqual([refused.code, refused.stdout], [2, ''])
    assert.match(refused.stderr, /which job\? Give --job ID/)
  }
})

test('rejects list says that a file is not classified yet', async t => {
  const { cli } = await place(t)
  const path = join(testFolder(t), 'in.csv')
  writeFileSync(path, 'ID,A\n1,x\n')
  assert.equal((await cli('publish', path, '--job', 'nightly')).code, 0)
  const { stderr } = await cli('rejects', 'list', '--job', 'nightly')
  assert.match(stderr, /0 rejects of job nightly so far: not all of its rows are classified yet\n/)
})
