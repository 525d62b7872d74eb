/** A command without --brokers finds the run that somebody began in another terminal. */
import assert from 'node:assert/strict'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { FoundRun } from '../../src/cli/found-run.ts'
import { findRuns, isRunning, runOf } from '../../src/cli/found-run.ts'
import { readKafkaOptions } from '../../src/cli/kafka-options.ts'
import { clusterSettings } from '../../src/client-config/kafka-options.ts'
import { Kafka } from '../../src/kafka/index.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { startRowmill, testFolder } from '../helpers/cli.ts'
import { placeForRuns, waitingRun } from '../helpers/kept-runs.ts'
import { until } from '../helpers/until.ts'
import { waitingClassifier } from '../helpers/waiting-classifier.ts'

/** The topics of the run, as a client with what was found sees them. */
async function topicsOfRun({ cluster, pipeline }: FoundRun): Promise<string[]> {
  const { kafka } = await readKafkaOptions({ property: cluster!, allowSaslWithoutTls: false }, () => {})
  const admin = await new Kafka({ ...clusterSettings(kafka!), clientId: 'test' }).admin()
  try {
    return [...(await admin.partitions(Object.values(topicsOf(pipeline)))).keys()]
  } finally {
    await admin.close()
  }
}

test('a run on the kept Kafka is found from any folder, until it is complete; once it was killed it is found as one that does not run', async t => {
  const place = placeForRuns(t, 200)
  const elsewhere = testFolder(t)
  const find = () => findRuns(elsewhere, place.kept)
  const { output, go, child, finished } = await waitingRun(t, place)
  const [run, ...others] = await find()
  assert.deepEqual([run?.output, isRunning(run!), others.length], [output, true, 0])
  assert.ok((await topicsOfRun(run!)).includes(`${run!.pipeline}.jobs`))
  assert.deepEqual(await runOf(output), run)
  assert.equal(run!.resume, `rowmill run --resume ${output}`)
  child.kill('SIGKILL')
  await finished
  assert.deepEqual(await find(), [run!])
  assert.equal(isRunning(run!), false)
  writeFileSync(go, '')
  const resumed = startRowmill(['run', '--resume', output], { env: place.env })
  assert.equal((await resumed.finished).code, 0)
  assert.deepEqual(await find(), [])
  assert.equal(await runOf(output), null)
})

test('a run with a broker of its own is found from the folder that it writes to, and its broker only while it runs', async t => {
  const place = placeForRuns(t, 200)
  const { folder, input } = place
  const { file, waits } = waitingClassifier(folder)
  const output = join(folder, 'out.csv')
  const args = ['run', input, output, '--no-keep', '--classifier', file, '--workers', '1', '--batch-rows', '50']
  const { child, finished } = startRowmill(args, { env: place.env })
  t.after(() => child.kill('SIGKILL'))
  await until('the classifier waits', () => existsSync(waits))
  assert.deepEqual(await findRuns(testFolder(t), place.kept), [])
  const [run] = await findRuns(folder, place.kept)
  assert.deepEqual([run?.output, isRunning(run!)], [output, true])
  assert.ok((await topicsOfRun(run!)).includes(`${run!.pipeline}.jobs`))
  child.kill('SIGTERM')
  await finished
  const [ended] = await findRuns(folder, place.kept)
  assert.deepEqual(ended, { ...run!, cluster: null })
  assert.equal(isRunning(ended!), false)
})
