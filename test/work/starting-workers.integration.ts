/** A run starts no more workers than there are blocks of rows. */
import assert from 'node:assert/strict'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { brokerAddress } from '../helpers/broker.ts'
import { rowmill, testFolder } from '../helpers/cli.ts'
import { python } from '../helpers/python.ts'

interface Starting {
  readonly workers: number
  /** How many of them should start. A slow one would be killed before it starts its Python, so no row is classified before. */
  readonly expected: number
  readonly stdin?: boolean
}

/** How many Pythons a run over this many rows starts, and its report. */
async function runOver(t: TestContext, rows: number, { workers, expected, stdin = false }: Starting) {
  const folder = testFolder(t)
  const [input, starts, wrapper, report, classifier] = ['in.csv', 'starts', 'python', 'report.json', 'waits.py'].map(
    name => join(folder, name),
  ) as [string, string, string, string, string]
  const waits = [
    'import time',
    'def classify_df(df):',
    `    while len(open('${starts}').readlines()) < ${expected}:`,
    '        time.sleep(0.01)',
    "    df['LENGTH'] = df['A'].str.len()",
    '',
  ]
  writeFileSync(classifier, waits.join('\n'))
  const text = `ID,A\n${Array.from({ length: rows }, (_, i) => `${i},x\n`).join('')}`
  writeFileSync(input, text)
  writeFileSync(wrapper, `#!/bin/sh\necho start >> '${starts}'\nexec '${python}' "$@"\n`)
  chmodSync(wrapper, 0o755)
  // The probe has a Python of its own.
  const own = ['--probe', '0', '--python', wrapper, '--report', report]
  const options = ['--classifier', classifier, '--workers', String(workers), ...own]
  const { code, stdout, stderr } = await rowmill(['run', stdin ? '-' : input, '-', ...options], {
    env: { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_FORK: 'false' }, // a forked Python is not started by this wrapper
    ...(stdin ? { input: text } : {}),
  })
  assert.equal(code, 0, stderr)
  assert.equal(stdout.trim().split('\n').length, rows)
  const { partitions } = JSON.parse(readFileSync(report, 'utf8'))
  return { starts: readFileSync(starts, 'utf8').trim().split('\n').length, partitions }
}

test('a file of one row is classified by one worker, whatever the maximum', async t => {
  assert.deepEqual(await runOver(t, 1, { workers: 16, expected: 1 }), { starts: 1, partitions: 8 })
})

test('a file of 250 rows is three blocks of 100, for three workers', async t => {
  assert.deepEqual(await runOver(t, 250, { workers: 16, expected: 3 }), { starts: 3, partitions: 12 })
})

test('a file with more blocks than workers has all workers', async t => {
  assert.deepEqual(await runOver(t, 2000, { workers: 3, expected: 3 }), { starts: 3, partitions: 12 })
})

test('the rows of standard input are unknown, so it has all workers', async t => {
  assert.deepEqual(await runOver(t, 1, { workers: 3, expected: 3, stdin: true }), { starts: 3, partitions: 12 })
})
