import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TallyBook } from '../../src/watch/tally-book.ts'
import { jobRecord } from '../helpers/pipeline.ts'
import { resultRecord } from '../helpers/result-record.ts'

const AT = 1_000_000
const result = (job: string, first: number, by = 'w') =>
  ({ kind: 'result', value: resultRecord({ job, first, by }) }) as const
const take = (book: TallyBook, head: ReturnType<typeof result>, at: number) =>
  book.take({ partition: 0, head, at, isAfterLoss: false })
const countOf = (book: TallyBook, id: string) => book.tallyOf(id)?.counts({ attempt: 0, epoch: 0 }, [0]).classified

test('results that come before their job is known wait for it, and those of other jobs are forgotten', () => {
  const book = new TallyBook()
  take(book, result('a', 0), AT)
  take(book, result('b', 0), AT)
  book.keep([jobRecord({ id: 'a' })], [])
  assert.deepEqual([countOf(book, 'a'), book.tallyOf('b')], [1, null])
  take(book, result('b', 1), AT)
  book.keep([jobRecord({ id: 'a' }), jobRecord({ id: 'b' })], [])
  assert.equal(countOf(book, 'b'), 1)
  book.keep([jobRecord({ id: 'b' })], ['a'])
  take(book, result('a', 1), AT)
  book.keep([jobRecord({ id: 'a' }), jobRecord({ id: 'b' })], [])
  assert.equal(countOf(book, 'a'), 0)
})

test('the rows of a worker are counted once, and 1,000 workers are remembered', () => {
  const book = new TallyBook()
  book.keep([jobRecord({ id: 'a' })], [])
  for (const first of [0, 1, 1]) take(book, result('a', first), AT)
  assert.equal(book.workerRows.get('w')!.rows, 2)
  for (let i = 2; i < 3000; i++) take(book, result('a', i, `forged ${i}`), AT)
  assert.deepEqual([book.workerRows.size, book.workerRows.has('w')], [1000, false])
})

test('an hour of jobs that come and go, with results of unknown jobs, keeps only what is shown', () => {
  const book = new TallyBook()
  const jobs = Array.from({ length: 720 }, (_, i) => jobRecord({ id: `j${i}` }))
  for (let second = 0; second < 3600; second++) {
    const newest = Math.floor(second / 5)
    const shown = jobs.slice(Math.max(0, newest - 99), newest + 1)
    book.keep(
      shown,
      jobs.slice(0, Math.max(0, newest - 99)).map(({ id }) => id),
    )
    for (const { id } of shown) take(book, result(id, second), AT + second * 1000)
    for (let i = 0; i < 20; i++) take(book, result(`unknown ${second} ${i}`, 0), AT + second * 1000)
  }
  const kept = jobs.filter(({ id }) => book.tallyOf(id) !== null)
  assert.deepEqual([kept.length, kept[0]!.id], [100, 'j620'])
  assert.equal(countOf(book, 'j719'), 5)
})
