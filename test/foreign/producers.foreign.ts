/** Programs that publish without our SDK: those of examples/producers, as their README shows them. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Reject, Result } from '../../src/model.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { brokerAddress, testKafka, testPipeline } from '../helpers/broker.ts'
import { type CliOptions, rowmill, startProgram, startRowmill, testFolder } from '../helpers/cli.ts'
import { readTopic } from '../helpers/pipeline.ts'
import { python } from '../helpers/python.ts'
import { until } from '../helpers/until.ts'

const ROOT = join(import.meta.dirname, '../..')
const FOLDER = join(ROOT, 'examples/producers')
const README = readFileSync(join(FOLDER, 'README.md'), 'utf8')
const PRODUCE = join(FOLDER, 'produce.py')
const CLASSIFIER = join(import.meta.dirname, '../fixtures/classifiers.ts')
const NO_KCAT = spawnSync('kcat', ['-V']).error ? 'there is no kcat here (apt-get install kcat)' : false

/** A pipeline of this test with the job `visits`, and its results. */
async function visits(t: TestContext) {
  const { pipeline } = await testPipeline(t)
  const { jobs, rows, results, rejects } = topicsOf(pipeline)
  const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline }
  const opened = await rowmill(['jobs', 'open', '--job', 'visits', '--columns', 'SKU,TEXT'], { env })
  assert.equal(opened.code, 0, opened.stderr)
  const kafka = await testKafka()
  const recordsOf = async <T>(topic: string, partitions: number) =>
    (await readTopic(kafka, topic, partitions)).map(records => records.map(({ value }) => value as T))
  return {
    ...{ env, jobs, rows },
    /** A worker, until the test ends. */
    work() {
      const { child } = startRowmill(['work', '--classifier', CLASSIFIER, '--workers', '1'], { env })
      t.after(() => child.kill('SIGKILL'))
    },
    /** What a worker made of this many rows, in any order of the partitions; a reject is null. */
    async results(count: number): Promise<(readonly string[] | null)[]> {
      let found: Result[] = []
      await until(`${count} results`, async () => {
        found = (await recordsOf<Result>(results, 8)).flat()
        return found.length >= count
      })
      assert.equal(found.length, count)
      for (const { first, offset, count } of found) assert.deepEqual([first, count], [offset, 1])
      return found.map(({ rows }) => rows[0] ?? null)
    },
    async rejects(): Promise<Reject[]> {
      return (await recordsOf<Reject>(rejects, 1)).flat()
    },
    produce: (args: readonly string[], options: CliOptions = {}) =>
      startProgram(python, [PRODUCE, 'visits', ...args], { ...options, env: { ...env, ...options.env } }).finished,
  }
}

const bySku = (rows: readonly (readonly string[] | null)[]) => rows.map(row => row?.join() ?? '').sort()

/** The shell lines of a block of the README, with this pipeline instead of its own. */
function linesOf(pattern: RegExp, pipeline: string): string {
  const [, block] = [...README.matchAll(/```sh\n(.*?)```/gs)].find(([, block]) => pattern.test(block!))!
  return block!.replaceAll('rowmill.rows', `${pipeline}.rows`)
}

test('one line of kcat is a producer', { skip: NO_KCAT }, async t => {
  const { env, work, results } = await visits(t)
  const sent = await startProgram('sh', ['-ec', linesOf(/kcat -P/, env.ROWMILL_PIPELINE)], { env }).finished
  assert.equal(sent.code, 0, sent.stderr)
  work()
  assert.deepEqual(await results(1), [['17', 'shoe']])
})

test('JSON rows keep their text; a wrong one keeps its place, and is reported in rejects', {
  skip: NO_KCAT,
}, async t => {
  const { env, rows, work, results, rejects } = await visits(t)
  const messages = [
    '{"job":"visits","values":{"TEXT":"größer, \\"weiter\\"","SKU":1.50}}',
    '{"job":"visits","values":["2",null]}',
    '{"job":"visits","values":{"SKU":true,"TEXT":""}}',
    '{"job":"visits","values":{"SKU":4}}',
    '{"job":"visits","values":{"SKU":{"a":1},"TEXT":"x"}}',
    '{"job":"nobody","values":{"SKU":6,"TEXT":"x"}}',
    '{"job":"visits",',
  ]
  const args = ['-P', '-b', env.ROWMILL_BROKERS, '-t', rows, '-X', 'acks=all', '-k', 'any key']
  const sent = await startProgram('kcat', args, { input: `${messages.join('\n')}\n` }).finished
  assert.equal(sent.code, 0, sent.stderr)
  work()
  assert.deepEqual(bySku(await results(5)), ['', '', '1.50,größer, "weiter"', '2,', 'true,'])
  await until('all rejects', async () => (await rejects()).length >= 4)
  const told = (await rejects()).map(({ reason, detail }) => `${reason}: ${detail}`).sort()
  assert.equal(told.length, 4)
  for (const [i, pattern] of [
    /^MALFORMED: .*JSON/,
    /^ROW_MALFORMED: column "SKU" is an object/,
    /^ROW_MALFORMED: column "TEXT" is missing/,
    /^UNKNOWN_JOB: no job nobody/,
  ].entries())
    assert.match(told[i]!, pattern)
})

const TEXTS = ['shoe', 'größer, "weiter"', '', 'two\nlines', '🦆']

test('produce.py publishes a CSV file: every row is acknowledged, and classified', async t => {
  const { produce, work, results } = await visits(t)
  const path = join(testFolder(t), 'rows.csv')
  const cells = Array.from({ length: 500 }, (_, sku) => [TEXTS[sku % 5]!, `00${sku}`])
  const quoted = (cell: string) => `"${cell.replaceAll('"', '""')}"`
  writeFileSync(path, `TEXT,SKU\n${cells.map(row => `${row.map(quoted)}\n`).join('')}`)
  const { code, stderr } = await produce([path])
  assert.equal(code, 0, stderr)
  assert.match(stderr, /^produce\.py: 500 rows are safe\n$/m) // librdkafka may have printed something too
  work()
  assert.deepEqual(bySku(await results(500)), bySku(cells.map(([text, sku]) => [sku!, text!])))
})

test('produce.py publishes lines of JSON as they come', async t => {
  const { produce, work, results } = await visits(t)
  const input =
    '{"SKU": 1.50, "TEXT": "shoe"}\n{"TEXT": null, "SKU": true}\n{"SKU": 12345678901234567890, "TEXT": "\\ud83e\\udd86"}\n'
  const { code, stderr } = await produce([], { input })
  assert.equal(code, 0, stderr)
  assert.match(stderr, /^produce\.py: 3 rows are safe\n$/m)
  work()
  assert.deepEqual(bySku(await results(3)), ['1.50,shoe', '12345678901234567890,🦆', 'true,'])
})

test('produce.py says which row is wrong, and that those before it are safe', async t => {
  const { produce } = await visits(t)
  const good = '{"SKU": 1, "TEXT": "shoe"}'
  for (const [bad, why] of [
    ['{"SKU": 2}', /line 2: column TEXT is missing/],
    ['{"SKU": 2, "TEXT": "x", "COLOR": "red"}', /line 2: the job has no column COLOR/],
    ['{"SKU": [2], "TEXT": "x"}', /line 2: column SKU is no single value/],
    ['["2", "x"]', /line 2: not an object/],
    ['{"SKU": 2', /line 2: Expecting/],
    [`{"SKU": 2, "TEXT": "${'x'.repeat(17_000_000)}"}`, /line 2: .*size/i],
  ] as const) {
    const { code, stderr } = await produce([], { input: `${good}\n${bad}\n` })
    assert.equal(code, 1, stderr)
    assert.match(stderr, why)
    assert.match(stderr, /\nproduce\.py: 1 rows are safe\n$/)
  }
  const path = join(testFolder(t), 'short.csv')
  writeFileSync(path, 'SKU,TEXT\n1,shoe\n2\n')
  const short = await produce([path])
  assert.deepEqual([short.code, /line 3: it has not as many values/.test(short.stderr)], [1, true], short.stderr)
})

test('produce.py sends nothing to a job that is over, missing, or of another sort', async t => {
  const { env, jobs, produce } = await visits(t)
  const input = '{"SKU": 1, "TEXT": "shoe"}\n'
  const absent = await startProgram(python, [PRODUCE, 'nobody'], { env, input }).finished
  assert.equal(absent.code, 1)
  assert.ok(absent.stderr.includes(`no job nobody in ${jobs}: open it with rowmill jobs open`), absent.stderr)
  const path = join(testFolder(t), 'in.csv')
  writeFileSync(path, 'SKU,TEXT\n1,shoe\n')
  await rowmill(['publish', path, '--job', 'nightly'], { env })
  const sequenced = await startProgram(python, [PRODUCE, 'nightly'], { env, input }).finished
  assert.match(sequenced.stderr, /^produce\.py: job nightly numbers its rows/)
  await rowmill(['jobs', 'cancel', '--job', 'visits'], { env })
  const over = await produce([], { input })
  assert.equal(over.code, 1)
  assert.match(over.stderr, /^produce\.py: job visits is over: job visits was cancelled by/)
  const nowhere = await produce(['--timeout', '1'], { input, env: { ROWMILL_BROKERS: '127.0.0.1:1' } })
  assert.equal(nowhere.code, 1)
  assert.match(nowhere.stderr, /produce\.py: .*(no answer from 127\.0\.0\.1:1|brokers are down|refused)/)
})

test('produce.py finds its schemas in the clone, and in a given folder', async t => {
  const { produce } = await visits(t)
  const schemas = join(ROOT, 'src/wire/schemas')
  const { code, stderr } = await produce(['--schemas', schemas], {
    input: '{"SKU": 1, "TEXT": ""}\n',
    cwd: dirname(ROOT),
  })
  assert.equal(code, 0, stderr)
})
