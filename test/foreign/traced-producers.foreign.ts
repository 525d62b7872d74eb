/** Producers of others that put their trace into the headers of their messages, as docs/tracing.md shows. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { rowmill, startProgram, startRowmill } from '../helpers/cli.ts'
import { OtlpReceiver, TRACING_PROJECT } from '../helpers/otlp-receiver.ts'
import { type Block, blocksOf } from '../helpers/page.ts'
import { python } from '../helpers/python.ts'

const CLASSIFIER = join(import.meta.dirname, '../fixtures/classifiers.ts')
const NO_KCAT = spawnSync('kcat', ['-V']).error ? 'there is no kcat here (apt-get install kcat)' : false
const TRACE = '0af7651916cd43dd8448eb211c80319c'

/** Sends with `send` in a pipeline with the job `visits`, and resolves with the traces that the batches of a worker link to. */
async function tracesOf(t: TestContext, send: (env: { brokers: string; topic: string }) => Promise<unknown>) {
  const { pipeline } = await testPipeline(t)
  const receiver = await OtlpReceiver.start(t)
  const brokers = await brokerAddress()
  const env = { ...receiver.env, ROWMILL_BROKERS: brokers, ROWMILL_PIPELINE: pipeline }
  const opened = await rowmill(['jobs', 'open', '--job', 'visits', '--columns', 'SKU,TEXT'], { env })
  assert.equal(opened.code, 0, opened.stderr)
  await send({ brokers, topic: topicsOf(pipeline).rows })
  const { child } = startRowmill(['work', '--classifier', CLASSIFIER, '--workers', '1'], { cwd: TRACING_PROJECT, env })
  t.after(() => child.kill('SIGKILL'))
  await receiver.until(() => receiver.named('classify').length > 0)
  return receiver.named('classify').flatMap(({ links }) => links.map(({ traceId }) => traceId))
}

test('a batch links to the trace that kcat writes into a header', { skip: NO_KCAT }, async t => {
  const [{ text }] = blocksOf('docs/tracing.md').filter(({ text }) => text.includes('kcat')) as [Block]
  const traces = await tracesOf(t, async ({ brokers, topic }) => {
    const line = text.replace('rowmill.rows', topic)
    const { code, stderr } = await startProgram('sh', ['-ec', line], { env: { ROWMILL_BROKERS: brokers } }).finished
    assert.equal(code, 0, stderr)
  })
  assert.deepEqual(traces, [TRACE])
})

const PRODUCE = `
import sys
from confluent_kafka import Producer
brokers, topic, traceparent = sys.argv[1:]
producer = Producer({'bootstrap.servers': brokers, 'acks': 'all'})
row = '{"job":"visits","values":["17","a shoe"]}'
producer.produce(topic, row, partition=0, headers=[('traceparent', None), ('traceparent', traceparent), ('other', b'\\x00')])
sys.exit(producer.flush(60))
`

test('a batch links to the trace that confluent-kafka writes into a header', async t => {
  const traces = await tracesOf(t, async ({ brokers, topic }) => {
    const args = ['-c', PRODUCE, brokers, topic, `00-${TRACE}-b7ad6b7169203331-01`]
    const { code, stderr } = await startProgram(python, args).finished
    assert.equal(code, 0, stderr)
  })
  assert.deepEqual(traces, [TRACE])
})
