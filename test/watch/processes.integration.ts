/** What a watch says of real commands that are killed and frozen: they report, and the watch reads. */
import assert from 'node:assert/strict'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { PipelineWatch } from '../../src/watch/pipeline-watch.ts'
import type { JobView, PipelineView } from '../../src/watch/view.ts'
import { brokerAddress, testKafka, testPipeline } from '../helpers/broker.ts'
import { type CliOptions, startRowmill, testFolder } from '../helpers/cli.ts'
import { freeze } from '../helpers/processes.ts'
import { until } from '../helpers/until.ts'
import { waitingClassifier } from '../helpers/waiting-classifier.ts'

const ROWS = 400
const CSV = `ID,A\n${Array.from({ length: ROWS }, (_, row) => `${row},x${row}\n`).join('')}`

async function place(t: TestContext) {
  const { pipeline } = await testPipeline(t)
  const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline }
  const folder = testFolder(t)
  const input = join(folder, 'in.csv')
  writeFileSync(input, CSV)
  const start = (args: readonly string[], more: CliOptions = {}) => {
    const started = startRowmill(args, { env, ...more })
    t.after(() => started.child.kill('SIGKILL'))
    return started
  }
  const kafka = await testKafka()
  const watch = new PipelineWatch({ kafka, pipeline, say: () => {} })
  t.after(() => watch.close())
  let last: PipelineView | null = null
  watch.subscribe(view => {
    last = view
  })
  const job = (): JobView | undefined => last?.jobs[0]
  return { folder, input, start, watch, job, view: () => last! }
}

test('a worker that is frozen with the row that the output needs is named, with its process', async t => {
  const { folder, input, start, watch, job, view } = await place(t)
  const classifier = waitingClassifier(folder)
  const published = await start(['publish', input, '--job', 'j', '--batch-rows', '10']).finished
  assert.equal(published.code, 0, published.stderr)
  const work = start(['work', '--workers', '2', '--batch-rows', '10', '--classifier', classifier.file])
  watch.start().catch(() => {})
  await until('the classifier waits', () => existsSync(classifier.waits))
  // Which worker gets what is up to them: the row may be in its classifier, also for long, or behind other rows of it.
  const inHand = /^(classifying|queued|slow-batch)$/
  const holder = () => view().workers.find(({ name, batch }) => batch !== null && name === job()?.waitsFor?.worker)
  await until('the wait is seen', () => inHand.test(job()?.waitsFor?.reason ?? '') && holder() !== undefined)
  const { worker: name, text } = job()!.waitsFor!
  assert.match(text, new RegExp(`^row \\d+ \\(partition \\d+\\) .* worker ${name}[ ,]`))
  const worker = holder()!
  assert.equal(worker.state, 'busy')
  assert.deepEqual(
    view()
      .processes.filter(({ state }) => state === 'running')
      .map(({ command }) => command),
    ['work'],
  )
  await freeze(worker.pid!)
  await until('the freeze is seen', () => job()?.waitsFor?.reason === 'worker-silent')
  assert.ok(view().events.some(({ kind }) => kind === 'worker-silent'))
  const { help } = job()!
  assert.equal(help!.command, `kill -9 ${worker.pid}`)
  assert.match(help!.why, /it is started again/)
  process.kill(Number(/\d+$/.exec(help!.command!)![0]), 'SIGKILL')
  writeFileSync(classifier.go, '')
  await until('the command has helped', () => job()?.phase === 'complete')
  assert.equal(work.child.exitCode ?? work.child.signalCode, null, 'rowmill work lives on')
  await until('its restart is seen', () => view().workers.find(each => each.name === name)?.restarts === 1)
})

test('a publisher that is killed is what a job waits for, once it is silent', async t => {
  const { folder, start, watch, job } = await place(t)
  const classifier = join(folder, 'classifier.py')
  writeFileSync(classifier, "def classify_df(df):\n    df['LENGTH'] = [len(value) for value in df['A']]\n")
  const publisher = start(['publish', '-', '--job', 'j', '--batch-rows', '10'], { input: CSV, inputStays: true })
  start(['work', '--workers', '1', '--classifier', classifier])
  watch.start().catch(() => {})
  const says = /^row 400 is not published yet: rowmill publish on \S+ \(process \d+\) has published 400 rows$/
  await until('it waits for the publisher', () => says.test(job()?.waitsFor?.text ?? ''))
  assert.deepEqual([job()!.phase, job()!.waitsFor!.reason], ['publishing', 'publisher'])
  publisher.child.kill('SIGKILL')
  await until('its silence is seen', () => job()!.waitsFor?.reason === 'publisher-silent')
  assert.match(job()!.help!.command ?? '', /^rowmill jobs cancel --job j /)
})
