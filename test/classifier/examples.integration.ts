import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { fixture, jobOf, PYTHON, started } from './serial.ts'

const makeRows = (...options: string[]) =>
  execFileSync(PYTHON, [fixture('examples/make_rows.py'), ...options], { encoding: 'utf8', maxBuffer: 1 << 24 })

test('make_rows makes realistic rows, the same for the same seed', () => {
  const lines = makeRows('10001').trimEnd().split('\n')
  assert.equal(lines[0], 'ID,SKU,FLUX,MANUFACTURER_NAME,DESCRIPTION')
  assert.equal(lines.length, 10_002)
  for (const [at, line] of lines.slice(1).entries()) {
    assert.match(line, /^\d+,\d{1,6},\d[\d.e-]+,[0-9a-f]{32},[0-9a-f]{64}$/)
    const [id, sku, flux] = line.split(',').map(Number)
    assert.ok(id === at && sku! <= 100_000 && flux! < 1, line)
  }
  assert.equal(makeRows('20'), makeRows('20', '--seed', '1'))
  assert.notEqual(makeRows('20'), makeRows('20', '--seed', '2'))
})

test('the black box gives the same number in [0, 1) for the same row, and another for another row', async t => {
  const classifier = await started(t, 'examples/black_box.py')
  const job = jobOf({ columns: ['ID', 'A'], indexKind: 'integer' })
  const rows = [
    ['1', 'x'],
    ['1', 'x'],
    ['1', 'y'],
  ]
  const answer = await classifier.classify({ job, rows, seqs: null })
  const [first, again, other] = answer.rows.map(row => Number(row[2]))
  assert.ok(first! >= 0 && first! < 1)
  assert.equal(first, again)
  assert.notEqual(first, other)
})
