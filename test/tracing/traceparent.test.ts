import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatTraceparent, parseTraceparent } from '../../src/tracing/traceparent.ts'

const [TRACE, SPAN] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331']

test('a traceparent is read and written as W3C Trace Context says', () => {
  const context = { traceId: TRACE, spanId: SPAN, traceFlags: 1, isRemote: true }
  assert.deepEqual(parseTraceparent(`00-${TRACE}-${SPAN}-01`), context)
  assert.equal(formatTraceparent(context), `00-${TRACE}-${SPAN}-01`)
  assert.equal(parseTraceparent(`00-${TRACE}-${SPAN}-00`)!.traceFlags, 0)
  assert.deepEqual(parseTraceparent(`cc-${TRACE}-${SPAN}-01-what-the-future-adds`), context)
})

for (const [what, text] of Object.entries({
  nothing: '',
  'the forbidden version': `ff-${TRACE}-${SPAN}-01`,
  'no trace': `00-${'0'.repeat(32)}-${SPAN}-01`,
  'no span': `00-${TRACE}-${'0'.repeat(16)}-01`,
  'capital letters': `00-${TRACE.toUpperCase()}-${SPAN}-01`,
  'too few digits': `00-${TRACE.slice(1)}-${SPAN}-01`,
  'more than version 00 has': `00-${TRACE}-${SPAN}-01-x`,
  'text after the flags': `cc-${TRACE}-${SPAN}-01x`,
  'text before it': ` 00-${TRACE}-${SPAN}-01`,
}))
  test(`${what} is no traceparent`, () => {
    assert.equal(parseTraceparent(text), null)
  })
