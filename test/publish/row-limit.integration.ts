/** Topics like those of a managed cluster: they take messages of 1 MB. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { openJob } from '../../src/index.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { newTopics } from '../../src/pipeline/topics.ts'
import { brokerAddress, testKafka, testPipeline } from '../helpers/broker.ts'
import { type CliOptions, rowmill, testFolder } from '../helpers/cli.ts'

const TOPIC_BYTES = 1_048_588
const ROW_BYTES = TOPIC_BYTES - 1024

async function smallTopics(t: TestContext) {
  const { pipeline, admin } = await testPipeline(t)
  const topics = topicsOf(pipeline)
  const settings = newTopics(topics, 2, 1).map(settings => ({
    ...settings,
    config: { ...settings.config, 'max.message.bytes': String(TOPIC_BYTES) },
  }))
  await admin.createTopics(settings)
  const names = [topics.jobs, topics.rows, topics.bulk]
  const reader = await (await testKafka()).reader(names)
  t.after(() => reader.close())
  const written = async () => (await Promise.all(names.map(topic => reader.ends(topic, 1)))).flat()
  const brokers = await brokerAddress()
  return { pipeline, written, brokers, env: { ROWMILL_BROKERS: brokers, ROWMILL_PIPELINE: pipeline } }
}

/** A row of so many bytes in a message: nine cells below the limit of pandas' python engine, and one to fill it up. */
function row(bytes: number): string {
  const cells = Array.from({ length: 10 }, () => 'a'.repeat(Math.floor((bytes - 2) / 10) - 3))
  cells[9] += 'a'.repeat(bytes - 2 - cells.reduce((sum, cell) => sum + cell.length + 3, 0))
  return cells.join(',')
}
const HEADER = 'A,B,C,D,E,F,G,H,I,J\n'
const SHORT = `${'x,'.repeat(9)}x\n`

test('a row that does not fit is refused by its line before anything is published, in the middle and at the end', async t => {
  const { written, env } = await smallTopics(t)
  const folder = testFolder(t)
  const publish = (name: string, content: string | Buffer, more: readonly string[] = [], options: CliOptions = {}) => {
    writeFileSync(join(folder, name), content)
    return rowmill(['publish', name, ...more], { env, cwd: folder, ...options })
  }
  const tooLong = `${HEADER}${SHORT}${row(ROW_BYTES + 1)}\n`
  const before = await written()
  for (const [name, content] of [
    ['last.csv', tooLong],
    ['middle.csv', `${tooLong}${SHORT}`],
    ['packed.csv.gz', gzipSync(tooLong)],
  ] as const) {
    const { code, stderr } = await publish(name, content)
    assert.equal(code, 1, stderr)
    const what = `${name}, line 3: the row takes ${ROW_BYTES + 1} bytes`
    assert.ok(stderr.includes(what) && stderr.includes(`at most ${ROW_BYTES}. `), stderr)
    assert.match(stderr, /\[INPUT_ROW_TOO_LARGE\]/)
    assert.deepEqual(await written(), before, name)
  }
  assert.equal((await publish('fits.csv', `${HEADER}${SHORT}${row(ROW_BYTES)}\n`)).code, 0)
  const smaller = await publish('small.csv', `${HEADER}${row(600_000)}\n`, ['-X', 'max.request.size=500000'])
  assert.match(smaller.stderr, /small\.csv, line 2: .* at most 498976\. .*\[INPUT_ROW_TOO_LARGE\]/)
  const packed = await publish('zipped.csv', tooLong, ['--compression', 'gzip'])
  assert.equal(packed.code, 0, packed.stderr)
})

test('a row that does not fit and can be read only once is refused by its line, and the job fails', async t => {
  const { env } = await smallTopics(t)
  const { code, stderr } = await rowmill(['publish', '-', '--job', 'j'], {
    env,
    input: `${HEADER}${SHORT}${row(ROW_BYTES + 1)}\n`,
  })
  assert.equal(code, 1, stderr)
  assert.match(stderr, /rowmill: line 3: the row takes .*\[INPUT_ROW_TOO_LARGE\]/)
  const { stdout } = await rowmill(['jobs', 'list', '--job', 'j'], { env })
  assert.match(stdout, /failed/)
})

test('send refuses an event that does not fit; the others are sent', async t => {
  const { pipeline, brokers } = await smallTopics(t)
  const job = await openJob({ id: 'e', columns: ['ID', 'TEXT'], brokers: [brokers], pipeline })
  try {
    const refused = job.send(['1', 'a'.repeat(ROW_BYTES)])
    await assert.rejects(refused, { code: 'ROW_REFUSED', message: /column TEXT: the row takes .* bytes/ })
    assert.equal(await job.send(['2', 'a'.repeat(ROW_BYTES - 20)]), 0)
  } finally {
    await job.close()
  }
})
