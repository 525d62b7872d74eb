/** TypeScript classifiers from file to file, over the real broker. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import classify from '../../examples/black-box.ts'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { rowmill, startRowmill, testFolder } from '../helpers/cli.ts'

const ROOT = join(import.meta.dirname, '../..')
const BLACK_BOX = join(ROOT, 'examples/black-box.ts')
const FIXTURES = join(ROOT, 'test/fixtures/classifiers.ts')

function rowsFile(folder: string, count: number): { input: string; rows: string[][] } {
  const rows = Array.from({ length: count }, (_, i) => [String(i * 7), `text "${i}", and more`, i % 5 === 0 ? '' : 'Ü'])
  const line = (row: string[]) =>
    row.map(cell => (/[",]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(',')
  const input = join(folder, 'in.csv')
  writeFileSync(input, ['ID,TEXT,MAY BE EMPTY', ...rows.map(line), ''].join('\n'))
  return { input, rows }
}

test('run with a TypeScript classifier gives one line for each row, in order', async t => {
  const folder = testFolder(t)
  const { input, rows } = rowsFile(folder, 1234)
  const out = join(folder, 'out.csv')
  const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PYTHON: '/nowhere/python' }
  const report = join(folder, 'report.json')
  const args = ['run', input, out, '--classifier', BLACK_BOX, '--workers', '2', '--report', report]
  const { code, stderr } = await rowmill(args, { env })
  assert.equal(code, 0, stderr)
  const lines = readFileSync(out, 'utf8').split('\n')
  assert.equal(lines.pop(), '')
  const scores = classify(rows, []).map(row => String(row.at(-1)))
  assert.deepEqual(
    lines.map(line => line.split(',').at(-1)),
    scores,
  )
  assert.deepEqual(
    lines.map(line => line.slice(0, line.lastIndexOf(','))).join('\n'),
    readFileSync(input, 'utf8').split('\n').slice(1, -1).join('\n'),
  )
  assert.deepEqual(JSON.parse(readFileSync(report, 'utf8')).classifierVersions, { node: process.versions.node })
})

test('publish, work and collect serve a TypeScript classifier on a machine without Python', async t => {
  const folder = testFolder(t)
  const { input } = rowsFile(folder, 500)
  const { pipeline } = await testPipeline(t)
  const env = {
    ...{ ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline },
    ...{ ROWMILL_PYTHON: undefined, PATH: folder },
  }
  const published = await rowmill(['publish', input, '--job', 'j', '--header'], { env })
  assert.equal(published.code, 0, published.stderr)
  assert.match(published.stderr, /there is no python3:/)
  const named = await rowmill(['publish', input, '--python', '/nowhere/python'], { env })
  assert.equal(named.code, 2, named.stderr)
  const working = startRowmill(['work', '--classifier', FIXTURES, '--until-done', 'j'], { env })
  t.after(() => working.child.kill('SIGKILL'))
  const collected = await rowmill(['collect', '-', '--job', 'j'], { env })
  assert.equal(collected.code, 0, collected.stderr)
  assert.equal(collected.stdout, readFileSync(input, 'utf8'))
  assert.equal((await working.finished).code, 0)
})

test('an exception in a TypeScript classifier ends the run with rows, lines and its frames', async t => {
  const folder = testFolder(t)
  const input = join(folder, 'in.csv')
  writeFileSync(input, 'ID,TEXT\n1,good\n2,"two\nlines"\n3,bad\n')
  const env = { ROWMILL_BROKERS: await brokerAddress() }
  const args = ['run', input, join(folder, 'out'), '--batch-rows', '1', '--workers', '1']
  const thrown = await rowmill([...args, '--classifier', `${FIXTURES}:throwsAtBad`], { env })
  assert.equal(thrown.code, 5)
  assert.match(
    thrown.stderr,
    /row 2 \(line 5\) was rejected: CLASSIFIER_FAILED classifier \S+ threw: RangeError: cannot classify bad \[REJECTS_OVER_BUDGET\]/,
  )
  assert.match(thrown.stderr, /\n +at .*classifiers\.ts:\d+/)
  args.push('--restart') // of what another attempt with a repaired classifier could resume
  const missing = await rowmill([...args, '--classifier', `${FIXTURES}:nowhere`], { env })
  assert.equal(missing.code, 2)
  assert.match(missing.stderr, /no function as export nowhere\. .*\[CLASSIFIER_NOT_FOUND\]/)
  const cast = await rowmill([...args, '--classifier', FIXTURES, '--cast', 'A=int64'], { env })
  assert.equal(cast.code, 2)
  assert.match(cast.stderr, /--cast A: only pandas can do that/)
})
