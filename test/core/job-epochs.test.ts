import assert from 'node:assert/strict'
import { test } from 'node:test'
import { foldJob } from '../../src/core/job.ts'
import { foldEpochs, type JobEpochs, takeoverRecord } from '../../src/core/job-epochs.ts'
import type { Job } from '../../src/model.ts'
import { jobRecord } from '../helpers/pipeline.ts'

const FIRST = jobRecord({ partitions: 2, rowsFrom: [4, 5], resultsFrom: [6, 7], by: 'first' })
const BEGINNING = { epoch: 0, from: 0, rowsFrom: [4, 5], closed: false }
const taken = { epoch: 1, by: 'second' }

const epochs = (...records: Partial<Job>[]) =>
  records.reduce<JobEpochs | undefined>((before, record) => foldEpochs(before, { ...FIRST, ...record }), undefined)!
const point = (epoch: number, from: number, closed = false) =>
  takeoverRecord(FIRST, { epoch, from, rowsFrom: [from, from], closed }, { at: 0, by: `of ${epoch}` })

test('the first record of an epoch decides which producer owns it', () => {
  assert.deepEqual(epochs({}, { by: 'other' }), { epoch: 0, by: 'first', takeoverPoint: BEGINNING })
  assert.deepEqual(epochs({}, taken, { ...taken, by: 'other' }), { ...taken, takeoverPoint: BEGINNING })
})

test('a takeover point counts while its epoch is the newest', () => {
  const takeoverPoint = { epoch: 0, from: 7, rowsFrom: [7, 7], closed: false }
  assert.deepEqual(epochs({}, point(0, 7), taken, point(0, 9)), { ...taken, takeoverPoint })
  const closed = { epoch: 1, from: 8, rowsFrom: [8, 8], closed: true }
  assert.deepEqual(epochs({}, taken, point(1, 8, true)).takeoverPoint, closed)
})

test('a copy of a job record is no takeover point, and neither is the record of a failed job', () => {
  assert.deepEqual(epochs({}, taken, { ...taken, from: 3 }).takeoverPoint, BEGINNING)
  assert.deepEqual(epochs({}, { ...point(0, 7), state: 'failed' }).takeoverPoint, BEGINNING)
})

test('a takeover point changes nothing in its job', () => {
  const record = point(0, 7, true)
  assert.deepEqual(foldJob(FIRST, record), { ...FIRST, at: record.at, by: record.by })
  const ended: Job = { ...FIRST, state: 'ended', total: 7 }
  assert.deepEqual([foldJob(ended, record).state, foldJob(ended, record).total], ['ended', 7])
})
