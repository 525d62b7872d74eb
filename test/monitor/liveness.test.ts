import assert from 'node:assert/strict'
import { test } from 'node:test'
import { livenessOf, type MeteredParts, type Moment } from '../../src/monitor/liveness.ts'
import type { CollectingReport, WorkerReport } from '../../src/reports/report.ts'

const NOTHING: MeteredParts = { publishing: null, working: null, collecting: null, sent: null, arrived: null }
const BATCH = { topic: 'rowmill.bulk', partition: 3, job: 'orders', row: 100, rows: 50, seconds: 70.9 }

function worker(parts: Partial<WorkerReport> = {}): WorkerReport {
  const idle = { partitions: [], batch: null, rows: 0, rejected: 0, restarts: 0 }
  return { name: 'mill-1-1', state: 'idle', heardSeconds: 0.4, ...idle, ...parts }
}

const working = (...workers: WorkerReport[]) => ({ restarts: 0, rebalances: 0, workers })

function collecting(parts: Partial<CollectingReport> = {}): CollectingReport {
  return { job: 'orders', written: 0, rejected: 0, duplicates: 0, waiting: null, ...parts }
}

/** What a probe hears 70 s after something moved. */
function health(parts: Partial<MeteredParts>, moment: Partial<Moment['stillSeconds'] & Moment> = {}): string {
  const { publishing = 70.5, working = 70.5, collecting = 70.5, outageSeconds = null } = moment
  const still = { stillSeconds: { publishing, working, collecting }, stalledAfterSeconds: 60, outageSeconds }
  const { isGood, reason } = livenessOf({ ...NOTHING, ...parts }, still)
  return `${isGood ? 'ok' : 'not live'}: ${reason}`
}

test('a worker without rows is live, however long nothing comes', () => {
  assert.equal(
    health({ working: working(worker(), worker({ state: 'starting' })) }),
    'ok: no rows wait here; nothing has moved for 70 s',
  )
})

test('a classifier that hangs is named with its rows, once nothing has moved for the stated time', () => {
  const hangs = { working: working(worker(), worker({ name: 'mill-1-2', state: 'busy', batch: BATCH })) }
  const batch =
    'worker mill-1-2 has had 50 rows (from row 100 on) of job orders (rowmill.bulk[3]) in its classifier for 70 s'
  assert.equal(health(hangs), `not live: ${batch}, and nothing has moved for 70 s`)
  assert.equal(health(hangs, { working: 59 }), `ok: ${batch}; nothing has moved for 59 s`) // other workers move
})

test('a job without numbers of rows says how many rows wait', () => {
  const events = { ...BATCH, row: null, rows: 1 }
  assert.match(health({ working: working(worker({ batch: events })) }), /has had 1 row of job orders /)
})

test('a worker that says nothing is frozen, whatever the others do', () => {
  const frozen = worker({ name: 'mill-1-2', heardSeconds: 61 })
  const said = 'not live: worker mill-1-2 has said nothing for 61 s. It may be frozen'
  assert.equal(health({ working: working(worker(), frozen) }, { working: 0 }), said)
})

test('an outage is no reason to start again, whatever waits', () => {
  const waits = { working: working(worker({ batch: BATCH, heardSeconds: 90 })) }
  assert.equal(
    health(waits, { outageSeconds: 80 }),
    'ok: no broker has answered for 80 s, which a restart does not cure',
  )
})

test('a publisher is live while its source is slow, and not while rows that it sent wait for the broker', () => {
  const publishing = { job: 'orders', published: 500, total: null }
  assert.equal(health({ publishing, sent: 500 }), 'ok: no rows wait here; nothing has moved for 70 s')
  const waits = '100 rows of job orders are sent and not acknowledged, and nothing has moved for 70 s'
  assert.equal(health({ publishing, sent: 600 }), `not live: ${waits}`)
})

test('a collector is live while it waits for a row, and not while rows that came wait for the output', () => {
  const waiting = { row: 7, partition: 2, seconds: 400.9 }
  const blocked =
    'ok: no rows wait here: the output has waited 400 s for row 7 of partition 2; nothing has moved for 70 s'
  assert.equal(health({ collecting: collecting({ written: 7, waiting }), arrived: 90 }), blocked)
  const hangs = '80 rows of job orders have arrived and are not written, and nothing has moved for 70 s'
  assert.equal(health({ collecting: collecting({ written: 7, rejected: 3 }), arrived: 90 }), `not live: ${hangs}`)
  assert.equal(
    health({ collecting: collecting({ written: 87, rejected: 3 }), arrived: 90 }),
    'ok: no rows wait here; nothing has moved for 70 s',
  )
})

test('rows that are published are no progress of a classifier that hangs, and the other way round', () => {
  const hangs = working(worker({ name: 'mill-1-2', state: 'busy', batch: BATCH }))
  const publishing = { job: 'orders', published: 500, total: null }
  assert.match(
    health({ working: hangs, publishing, sent: 500 }, { publishing: 0 }),
    /^not live: worker mill-1-2 has had 50 rows/,
  )
  assert.match(
    health({ working: hangs, publishing, sent: 600 }, { working: 0 }),
    /^not live: 100 rows .* not acknowledged/,
  )
  assert.match(health({ working: hangs, publishing, sent: 600 }, { working: 0, publishing: 0 }), /^ok: worker mill-1-2/)
})
