import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import type { Report, WorkerReport } from '../../src/reports/report.ts'
import { decodeReport, encodeReport } from '../../src/reports/report-text.ts'

const worker: WorkerReport = {
  name: 'host-7-0',
  pid: 8,
  state: 'busy',
  heardSeconds: 0.4,
  partitions: [{ topic: 'p.rows', partition: 3 }],
  batch: { topic: 'p.rows', partition: 3, job: 'j', row: null, rows: 100, seconds: 1.5 },
  rows: 1200,
  rejected: 3,
  restarts: 0,
  classifierRestarts: { CLASSIFIER_TIMEOUT: 1 },
  secondsPerRow: 0.0079,
  time: { start: 1.2, classify: 9.5, send: 0.2, wait: 3.1 },
}

const report: Report = {
  version: 1,
  process: 'host-7',
  command: 'run',
  host: 'host',
  pid: 7,
  rowmill: '0.1.0',
  startedAt: 1_700_000_000_000,
  everySeconds: 2,
  isLast: false,
  uses: { classifier: 'black_box.py', output: '/srv/out.csv' },
  failure: { code: 'OUTPUT_FAILED', message: 'no space left' },
  publishing: { job: 'j', published: 5000, total: null },
  working: {
    restarts: 1,
    batchTimeout: 300,
    rebalances: 2,
    workers: [worker, { ...worker, state: 'starting', batch: null }],
  },
  collecting: {
    job: 'j',
    written: 1100,
    rejected: 3,
    duplicates: 0,
    waiting: { row: 1103, partition: 3, seconds: 0.5 },
  },
}

const decoded = (value: unknown) => decodeReport(Buffer.from(JSON.stringify(value)))

test('a report is JSON on one line, and comes back as it was', () => {
  const value = encodeReport(report)
  assert.ok(!value.includes('\n'))
  assert.deepEqual(JSON.parse(value.toString()), report)
  assert.deepEqual(decodeReport(value), report)
  const none = { ...report, publishing: null, working: null, collecting: null }
  assert.deepEqual(decodeReport(encodeReport(none)), none)
})

test('fields that this version does not know do no harm', () => {
  const later = { ...report, mood: 'good', working: { ...report.working, workers: [{ ...worker, cpu: [1] }] } }
  assert.equal(decoded(later)?.working?.workers[0]?.name, 'host-7-0')
})

test('an older report does not tell the process of a worker, and nothing of restarts of its classifier', () => {
  const { pid: _, classifierRestarts: __, secondsPerRow: ___, time: ____, ...rest } = worker
  const older = { ...rest, seconds: { queue: 0.1, classify: 9.5, send: 0.2 } }
  const { batchTimeout: _____, ...working } = report.working!
  const [read] = decoded({ ...report, working: { ...working, workers: [older] } })!.working!.workers
  assert.deepEqual(read, older)
})

test('what is no report of this version is none', () => {
  for (const text of ['', 'null', '7', '[]', '{}', '"x"', '{"version":1', '\u00ff'])
    assert.equal(decodeReport(Buffer.from(text, 'latin1')), null, text)
  assert.equal(decodeReport(null), null)
  for (const wrong of [
    { version: 2 },
    { process: 7 },
    { command: 'rm' },
    { startedAt: '2024' },
    { isLast: 0 },
    { host: 'h'.repeat(50_000) },
    { working: { ...report.working, workers: [{ ...worker, name: 'w'.repeat(50_000) }] } },
    { working: {} },
    { working: { ...report.working, workers: {} } },
    { working: { ...report.working, workers: [null] } },
    { working: { ...report.working, workers: [{ ...worker, state: 'mad' }] } },
    ...[0, -1, 1, 7.5, '8', null].map(pid => ({ working: { ...report.working, workers: [{ ...worker, pid }] } })),
    { working: { ...report.working, batchTimeout: '300' } },
    ...[7, null, [1], { CLASSIFIER_DIED: 'x' }].map(classifierRestarts => {
      return { working: { ...report.working, workers: [{ ...worker, classifierRestarts }] } }
    }),
    { working: { ...report.working, workers: [{ ...worker, secondsPerRow: 'x' }] } },
    { working: { ...report.working, workers: [{ ...worker, partitions: [3] }] } },
    { working: { ...report.working, workers: [{ ...worker, batch: { ...worker.batch, rows: null } }] } },
    { working: { ...report.working, workers: [{ ...worker, time: { start: 0, wait: 1, classify: 2 } }] } },
    { collecting: { ...report.collecting, waiting: 5 } },
    ...[null, 'x', { classifier: 5 }].map(uses => ({ uses })),
    ...[null, 'x', { code: 'OUTPUT_FAILED' }].map(failure => ({ failure })),
  ])
    assert.equal(decoded({ ...report, ...wrong }), null, JSON.stringify(wrong).slice(0, 200))
  for (const name of Object.keys(report).filter(name => name !== 'uses' && name !== 'failure')) {
    const { [name as 'version']: _, ...rest } = report
    assert.equal(decoded(rest), null, `without ${name}`)
  }
  const inherited = JSON.stringify({ ...report, version: undefined }).replace('{', '{"__proto__":{"version":1},')
  assert.equal(decodeReport(Buffer.from(inherited)), null)
})

test('the page on the wire format has a report', () => {
  const page = readFileSync(new URL('../../docs/wire-format.md', import.meta.url), 'utf8')
  const [, example] = /```text\n(\{"version": 1,[^`]+)```/.exec(page)!
  assert.equal(decodeReport(Buffer.from(example!))!.working!.workers[0]!.batch!.row, 1300)
})
