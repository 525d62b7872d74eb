/** A process that may open few files reports the limit and what to do, whatever fails first. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { RowmillError, toRowmillError } from '../../src/errors.ts'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { BIN, type Finished, rowmill, startProgram, startRowmill, testFolder } from '../helpers/cli.ts'
import { until } from '../helpers/until.ts'

const CLASSIFIER = join(import.meta.dirname, '../fixtures/classifiers.py:a_float')

/** A command that, like each process it starts, may open this many files. */
function limited(files: number, args: readonly string[], brokers = ''): Promise<Finished> {
  const script = 'ulimit -n "$0" && exec "$@"'
  const command = ['-c', script, String(files), process.execPath, BIN, ...args]
  return startProgram('/bin/sh', command, { env: { ROWMILL_BROKERS: brokers } }).finished
}

/** `rowmill broker`, which may open this many files. */
function limitedBroker(t: TestContext, files: number): ReturnType<typeof startProgram> {
  const script = 'ulimit -n "$0" && exec "$@"'
  const started = startProgram('/bin/sh', ['-c', script, String(files), process.execPath, BIN, 'broker'])
  t.after(() => started.child.kill('SIGKILL'))
  return started
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

for (const files of [32, 100, 150]) {
  test(`a broker that may open ${files} files does not start, and says the limit`, async () => {
    saysLimit(await limited(files, ['broker']), files)
  })
}

const ROOM = /^rowmill: this Kafka has room for 12 partitions and 2 workers.*The limit is 180 \(ulimit -n\)\. Raise it/
const SPENT =
  /it may open no more files\. It needs 3 for each.*Start it again.*The limit is 180 \(ulimit -n\)\. Raise it/

/** What uses up the open files of a running broker without warning. */
const LOADS: Readonly<Record<string, (address: string, t: TestContext) => void>> = {
  'a run with 60 partitions': (address, t) => {
    const args = ['--partitions', '60', '--workers', '1', '--brokers', address]
    const { child } = startRowmill(['run', inputFile(t), '-', '--classifier', CLASSIFIER, ...args])
    t.after(() => child.kill('SIGKILL'))
  },
  '120 connections': (address, t) => {
    const [host, port] = address.split(':') as [string, string]
    const sockets = Array.from({ length: 120 }, () => connect(Number(port), host).on('error', () => {}))
    t.after(() => sockets.map(socket => socket.destroy()))
  },
}

for (const [what, load] of Object.entries(LOADS)) {
  test(`a broker with few files logs how much it has room for, and logs once what to do after ${what}`, async t => {
    const { child, finished } = limitedBroker(t, 180)
    let said = ''
    child.stderr!.on('data', chunk => {
      said += chunk
    })
    const [address] = await once(createInterface(child.stdout!), 'line')
    load(String(address), t)
    await until('the broker reports it', () => SPENT.test(said))
    child.kill('SIGTERM') // it may have ended by itself
    await finished
    const [first, ...others] = said.trimEnd().split('\n')
    assert.match(first!, ROOM)
    assert.equal(others.filter(line => SPENT.test(line)).length, 1, said)
    assert.doesNotMatch(said, /Exception/)
    assert.ok(others.length <= 2, said)
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
