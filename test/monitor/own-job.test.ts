import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Kafka } from '../../src/kafka/index.ts'
import type { MeteredParts } from '../../src/monitor/liveness.ts'
import { Meter } from '../../src/monitor/meter.ts'
import { OwnJob } from '../../src/monitor/own-job.ts'
import { ManualTime } from '../helpers/manual-time.ts'
import { ofMetric } from '../helpers/scrape.ts'

const NOTHING = { publishing: null, working: null, collecting: null, sent: null, arrived: null }
const still = (seconds: number) => ({ publishing: seconds, working: seconds, collecting: seconds })
const MOMENT = { now: 0, stillSeconds: still(3), stalledAfterSeconds: 60 }

const published = (rows: number, total: number | null): Partial<MeteredParts> => ({
  publishing: { job: 'orders', published: rows, total },
})
const written = (rows: number, rejected = 0): Partial<MeteredParts> => ({
  collecting: { job: 'orders', written: rows, rejected, duplicates: 0, waiting: null },
})

function figures(parts: Partial<MeteredParts>, seconds = 3) {
  return new OwnJob().figures({ ...NOTHING, ...parts }, { ...MOMENT, stillSeconds: still(seconds) })
}

test('before its job is known a run says nothing of it', () => {
  assert.equal(figures({}), null)
})

test('the phase of the job of a run is that of its rows', () => {
  const phases: readonly (readonly [Partial<MeteredParts>, string])[] = [
    [published(0, null), 'waiting'],
    [published(10, 100), 'publishing'],
    [published(10, null), 'publishing'],
    [{ ...published(100, 100), ...written(3), arrived: 10 }, 'classifying'],
    [{ ...published(100, 100), ...written(90), arrived: 100 }, 'writing'],
    [{ ...published(100, 100), ...written(98, 2), arrived: 100 }, 'complete'],
  ]
  for (const [parts, phase] of phases) assert.equal(figures(parts)!.phase, phase)
  assert.equal(figures({ ...published(100, 100), arrived: 10 }, 61)!.phase, 'stalled')
})

test('the job of a run is idle while rows of it wait, and what is not known is null', () => {
  assert.deepEqual(figures(published(10, null))!.rows, {
    ...{ total: null, published: 10, classified: null, written: null, rejected: null },
  })
  assert.equal(figures({ ...published(10, null), ...written(10), arrived: 10 }, 50)!.idleSeconds, 0)
  assert.equal(figures({ ...published(100, 100), ...written(3), arrived: 10 }, 50)!.idleSeconds, 50)
  assert.equal(figures({ ...published(100, 100), ...written(100), arrived: 100 }, 50)!.idleSeconds, 0)
})

test('rows that arrive are a move of a job that has an end, and of no other', () => {
  const stillSeconds = { publishing: 1, working: 50, collecting: 70 }
  const idle = (total: number | null) =>
    new OwnJob().figures({ ...NOTHING, ...published(10, total), arrived: 3 }, { ...MOMENT, stillSeconds })!.idleSeconds
  assert.deepEqual([idle(100), idle(null)], [1, 50])
})

test('the time to the end is that of the rows that are left, at the rate of the last 30 s', () => {
  const job = new OwnJob()
  const at = (seconds: number, arrived: number) => {
    job.look({ arrived }, seconds * 1000)
    return job.figures({ ...NOTHING, ...published(1000, 1000), arrived }, { ...MOMENT, now: seconds * 1000 })!
      .etaSeconds
  }
  assert.equal(at(100, 0), null)
  for (let second = 1; second < 20; second++) at(100 + second, second * 10)
  const [left, rate] = [1000 - 200, 200 / 19]
  assert.equal(at(120, 200), left / rate)
  assert.equal(at(200, 200), null)
  assert.equal(at(201, 1000), null)
})

async function textOf(meter: Meter): Promise<string> {
  const request = { isTrusted: true, query: new URLSearchParams(), headers: {}, signal: new AbortController().signal }
  const { body } = await meter.routes.find(({ path }) => path === '/metrics')!.answer(request)
  return `${body}`
}

test('a scrape of a run has its job, and that of another command has none', async () => {
  const [time, parts] = [new ManualTime(), { ...NOTHING, ...published(50, 90), ...written(20, 1) }]
  const scrape = async (command: string) => {
    const meter = new Meter({ command, version: '1.0.0', stalledAfterSeconds: 60, output: null, time })
    meter.watch(() => parts)
    meter.arrived(30)
    assert.doesNotMatch(await textOf(meter), /^rowmill_job_/m) // it would lack its pipeline
    meter.connected({} as Kafka, 'mill') // nobody asks for it here
    const text = await textOf(meter)
    await meter.close()
    return text
  }
  const text = await scrape('run')
  assert.deepEqual(ofMetric(text, 'rowmill_job_rows'), {
    'job_id="orders",stage="total",pipeline="mill"': 90,
    'job_id="orders",stage="published",pipeline="mill"': 50,
    'job_id="orders",stage="classified",pipeline="mill"': 30,
    'job_id="orders",stage="written",pipeline="mill"': 20,
    'job_id="orders",stage="rejected",pipeline="mill"': 1,
  })
  assert.deepEqual(ofMetric(text, 'rowmill_job_phase'), { 'job_id="orders",phase="publishing",pipeline="mill"': 1 })
  assert.deepEqual(ofMetric(text, 'rowmill_job_idle_seconds'), { 'job_id="orders",pipeline="mill"': 0 })
  assert.doesNotMatch(await scrape('collect'), /rowmill_job_/)
})
