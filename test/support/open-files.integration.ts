/** A process that may open few files says so, with the limit and what to do, whatever fails first. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { RowmillError, toRowmillError } from '../../src/errors.ts'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { BIN, type Finished, rowmill, startProgram, testFolder } from '../helpers/cli.ts'

const CLASSIFIER = join(import.meta.dirname, '../fixtures/classifiers.py:a_float')

/** A command that may open so many files, as each process that it starts. */
function limited(files: number, args: readonly string[], brokers = ''): Promise<Finished> {
  const script = 'ulimit -n "$0" && exec "$@"'
  const command = ['-c', script, String(files), process.execPath, BIN, ...args]
  return startProgram('/bin/sh', command, { env: { ROWMILL_BROKERS: brokers } }).finished
}

function saysLimit({ code, stderr }: Finished, files: number): void {
  assert.equal(code, 1, stderr)
  assert.match(stderr, new RegExp(`The limit is ${files} \\(ulimit -n\\)\\. Raise it, as in ulimit -n 4096`))
  assert.match(stderr, /\[TOO_MANY_OPEN_FILES\]/)
  assert.doesNotMatch(stderr, /enough memory|Exception|at file:|Please report|starting it again/)
}

function inputFile(t: TestContext): string {
  const input = join(testFolder(t), 'in.csv')
  writeFileSync(input, `ID,A\n${Array.from({ length: 300 }, (_, i) => `${i},x\n`).join('')}`)
  return input
}

for (const files of [24, 32, 40, 64, 100, 130, 160]) {
  test(`a run that may open ${files} files ends with the limit`, async t => {
    const args = ['run', inputFile(t), '-', '--classifier', CLASSIFIER, '--workers', '2', '--no-progress']
    saysLimit(await limited(files, args), files)
  })
}

for (const files of [32, 100]) {
  test(`a broker that may open ${files} files does not start, and says the limit`, async () => {
    saysLimit(await limited(files, ['broker']), files)
  })
}

test('work that may open 28 files ends with the limit, with twice as many it classifies', async t => {
  const { pipeline } = await testPipeline(t)
  const brokers = await brokerAddress()
  const env = { ROWMILL_BROKERS: brokers, ROWMILL_PIPELINE: pipeline }
  const published = await rowmill(['publish', inputFile(t)], { env })
  assert.equal(published.code, 0, published.stderr)
  const job = published.stdout.trim()
  const work = ['work', '--classifier', CLASSIFIER, '--workers', '1', '--pipeline', pipeline, '--until-done', job]
  saysLimit(await limited(28, work, brokers), 28)
  const done = await limited(56, work, brokers)
  assert.equal(done.code, 0, done.stderr)
})

test('a run of two workers with its own broker works with 200 files', async t => {
  const args = ['run', inputFile(t), '-', '--classifier', CLASSIFIER, '--workers', '2']
  const { code, stdout, stderr } = await limited(200, args)
  assert.equal(code, 0, stderr)
  assert.equal(stdout.trim().split('\n').length, 300)
})

test('an error that quotes a classifier keeps its code', () => {
  const said = 'row 7 was rejected: CLASSIFIER_FAILED OSError: [Errno 24] Too many open files'
  const error = new RowmillError('REJECTS_OVER_BUDGET', said)
  assert.equal(toRowmillError(error), error)
  const own = new Error('round')
  own.cause = own
  assert.equal(toRowmillError(own).code, 'INTERNAL')
  const cause = Object.assign(new Error('EMFILE: too many open files, open in.csv'), { code: 'EMFILE' })
  const guessed = new RowmillError('INPUT_UNREADABLE', 'in.csv cannot be read: check its permissions.', {}, { cause })
  assert.equal(toRowmillError(guessed).code, 'TOO_MANY_OPEN_FILES')
})
