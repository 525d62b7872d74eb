import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { duration } from '../../src/cli/duration.ts'
import { describeProgress } from '../../src/cli/terminal.ts'
import { brokerAddress } from '../helpers/broker.ts'
import { rowmill, testFolder } from '../helpers/cli.ts'
import { python } from '../helpers/python.ts'

const ROOT = join(import.meta.dirname, '../..')
const CLASSIFIER = join(ROOT, 'test/fixtures/classifiers.py:a_float')

test('a progress line shows the rows at each stage, percent, speed and the time left', () => {
  const progress = { published: 300, classified: 200, written: 100, total: 1000 }
  assert.equal(
    describeProgress(progress, 50),
    'published 300, classified 200, written 100 of 1000 (10 %), 50 rows/s, 18 s left',
  )
  assert.equal(
    describeProgress({ ...progress, total: null }, 0),
    'published 300, classified 200, written 100, 0 rows/s',
  )
})

test('a duration has at most two units', () => {
  assert.deepEqual([0.2, 59, 61, 3600, 4359].map(duration), ['1 s', '59 s', '1 min 1 s', '1 h 0 min', '1 h 12 min'])
})

/** The output of a run of 500 rows on a terminal with these variables. */
async function runOnTerminal(t: TestContext, env: Record<string, string>): Promise<string> {
  const folder = testFolder(t)
  const input = join(folder, 'in.csv')
  writeFileSync(input, `ID,A\n${Array.from({ length: 500 }, (_, i) => `${i},x\n`).join('')}`)
  const command = [process.execPath, join(ROOT, 'bin/rowmill.js'), 'run', input, join(folder, 'out.csv')]
  const script = 'import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)'
  const { NO_COLOR: _, ...inherited } = process.env
  const { stdout } = await promisify(execFile)(python, ['-c', script, ...command, '--classifier', CLASSIFIER], {
    env: { ...inherited, ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PYTHON: python, ...env },
  })
  assert.match(stdout, /500 rows in [\d.]+ s/)
  return stdout
}

test('on a terminal three bars show the progress, without colour if NO_COLOR is set', async t => {
  const shown = await runOnTerminal(t, { TERM: 'xterm', NO_COLOR: '1' })
  for (const stage of ['published', 'classified', 'written'])
    assert.match(shown, new RegExp(`${stage} +\\[=+\\] 100 % 500/500`))
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what a colour is made of
  assert.doesNotMatch(shown, /\x1b\[3\dm/)
})

test('a dumb terminal gets lines, and nothing that moves the cursor', async t => {
  assert.ok(!(await runOnTerminal(t, { TERM: 'dumb' })).includes('\x1b'))
})

test('--quiet prints nothing, and --report holds counts, times and versions', async t => {
  const folder = testFolder(t)
  const [input, report] = [join(folder, 'in.csv'), join(folder, 'report.json')]
  writeFileSync(input, `ID,A\n${Array.from({ length: 250 }, (_, i) => `${i},x\n`).join('')}`)
  const options = ['--classifier', CLASSIFIER, '--quiet', '--report', report, '--workers', '2']
  const run = await rowmill(['run', input, join(folder, 'out.csv'), ...options], {
    env: { ROWMILL_BROKERS: await brokerAddress() },
  })
  assert.deepEqual([run.code, run.stdout, run.stderr], [0, '', ''])
  const told = JSON.parse((await import('node:fs')).readFileSync(report, 'utf8'))
  assert.deepEqual([told.rows, told.rejects, told.batchRows], [250, 0, 100])
  const perWorker = Object.values(told.rowsByWorker as Record<string, number>)
  assert.equal(
    perWorker.reduce((sum, rows) => sum + rows, 0),
    250,
  )
  assert.match(told.classifierVersions.pandas, /^\d+\.\d+/)
  assert.ok(told.seconds > told.startSeconds)
})
