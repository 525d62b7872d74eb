import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Batcher } from '../../src/core/batcher.ts'
import type { EndOfInput, Job, Rows } from '../../src/model.ts'
import { encodeEndOfInput, encodeJob, encodeRows } from '../../src/wire/codec.ts'
import { admit, type Knowledge, readContent, type Verdict } from '../../src/work/admission.ts'
import { jobRecord } from '../helpers/pipeline.ts'

const TOPIC = 'p.rows'
const at = { topic: TOPIC, partitions: 2, blockRows: 3, rowsFrom: [0, 0], resultsFrom: [0, 0] }
const FILE = jobRecord({ ...at, id: 'file', columns: ['ID', 'TEXT'] })
const EVENTS = jobRecord({
  ...at,
  id: 'events',
  columns: ['ID', 'TEXT'],
  sequenced: false,
  bounded: false,
  blockRows: 1,
})

const rows = (more: Partial<Rows>): Buffer => {
  const row: Rows = {
    job: 'file',
    epoch: 0,
    from: 0,
    seq: 0,
    count: 1,
    line: null,
    lineSteps: null,
    rows: [['1', 'a']],
  }
  return encodeRows({ ...row, ...more })
}
const end = (more: Partial<EndOfInput>): Buffer =>
  encodeEndOfInput({ job: 'file', epoch: 0, from: 0, attempt: 0, partition: 0, rows: 3, total: 6, ...more })
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))

interface Case {
  readonly name: string
  readonly value: Buffer
  readonly topic?: string
  readonly partition?: number
  readonly jobs?: readonly Job[]
  readonly knowledge?: Partial<Knowledge>
  readonly verdict: Verdict['action']
  readonly why?: RegExp
  readonly position?: number
}

const failed: Job = { ...FILE, state: 'failed', reason: { code: 'CLASSIFIER_FAILED', place: null, message: '' } }
const again: Job = { ...FILE, attempt: 1 }
const withRows = new Batcher(0)
withRows.addEnd(0, { ...readContentOf(end({})), rows: 3 })

function readContentOf(value: Buffer): EndOfInput {
  const content = readContent(value)
  assert.ok(content.kind === 'end')
  return content.value
}

const CASES: readonly Case[] = [
  { name: 'rows of a file', value: rows({ seq: 6 }), verdict: 'rows', position: 3 },
  { name: 'an end of input', value: end({}), verdict: 'end' },
  { name: 'a barrier', value: rows({ seq: null, count: 0, rows: [], epoch: 1 }), verdict: 'barrier' },
  {
    name: 'a row in JSON of an event job',
    value: json({ job: 'events', values: ['1', 'a'] }),
    verdict: 'rows',
    position: 9,
  },
  { name: 'a row in Avro of an event job', value: rows({ job: 'events', seq: null }), verdict: 'rows', position: 9 },
  {
    name: 'an event in a partition that was added',
    value: rows({ job: 'events', seq: null }),
    partition: 7,
    verdict: 'rows',
  },
  { name: 'a job without a record so far', value: rows({ job: 'nobody' }), verdict: 'wait' },
  { name: 'a job that failed', value: rows({}), jobs: [failed], verdict: 'pass' },
  { name: 'a job that this worker gave up', value: rows({}), knowledge: { gaveUp: () => true }, verdict: 'pass' },
  { name: 'a later attempt, in the group of first ones', value: rows({}), jobs: [again], verdict: 'pass' },
  {
    name: 'the same in its own group',
    value: rows({}),
    jobs: [again],
    knowledge: { reopened: again },
    verdict: 'rows',
  },
  {
    name: 'another job in that group',
    value: rows({ job: 'events' }),
    knowledge: { reopened: again },
    verdict: 'pass',
  },
  { name: 'a job record', value: encodeJob(FILE), verdict: 'reject', why: /a job record does not belong in p\.rows/ },
  {
    name: 'a job record in the group of a later attempt',
    value: encodeJob(FILE),
    knowledge: { reopened: again },
    verdict: 'pass',
  },
  { name: 'rows in the other topic', value: rows({}), topic: 'p.bulk', verdict: 'reject', why: /belong in p\.rows/ },
  {
    name: 'rows beyond the partitions of the job',
    value: rows({}),
    partition: 2,
    verdict: 'reject',
    why: /has 2 partitions/,
  },
  { name: 'rows in the wrong partition', value: rows({ seq: 3 }), verdict: 'reject', why: /partition/ },
  { name: 'rows without a number', value: rows({ seq: null }), verdict: 'reject', why: /rows without a seq/ },
  {
    name: 'JSON for a job with numbers',
    value: json({ job: 'file', values: ['1', 'a'] }),
    verdict: 'reject',
    why: /has numbered rows/,
  },
  { name: 'an end for events', value: end({ job: 'events' }), verdict: 'reject', why: /has no end/ },
  {
    name: 'an event with a number',
    value: rows({ job: 'events', seq: 4 }),
    verdict: 'reject',
    why: /one row without a seq/,
  },
  {
    name: 'rows after the end of input',
    value: rows({ seq: 6 }),
    knowledge: { batcher: withRows },
    verdict: 'fail',
    why: /follow the end of input/,
  },
  {
    name: 'another end of input',
    value: end({ rows: 2 }),
    knowledge: { batcher: withRows },
    verdict: 'fail',
    why: /an earlier one says/,
  },
]

for (const {
  name,
  value,
  topic = TOPIC,
  partition = 0,
  jobs = [FILE, EVENTS],
  knowledge,
  verdict,
  why,
  position,
} of CASES) {
  test(`${name}: ${verdict}`, () => {
    const known: Knowledge = {
      findJob: id => jobs.find(job => job.id === id),
      gaveUp: () => false,
      reopened: null,
      batcher: new Batcher(0),
      ...knowledge,
    }
    const found = admit({ topic, partition, offset: 9, value, content: readContent(value) }, known)
    assert.equal(found.action, verdict)
    if (why) assert.match('why' in found ? found.why : '', why)
    if (position !== undefined) assert.equal('position' in found && found.position, position)
  })
}

test('a verdict changes nothing: the same message gets the same one again', () => {
  const batcher = new Batcher(0)
  const known: Knowledge = { findJob: () => FILE, gaveUp: () => false, reopened: null, batcher }
  const value = rows({ epoch: 2, seq: 6, from: 6 })
  const look = () => admit({ topic: TOPIC, partition: 0, offset: 9, value, content: readContent(value) }, known)
  assert.deepEqual(look(), look())
  assert.equal(batcher.isEmpty, true)
  const older = readContentOf(end({ epoch: 1, from: 0 }))
  batcher.addEnd(10, older)
  assert.equal(batcher.isEmpty, false, 'a look at epoch 2 does not end epoch 1')
})
