import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { firstDifference } from '../../scripts/compare-files.ts'
import { testFolder } from '../helpers/cli.ts'

const ROOT = join(import.meta.dirname, '../..')

function demo(args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise(resolve => {
    execFile(process.execPath, [join(ROOT, 'scripts/demo.ts'), ...args], (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr })
    })
  })
}

test('the demo runs both jobs, shows times, speed-up and rows per worker, and finds the files the same', async t => {
  const folder = testFolder(t)
  const { code, stdout, stderr } = await demo(['--rows', '300', '--workers', '2', '--keep', folder])
  assert.equal(code, 0, stderr)
  assert.match(stdout, /original +[\d.]+ s +\d+ rows\/s\nrowmill +[\d.]+ s +\d+ rows\/s/)
  assert.match(stdout, /speed-up +[\d.]+/)
  const perWorker = [...stdout.matchAll(/worker \S+: (\d+) rows/g)].map(([, rows]) => Number(rows))
  assert.equal(
    perWorker.reduce((sum, rows) => sum + rows, 0),
    300,
  )
  assert.match(stdout, /The files are the same, byte by byte/)
  assert.equal(readFileSync(join(folder, 'serial.csv'), 'utf8').split('\n').length, 301)
})

test('the demo exits 6 when the files differ in one byte', async () => {
  const classifier = `${join(import.meta.dirname, '../fixtures/classifiers.py')}:flips_a_byte_in_batches`
  const { code, stdout } = await demo(['--rows', '150', '--classifier', classifier])
  assert.equal(code, 6, stdout)
  assert.match(stdout, /The files DIFFER: first at byte \d+, line 1\./)
})

test('the demo over rows of the user finds dates whose day and month are swapped in later batches', async t => {
  const folder = testFolder(t)
  const input = join(folder, 'days.csv')
  // Only the first row shows that the day comes first: the second batch of 100 rows cannot know.
  const days = ['13/02/2024', ...Array.from({ length: 249 }, (_, i) => `0${(i % 9) + 1}/02/2024`)]
  writeFileSync(input, `ID,DAY\n${days.map((day, i) => `${i},${day}\n`).join('')}`)
  const classifier = join(import.meta.dirname, '../fixtures/looks_at_rows.py')
  const args = ['--input', input, '--workers', '1', '--classifier']
  const { code, stdout } = await demo([...args, `${classifier}:to_datetime`])
  assert.equal(code, 6, stdout)
  assert.match(stdout, /The files DIFFER: first at byte \d+, line 101\. .*docs\/classifiers\.md/)
  const cured = await demo([...args, `${classifier}:to_datetime_cured`])
  assert.equal(cured.code, 0, cured.stderr)
  assert.match(cured.stdout, /The files are the same, byte by byte/)
})

test('the demo refuses a missing input, and rows to make beside an input', async () => {
  const missing = await demo(['--input', 'not-there.csv'])
  assert.deepEqual([missing.code, missing.stderr], [2, 'demo: --input not-there.csv: there is no such file\n'])
  const both = await demo(['--input', 'not-there.csv', '--rows', '7'])
  assert.deepEqual(
    [both.code, both.stderr],
    [2, 'demo: --rows makes rows and --input brings its own: give one of them\n'],
  )
})

test('two files are compared to the last byte', async t => {
  const folder = testFolder(t)
  const [a, b] = [join(folder, 'a'), join(folder, 'b')]
  const bytes = Buffer.alloc(3_000_000, 'x\n')
  writeFileSync(a, bytes)
  writeFileSync(b, bytes)
  assert.equal(await firstDifference(a, b), null)
  bytes[2_999_998] = 121
  writeFileSync(b, bytes)
  assert.equal(await firstDifference(a, b), 'first at byte 2999998, line 1500000')
  writeFileSync(b, bytes.subarray(0, 2_000_000))
  assert.equal(await firstDifference(a, b), 'first at byte 2000000, line 1000001')
})
