import assert from 'node:assert/strict'
import { test } from 'node:test'
import { History } from '../../../src/monitor/page/history.ts'
import { aJob, MADE_AT } from '../../helpers/made-view.ts'

const rows = (published: number, classified: number | null, written: number | null = null) => ({
  ...{ total: null, rejected: 0 },
  ...{ published, classified, written },
})
const at = (seconds: number) => MADE_AT + seconds * 1000

test('a point is the average of the rows per second since the point before, for each job and for all of them', () => {
  const history = new History()
  history.add({ at: at(0), jobs: [aJob({ id: 'a', rows: rows(100, 10) })] })
  history.add({
    at: at(4),
    jobs: [aJob({ id: 'a', rows: rows(140, 18, 3) }), aJob({ id: 'b', rows: rows(7, 7), openedAt: at(2) })],
  })
  const known = { at: [at(0), at(4)], written: [null, null] }
  assert.deepEqual(history.since(0, 'a'), { ...known, published: [null, 10], classified: [null, 2] })
  assert.deepEqual(history.since(0, 'b'), {
    ...known,
    published: [null, 1.8],
    classified: [null, 1.8],
    written: [null, null],
  })
  assert.deepEqual(history.since(0, null), { ...known, published: [null, 11.8], classified: [null, 3.8] })
})

test('a job that the watch did not know before has no rate at its first point, unless it was opened meanwhile', () => {
  const history = new History()
  history.add({ at: at(0), jobs: [] })
  history.add({ at: at(2), jobs: [aJob({ id: 'old', rows: rows(1_000_000, 1_000_000), openedAt: at(-100) })] })
  assert.deepEqual(history.since(0, 'old').classified, [null, null])
})

test('a view that is younger than 2 s adds no point, and a later attempt that begins with fewer results counts as 0', () => {
  const history = new History()
  history.add({ at: at(0), jobs: [aJob({ id: 'a', rows: rows(9, 9) })] })
  history.add({ at: at(1), jobs: [aJob({ id: 'a', rows: rows(9, 9) })] })
  history.add({ at: at(2), jobs: [aJob({ id: 'a', rows: rows(9, 4) })] })
  assert.deepEqual(history.since(0, 'a').at, [at(0), at(2)])
  assert.deepEqual(history.since(0, 'a').classified, [null, 0])
})

test('it keeps one hour, gives the points after a moment, and forgets a job that is not in the view', () => {
  const history = new History()
  for (let second = 0; second <= 7200; second += 2)
    history.add({ at: at(second), jobs: [aJob({ id: 'a', rows: rows(second, second) })] })
  const { at: moments, classified } = history.since(0, 'a')
  assert.equal(moments.length, 1800)
  assert.equal(moments.at(-1), at(7200))
  assert.equal(moments[0], at(7200 - 1799 * 2))
  assert.ok(classified.every(rate => rate === 1))
  assert.deepEqual(history.since(at(7196), 'a').at, [at(7198), at(7200)])
  assert.deepEqual(history.since(at(7200), 'a').at, [])
  history.add({ at: at(7202), jobs: [] })
  assert.ok(history.since(0, 'a').classified.every(rate => rate === null))
})
