/** OUT, right and wrong, against the topics and a second file. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { appendJob } from '../../src/pipeline/append-job.ts'
import { codes, FORMAT, first, HEADER, RIGHT, rowOf, rowsTo, TOTAL, WrittenJob } from '../helpers/written-job.ts'

const LINES = RIGHT.split(/(?<=\n)/)

test('rejected rows keep their place and take no line; a later copy neither restores them nor counts', async t => {
  const bench = await WrittenJob.open(t)
  await appendJob(bench.sender, bench.pipeline, bench.job({ id: 'r', options: HEADER }))
  await bench.publish('r')
  const reject = (index: number) => ({ index, seq: null, line: null, reason: 'NO', detail: '', values: ['x'] })
  const rest = [2, 6, 7, 8, 12, 13].map(rowOf)
  const none = { job: 'r', rejected: [reject(0), reject(1)], rows: [], columns: [], kinds: [] }
  await bench.result(0, 0, 2, none)
  await bench.result(1, 0, 6, { job: 'r', rejected: [reject(2)], rows: [3, 4, 9, 10, 11].map(rowOf) })
  await bench.result(1, 0, 6, { job: 'r' })
  await bench.result(0, 1, 7, { job: 'r', rejected: [reject(0)], rows: rest })
  await bench.ends('results', { job: 'r' })
  const without = FORMAT.lines(rowsTo(TOTAL).filter((_, seq) => ![0, 1, 5].includes(seq)))
  const verified = await bench.verify(`ID,TEXT\n${without}`, { job: 'r' })
  assert.deepEqual(codes(verified), [])
  assert.deepEqual([verified.rowsIn, verified.rowsOut, verified.rejects], [TOTAL, 11, 3])
  const withAll = await bench.verify(`ID,TEXT\n${RIGHT}`, { job: 'r' })
  assert.deepEqual([codes(withAll), first(withAll).facts['row']], [['FILES_DIFFER'], 2])
})

test('a changed byte is named by row, line and offset, even in a cell of several lines', async t => {
  const bench = await WrittenJob.open(t)
  await bench.publish()
  await bench.classify()
  const verified = await bench.verify(RIGHT.replace('two', 'tWo'))
  assert.deepEqual(codes(verified), ['FILES_DIFFER'])
  const { row, line, offset } = first(verified).facts
  assert.deepEqual([row, line, offset], [4, 6, RIGHT.indexOf('two') + 1])
  assert.match(
    first(verified).message,
    /first in row 4 \(line 6, .*: expected "4,\\"one\\ntwo\\n.*, found "4,\\"one\\ntWo\\n"$/,
  )
  assert.notEqual(verified.digests.expected, verified.digests.out)
})

test('an OUT with a missing last line, swapped lines, extra bytes, or none differs', async t => {
  const bench = await WrittenJob.open(t)
  await bench.publish()
  await bench.classify()
  const swapped = [...LINES.slice(0, 8), LINES[9], LINES[8], ...LINES.slice(10)].join('')
  for (const [out, row, said] of [
    [LINES.slice(0, -1).join(''), 13, /expected "13,row 13\\n", found the end of the file$/],
    [RIGHT.slice(0, -1), 13, /expected "13,row 13\\n", found the end of the file$/],
    [swapped, 6, /expected "6,row 6\\n", found "7,row 7\\n"$/],
    [`${RIGHT}14,row 14\n`, null, /must end after the last row \(line 17, .*continues: found "14,row 14\\n"$/],
    ['', 0, /expected "0,row 0\\n", found the end of the file$/],
  ] as const) {
    const verified = await bench.verify(out)
    assert.deepEqual([codes(verified), first(verified).facts['row']], [['FILES_DIFFER'], row])
    assert.match(first(verified).message, said)
  }
})

test('with a second file OUT must have its bytes too', async t => {
  const bench = await WrittenJob.open(t)
  await bench.publish()
  await bench.classify()
  const against = join(bench.folder, 'serial.csv')
  writeFileSync(against, RIGHT)
  const same = await bench.verify(RIGHT, { against })
  assert.deepEqual([codes(same), same.digests.against], [[], same.digests.out])
  const both = await bench.verify(RIGHT.replace('row 7', 'row X'), { against })
  assert.deepEqual(
    both.findings.map(({ facts }) => facts['row']),
    [7, 7],
  )
  writeFileSync(against, RIGHT.replace('row 9', 'row 99'))
  const other = await bench.verify(RIGHT, { against })
  assert.deepEqual([codes(other), first(other).facts['row']], [['FILES_DIFFER'], 9])
  assert.match(
    first(other).message,
    /out\.csv and .*serial\.csv differ first in row 9 .*: "9,row 9\\n" and "9,row 99\\n"$/,
  )
})

test('a job without rows has the header of its empty result, or nothing', async t => {
  const bench = await WrittenJob.open(t)
  for (const id of ['empty', 'nothing']) {
    await appendJob(bench.sender, bench.pipeline, bench.job({ id, options: HEADER }))
    const none = { job: id, rows: 0, total: 0 }
    await bench.ends('rows', none)
    if (id === 'empty') await bench.result(0, 0, 0, { job: id })
    await bench.ends('results', none)
  }
  const verified = await bench.verify('ID,TEXT\n', { job: 'empty' })
  assert.deepEqual([codes(verified), verified.rowsIn, verified.rowsOut], [[], 0, 0])
  assert.match(first(await bench.verify('ID;TEXT\n', { job: 'empty' })).message, /first in the header \(line 1, /)
  assert.deepEqual(codes(await bench.verify('', { job: 'nothing' })), [])
})

test('rows that were dropped all together say nothing about how the others are written', async t => {
  const bench = await WrittenJob.open(t)
  await appendJob(bench.sender, bench.pipeline, bench.job({ id: 'd', options: HEADER }))
  await bench.publish('d')
  const none = { job: 'd', rows: [], outputs: [0, 0, 0, 0, 0], kinds: ['empty', 'empty'] }
  await bench.result(0, 0, 5, none)
  await bench.result(1, 0, 6, { job: 'd' })
  await bench.result(0, 5, 3, { job: 'd' })
  await bench.ends('results', { job: 'd' })
  const kept = FORMAT.lines(rowsTo(TOTAL).filter((_, seq) => ![0, 1, 2, 6, 7].includes(seq)))
  assert.deepEqual(codes(await bench.verify(`ID,TEXT\n${kept}`, { job: 'd' })), [])
})
