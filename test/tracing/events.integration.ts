import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { test } from 'node:test'
import { type Context, context, ROOT_CONTEXT, trace } from '@opentelemetry/api'
import { openJob } from '../../src/index.ts'
import { readNow } from '../../src/kafka/read-now.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { brokerAddress, testKafka, testPipeline } from '../helpers/broker.ts'

const ACTIVE = { traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8), traceFlags: 1 }

/** What an SDK registers, so that a trace is active below the call that began it. */
function registerContexts(t: { after(fn: () => void): void }): void {
  const contexts = new AsyncLocalStorage<Context>()
  context.setGlobalContextManager({
    active: () => contexts.getStore() ?? ROOT_CONTEXT,
    with: (active, act, self, ...args) => contexts.run(active, () => act.call(self as never, ...args)),
    bind: (_, target) => target,
    enable() {
      return this
    },
    disable() {
      return this
    },
  })
  t.after(() => context.disable())
}

for (const tracing of [true, false])
  test(`a row of the SDK carries the trace that is active at its send: ${tracing}`, async t => {
    registerContexts(t)
    const { pipeline } = await testPipeline(t)
    const job = await openJob({ id: 'j', columns: ['A'], pipeline, brokers: [await brokerAddress()], tracing })
    t.after(() => job.close())
    const active = trace.setSpanContext(ROOT_CONTEXT, ACTIVE)
    await Promise.all([job.send(['0']), context.with(active, () => job.send(['1'])), job.send(['2'])])
    const kafka = await testKafka({ headers: ['traceparent'] })
    const { rows: topic } = topicsOf(pipeline)
    const found: (string | undefined)[] = []
    const all = [0, 1, 2].map(partition => ({ topic, partition, offset: 0 }))
    await readNow({ kafka, say: () => {}, signal: new AbortController().signal }, all, (partition, { headers }) => {
      found[partition] = headers?.['traceparent']
    })
    const expected = tracing ? `00-${ACTIVE.traceId}-${ACTIVE.spanId}-01` : undefined
    assert.deepEqual([found[0], found[1], found[2]], [undefined, expected, undefined])
  })
