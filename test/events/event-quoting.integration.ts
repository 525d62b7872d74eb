/** A cell with a lone carriage return: an event job is written as the Python of the original job writes it. */
import assert from 'node:assert/strict'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { csvQuotesCarriageReturn } from '../../src/classifier/python/csv-quoting.ts'
import { type EventJob, type OpenJobOptions, openJob } from '../../src/index.ts'
import { optionOf } from '../../src/model.ts'
import { JobLog } from '../../src/pipeline/job-log.ts'
import { brokerAddress, testKafka, testPipeline } from '../helpers/broker.ts'
import { rowmill, startRowmill, testFolder } from '../helpers/cli.ts'
import { descendants, untilGone } from '../helpers/processes.ts'
import { python } from '../helpers/python.ts'
import { serialJob } from '../helpers/serial.ts'
import { until } from '../helpers/until.ts'

const CLASSIFIER = join(import.meta.dirname, '../fixtures/classifiers.py:shows_rows')

async function place(t: TestContext) {
  const { pipeline } = await testPipeline(t)
  const brokers = [await brokerAddress()]
  const said: string[] = []
  return {
    ...{ pipeline, said, env: { ROWMILL_BROKERS: brokers[0]!, ROWMILL_PIPELINE: pipeline } },
    async open(more: Partial<OpenJobOptions>): Promise<EventJob> {
      const say = (message: string) => void said.push(message)
      const job = await openJob({
        brokers,
        pipeline,
        id: 'j',
        columns: ['ID', 'A'],
        indexKind: 'integer',
        say,
        ...more,
      })
      t.after(() => job.close())
      return job
    },
    /** The value in the record. */
    async quotes(id = 'j') {
      const jobs = await JobLog.open(await testKafka(), pipeline, () => {})
      const job = await jobs.latest(id)
      await jobs.close()
      return optionOf(job!.options, 'quotesCarriageReturn')
    },
  }
}

/** A program that answers like a Python whose csv module quotes a carriage return, or does not. */
function answering(t: TestContext, answer: 'True' | 'False'): string {
  const path = join(testFolder(t), 'python')
  writeFileSync(path, `#!/bin/sh\necho ${answer}\n`)
  chmodSync(path, 0o755)
  return path
}

test('tail and collect --follow write the events of openJob as the original job writes the same rows', async t => {
  const { env, open } = await place(t)
  const folder = testFolder(t)
  const [input, out] = [join(folder, 'in.csv'), join(folder, 'out.csv')]
  writeFileSync(input, 'ID,A\n1,"a\rb"\n2,plain\n3,"c\r\nd"\n')
  const job = await open({ python })
  const worker = startRowmill(['work', '--classifier', CLASSIFIER, '--workers', '1'], { env })
  t.after(() => worker.child.kill('SIGKILL'))
  await Promise.all(
    [
      ['1', 'a\rb'],
      ['2', 'plain'],
      ['3', 'c\r\nd'],
    ].map(row => job.send(row)),
  )
  await job.end()
  const serial = await serialJob(input, CLASSIFIER)
  const follow = await rowmill(['collect', out, '--job', 'j', '--follow'], { env })
  assert.equal(follow.code, 0, follow.stderr)
  assert.equal(readFileSync(out, 'utf8'), serial)
  assert.equal((await rowmill(['tail', '--job', 'j'], { env })).stdout, serial)
})

test('openJob asks the named Python, and the next producer keeps the answer of the first', async t => {
  const { open, quotes } = await place(t)
  const [newer, older] = [answering(t, 'True'), answering(t, 'False')]
  await (await open({ id: 'newer', python: newer })).close()
  await (await open({ id: 'older', python: older })).close()
  assert.deepEqual([await quotes('newer'), await quotes('older')], ['true', 'false'])
  const again = await open({ id: 'older', python: newer }) // as on another machine
  assert.equal(again.seq, 0)
  assert.equal(await quotes('older'), 'false')
})

test('without a python option openJob asks ROWMILL_PYTHON, or python3', async t => {
  const { open, quotes } = await place(t)
  const before = process.env['ROWMILL_PYTHON']
  t.after(() => {
    if (before === undefined) delete process.env['ROWMILL_PYTHON']
    else process.env['ROWMILL_PYTHON'] = before
  })
  process.env['ROWMILL_PYTHON'] = answering(t, 'False')
  await (await open({ id: 'twin' })).close()
  assert.equal(await quotes('twin'), 'false')
  delete process.env['ROWMILL_PYTHON']
  await (await open({ id: 'default' })).close()
  assert.equal(await quotes('default'), String((await csvQuotesCarriageReturn('python3')) ?? true))
})

test('without Python, openJob quotes cells with a carriage return and says so; a named one must exist', async t => {
  const { open, quotes, said } = await place(t)
  const path = process.env['PATH']
  t.after(() => {
    process.env['PATH'] = path
  })
  process.env['PATH'] = testFolder(t)
  await (await open({})).close()
  assert.equal(await quotes(), 'true')
  assert.match(said.join('\n'), /there is no python3: cells with a carriage return are quoted/)
  await assert.rejects(open({ id: 'k', python: 'no-such-python' }), { code: 'PYTHON_UNUSABLE' })
  await assert.rejects(open({ id: 'k', python: 3 as unknown as string }), { code: 'USAGE', message: /python 3/ })
})

test('the signal of openJob ends a Python that does not answer', async t => {
  const { open } = await place(t)
  const path = join(testFolder(t), 'python')
  const asked = `${path}.asked`
  writeFileSync(path, `#!/bin/sh\ntouch ${asked}\nexec sleep 600\n`)
  chmodSync(path, 0o755)
  const stop = new AbortController()
  const opening = open({ python: path, signal: stop.signal })
  await until('it was asked', () => existsSync(asked))
  const children = descendants(process.pid).filter(({ name }) => name === 'sleep' || name === 'python')
  assert.equal(children.length, 1)
  stop.abort(new Error('enough'))
  await assert.rejects(opening, /enough/)
  await untilGone(children)
})

test('jobs open repeated under another Python finds the job already open', async t => {
  const { env, quotes } = await place(t)
  const args = ['jobs', 'open', '--job', 'j', '--columns', 'ID,A', '--python']
  assert.equal((await rowmill([...args, answering(t, 'False')], { env })).code, 0)
  const again = await rowmill([...args, answering(t, 'True')], { env })
  assert.equal(again.code, 0, again.stderr)
  assert.match(again.stderr, /job j is open already/)
  assert.equal(await quotes(), 'false')
})
