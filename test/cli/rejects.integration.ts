/** The budget for rejected rows, from the command line to the topic of rejects. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Reject, Rejected } from '../../src/model.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { brokerAddress, testKafka, testPipeline } from '../helpers/broker.ts'
import { rowmill, testFolder } from '../helpers/cli.ts'
import { readTopic } from '../helpers/pipeline.ts'

const THROWS = join(import.meta.dirname, '../fixtures/bad_rows.py:throws')
const BAD = [7, 150, 333]
const ROWS = Array.from({ length: 400 }, (_, seq) => [`${seq}`, BAD.includes(seq) ? 'bad' : 'good'])

async function runWith(t: TestContext, ...options: string[]) {
  const folder = testFolder(t)
  const [input, output, report] = ['in.csv', 'out.csv', 'report.json'].map(name => join(folder, name)) as [
    string,
    string,
    string,
  ]
  writeFileSync(input, `ID,A\n${ROWS.map(cells => `${cells}\n`).join('')}`)
  const { pipeline } = await testPipeline(t)
  const args = ['run', input, output, '--classifier', THROWS, '--pipeline', pipeline, '--report', report, ...options]
  const ended = await rowmill(args, { env: { ROWMILL_BROKERS: await brokerAddress() } })
  return { ...ended, folder, output, report, pipeline }
}

const expected = ROWS.flatMap(([id, a], seq) => (BAD.includes(seq) ? [] : [`${id},${a},ok\n`])).join('')

for (const budget of ['3', '0.75%', '100%']) {
  test(`three rejects within --max-rejects ${budget}: exit 4, all other rows, and a copy of each in rejects`, async t => {
    const { code, stderr, output, report, pipeline } = await runWith(t, '--max-rejects', budget)
    assert.equal(code, 4, stderr)
    assert.match(stderr, /3 rows were rejected, within --max-rejects/)
    assert.equal(readFileSync(output, 'utf8'), expected)
    for (const seq of BAD) assert.match(stderr, new RegExp(`row ${seq} \\(line ${seq + 2}\\): CLASSIFIER_FAILED .+`))
    const { rows, rejects, rejected, rowsByWorker } = JSON.parse(readFileSync(report, 'utf8'))
    assert.deepEqual([rows, rejects], [397, 3])
    assert.deepEqual(
      rejected.map(({ seq, values }: Rejected) => [seq, values]),
      BAD.map(seq => [seq, [`${seq}`, 'bad']]),
    )
    assert.equal(
      Object.values<number>(rowsByWorker).reduce((sum, count) => sum + count, 0),
      397,
    )
    const [copies] = await readTopic(await testKafka(), topicsOf(pipeline).rejects, 1)
    // If a worker joined late, a row may have two copies.
    const bySeq = new Map(copies!.map(({ value }) => [(value as Reject).seq!, value as Reject]))
    const seen = [...bySeq.values()].sort((a, b) => a.seq! - b.seq!)
    assert.deepEqual(
      seen.map(({ seq, line, reason, values }) => [seq, line, reason, values]),
      BAD.map(seq => [seq, seq + 2, 'CLASSIFIER_FAILED', [`${seq}`, 'bad']]),
    )
  })
}

for (const budget of ['2', '0.7%']) {
  test(`three rejects above --max-rejects ${budget}: exit 5 with the first row, and no OUT`, async t => {
    const { code, stderr, output, folder } = await runWith(t, '--max-rejects', budget)
    assert.equal(code, 5, stderr)
    assert.match(
      stderr,
      /3 rows were rejected, and --max-rejects allows 2\. The first, row \d+ \(line \d+\), was rejected/,
    )
    assert.match(stderr, /no bad rows here.*\[REJECTS_OVER_BUDGET\]\n.*bad_rows\.py", line \d+, in throw/s)
    assert.equal(existsSync(output), false)
    assert.deepEqual(readdirSync(folder), ['in.csv', 'out.csv.rowmill'])
    assert.match(stderr, /once the classifier is repaired, resume with: rowmill run --resume \S+out\.csv\n$/)
  })
}

test('a budget that is not a number is refused', async t => {
  for (const budget of ['-1', '101%', 'many', '1.5']) {
    const { code, stderr } = await runWith(t, '--max-rejects', budget)
    assert.equal(code, 2, stderr)
    assert.match(stderr, /--max-rejects "[^"]*": must be a number of rows, or a part of them/)
  }
})
