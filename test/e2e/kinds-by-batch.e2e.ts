/** A column with one kind in most batches and another one in few: the classifier is asked about rows of both. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { rowmill, startRowmill, testFolder } from '../helpers/cli.ts'
import { COLUMNS, cellsOf, DEPENDENT, KINDS_BY_BATCH } from '../helpers/kinds-by-batch.ts'
import { serialJob } from '../helpers/serial.ts'

const ROWS = 5000
const BATCH = ['--batch-rows', '100']
const DIFFERS =
  /in a probe of \d+ rows, column X of row \d+ \(line \d+\) is ".*" with all rows at once, but ".*" in batches of one kind\. .*\[BATCH_DEPENDENT\]\n$/

/** A file whose rows 1,000 to 1,099 are rare. The probe of a run tries none of them: their cells look as all others do. */
function written(t: TestContext): { input: string; out: string } {
  const lines = Array.from({ length: ROWS }, (_, seq) => cellsOf(seq, seq >= 1000 && seq < 1100).join(','))
  const folder = testFolder(t)
  const input = join(folder, 'in.csv')
  writeFileSync(input, [COLUMNS.join(','), ...lines, ''].join('\n'))
  return { input, out: join(folder, 'out.csv') }
}

async function run(t: TestContext, name: string, options: readonly string[] = []) {
  const { input, out } = written(t)
  const classifier = `${KINDS_BY_BATCH}:${name}`
  const args = ['run', input, out, '--classifier', classifier, '--workers', '2', ...BATCH, ...options]
  const ended = await rowmill(args, { env: { ROWMILL_BROKERS: await brokerAddress() } })
  return { ...ended, input, out, classifier }
}

for (const name of DEPENDENT) {
  test(`a column whose kind follows from all rows ends the job: ${name}`, async t => {
    const { code, stderr, out } = await run(t, name)
    assert.equal(code, 1, stderr)
    assert.match(stderr, DIFFERS)
    assert.ok(!existsSync(out))
    assert.ok(!existsSync(`${out}.rowmill`), 'nobody can resume it')
  })
}

test('columns in which each row decides for itself come out as pandas writes them', async t => {
  const { code, stderr, input, out, classifier } = await run(t, 'each_alone')
  assert.equal(code, 0, stderr)
  assert.equal(readFileSync(out, 'utf8'), await serialJob(input, classifier))
})

test('with --probe 0 nobody asks, and other bytes go unnoticed', async t => {
  const { code, stderr, input, out, classifier } = await run(t, 'gaps_as_text', ['--probe', '0'])
  assert.equal(code, 0, stderr)
  assert.notEqual(readFileSync(out, 'utf8'), await serialJob(input, classifier))
})

for (const [name, code, said] of [
  ['gaps_as_text', 1, DIFFERS],
  ['each_alone', 0, /5000 rows/],
] as const) {
  test(`in work and collect apart, the job is not complete before the classifier was asked: ${name}`, async t => {
    const { input, out } = written(t)
    const { pipeline } = await testPipeline(t)
    const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline }
    const classifier = `${KINDS_BY_BATCH}:${name}`
    const working = startRowmill(['work', '--classifier', classifier, '--workers', '2', ...BATCH], { env })
    t.after(() => working.child.kill('SIGTERM'))
    const published = await rowmill(['publish', input, '--job', 'j', ...BATCH], { env })
    assert.equal(published.code, 0, published.stderr)
    const collected = await rowmill(['collect', out, '--job', 'j'], { env })
    assert.equal(collected.code, code, collected.stderr)
    assert.match(collected.stderr, said)
    if (code === 0) assert.equal(readFileSync(out, 'utf8'), await serialJob(input, classifier))
    else assert.ok(!existsSync(out))
  })
}
