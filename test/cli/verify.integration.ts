/** `rowmill verify` after publish, work and collect, compared with the original job. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { ensureTopics } from '../../src/pipeline/topics.ts'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { rowmill, startRowmill, testFolder } from '../helpers/cli.ts'
import { serialJob } from '../helpers/serial.ts'
import { RIGHT, WrittenJob } from '../helpers/written-job.ts'

/** Its cells contain quotes, line ends and carriage returns. */
const CLASSIFIER = join(import.meta.dirname, '../fixtures/classifiers.py:a_text')
const COUNT = 730

async function place(t: TestContext) {
  const { pipeline, admin } = await testPipeline(t)
  const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline }
  return { folder: testFolder(t), pipeline, admin, cli: { env } }
}

/** The counts on stdout by name, and the last line. */
function report(stdout: string): { counts: Record<string, string>; verdict: string | undefined } {
  const lines = stdout.trimEnd().split('\n')
  const verdict = lines.pop()
  return { counts: Object.fromEntries(lines.map(line => line.split(/ {2,}/))), verdict }
}

test('verify confirms the output of collect, and names the row if one byte changed', async t => {
  const { folder, cli } = await place(t)
  const path = join(folder, 'in.csv')
  writeFileSync(path, `ID,A\n${Array.from({ length: COUNT }, (_, row) => `${row},"a ""${row}"""\n`).join('')}`)
  const against = join(folder, 'serial.csv')
  const serial = await serialJob(path, CLASSIFIER)
  writeFileSync(against, serial)
  const out = join(folder, 'out.csv')
  const working = startRowmill(['work', '--classifier', CLASSIFIER, '--workers', '2'], cli)
  t.after(() => working.child.kill('SIGKILL'))
  const published = await rowmill(['publish', path, '--job', 'j'], cli)
  assert.equal(published.code, 0, published.stderr)
  const collected = await rowmill(['collect', out, '--job', 'j', '--timeout', '240'], cli)
  assert.equal(collected.code, 0, collected.stderr)

  const same = await rowmill(['verify', out, '--job', 'j', '--against', against], cli)
  assert.equal(same.code, 0, same.stderr)
  const { counts, verdict } = report(same.stdout)
  const sha256 = createHash('sha256').update(serial).digest('hex')
  const { workers, classifier, 'duplicates in results': copies, ...others } = counts
  assert.match(copies!, /^\d+$/) // there are some if a worker joined late
  assert.deepEqual(others, {
    ...{ job: 'j', 'rows in': `${COUNT}`, 'rows out': `${COUNT}`, rejects: '0' },
    ...{ 'duplicates in rows': '0', 'gaps in rows': '0', 'gaps in results': '0' },
    ...{ 'malformed in rows': '0', 'malformed in results': '0' },
    ...{ 'sha256 expected': sha256, 'sha256 OUT': sha256, 'sha256 against': sha256 },
  })
  assert.equal(verdict, 'same')
  const classified = [...workers!.matchAll(/: (\d+)/g)].reduce((sum, [, rows]) => sum + Number(rows), 0)
  assert.equal(classified, COUNT)
  assert.match(classifier!, /^[0-9a-f]{16}$/)

  const bytes = readFileSync(out)
  const offset = bytes.indexOf('\n500,') + 20
  bytes[offset]! ^= 1
  writeFileSync(out, bytes)
  const line = bytes.toString('latin1', 0, offset).split('\n').length
  const changed = await rowmill(['verify', out, '--job', 'j', '--against', against], cli)
  assert.equal(changed.code, 6, changed.stderr)
  assert.equal(
    report(changed.stdout).verdict,
    'different: OUT has other bytes than the results; OUT is not the file of --against',
  )
  const named = new RegExp(
    `^rowmill: .*out\\.csv differs .* in row 500 \\(line ${line}, byte offset ${offset}\\): .* \\[FILES_DIFFER\\]$`,
    'm',
  )
  assert.match(changed.stderr, named)
  assert.match(changed.stderr, /^rowmill: also: .*out\.csv and .*serial\.csv differ first in row 500 /m)
  const quiet = await rowmill(['verify', out, '--job', 'j', '--against', against, '--quiet'], cli)
  assert.deepEqual([quiet.code, quiet.stdout, quiet.stderr.split('\n').length], [6, changed.stdout, 2])
})

test('a job that is published but not classified is incomplete, and verify does not wait for it', async t => {
  const { folder, cli } = await place(t)
  const path = join(folder, 'in.csv')
  writeFileSync(path, 'ID,A\n1,a\n2,b\n')
  const published = await rowmill(['publish', path, '--job', 'j'], cli)
  assert.equal(published.code, 0, published.stderr)
  const { code, stdout, stderr } = await rowmill(['verify', path, '--job', 'j'], cli)
  assert.equal(code, 6, stderr)
  const { counts, verdict } = report(stdout)
  assert.deepEqual([counts['rows in'], counts['rows out'], counts['sha256 expected']], ['2', '0', 'unknown'])
  assert.equal(verdict, 'different: the job is not complete')
  assert.match(stderr, /job j is not complete: .*Start rowmill work.* \[JOB_INCOMPLETE\]/)
})

test('if only the classifiers differ, the verdict says so despite equal digests', async t => {
  const bench = await WrittenJob.open(t)
  await bench.publish()
  await bench.result(0, 0, 8)
  await bench.result(1, 0, 6, { classifier: new Uint8Array(8).fill(7), by: 'worker 2' })
  await bench.ends('results')
  const out = join(bench.folder, 'out.csv')
  writeFileSync(out, RIGHT)
  const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: bench.pipeline }
  const { code, stdout, stderr } = await rowmill(['verify', out, '--job', 'j', '--against', out], { env })
  assert.equal(code, 6, stderr)
  const { counts, verdict } = report(stdout)
  assert.equal(counts['sha256 OUT'], counts['sha256 expected'])
  assert.equal(verdict, 'different: the results are of 2 classifiers; OUT has the expected bytes')
})

test('a pipeline without topics is refused and not created; so is an unknown job', async t => {
  const { folder, pipeline, admin, cli } = await place(t)
  const out = join(folder, 'out.csv')
  writeFileSync(out, '')
  const missing = await rowmill(['verify', out, '--job', 'j'], cli)
  assert.deepEqual([missing.code, missing.stdout], [3, ''], missing.stderr)
  assert.match(missing.stderr, new RegExp(`topic ${pipeline}\\.jobs does not exist: .* \\[TOPIC_UNUSABLE\\]`))
  assert.equal((await admin.partitions(Object.values(topicsOf(pipeline)))).size, 0)
  await ensureTopics(admin, pipeline, 1)
  const unknown = await rowmill(['verify', out, '--job', 'j'], cli)
  assert.deepEqual([unknown.code, unknown.stdout], [2, ''], unknown.stderr)
  assert.match(unknown.stderr, new RegExp(`no job j in pipeline ${pipeline}\\. .* \\[USAGE\\]`))
  const none = await rowmill(['verify', join(folder, 'none.csv'), '--job', 'j'], cli)
  assert.deepEqual([none.code, existsSync(join(folder, 'none.csv'))], [2, false])
  assert.match(none.stderr, /none\.csv does not exist\..* \[INPUT_NOT_FOUND\]/)
})

test('verify asks for a job and a broker by name', async () => {
  const noJob = await rowmill(['verify', '/dev/null'], { env: { ROWMILL_BROKERS: '127.0.0.1:1' } })
  assert.deepEqual([noJob.code, noJob.stderr.includes('Give --job ID')], [2, true])
  const noBroker = await rowmill(['verify', '/dev/null', '--job', 'j'], { env: { ROWMILL_BROKERS: '' } })
  assert.equal(noBroker.code, 2)
  assert.match(noBroker.stderr, /rowmill verify needs a Kafka: give --brokers HOST:PORT/)
})
