/** Readers of jobs without an end: collect --follow and tail, over results that the test writes. */
import assert from 'node:assert/strict'
import { appendFileSync, existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { brokerAddress } from '../helpers/broker.ts'
import { type Finished, rowmill, startRowmill, testFolder } from '../helpers/cli.ts'
import { until } from '../helpers/until.ts'
import { cellsOf, linesTo, WrittenStream } from '../helpers/written-stream.ts'

async function place(t: TestContext, job: Parameters<typeof WrittenStream.open>[1] = {}) {
  const stream = await WrittenStream.open(t, job)
  const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: stream.pipeline }
  const out = join(testFolder(t), 'out.csv')
  const start = (...args: string[]) => {
    const command = startRowmill(args, { env })
    t.after(() => command.child.kill('SIGKILL'))
    return command
  }
  return {
    ...{ stream, out, start, run: (...args: string[]) => rowmill(args, { env }) },
    follow: (...more: string[]) => start('collect', out, '--job', 'j', '--follow', ...more),
    text: () => (existsSync(out) ? readFileSync(out, 'utf8') : ''),
  }
}

const stateOf = (out: string) => `${out}.rowmill`

function assertCode({ code, stderr }: Finished, expected: number): void {
  assert.equal(code, expected, stderr)
}

test('OUT grows with the rows and is complete at the end of the job; rejects within budget are exit 4', async t => {
  const { stream, out, follow, text } = await place(t)
  const following = follow()
  await stream.rows(0, 3)
  await until('three rows', () => text() === linesTo(3))
  assert.ok(existsSync(stateOf(out)))
  await stream.reject(3)
  await stream.rows(4, 6)
  await until('five rows', () => text() === linesTo(3) + linesTo(6, 4))
  await stream.end(6)
  assertCode(await following.finished, 4)
  assert.equal(text(), linesTo(3) + linesTo(6, 4))
  assert.equal(existsSync(stateOf(out)), false)
})

test('a stop keeps what was written, says how to resume, and the same command resumes after it', async t => {
  const { stream, out, follow, text } = await place(t)
  const first = follow()
  await stream.rows(0, 3)
  await until('three rows', () => text() === linesTo(3))
  first.child.kill('SIGTERM')
  const stopped = await first.finished
  assertCode(stopped, 143)
  assert.match(stopped.stderr, /to resume: rowmill collect .*out\.csv --job j --follow\n$/)
  const checkpoint = JSON.parse(readFileSync(join(stateOf(out), 'checkpoint'), 'utf8'))
  assert.equal(checkpoint.bytes, linesTo(3).length)
  appendFileSync(out, '3,half a r')
  const again = follow()
  await stream.rows(3, 5)
  await stream.end(5)
  const finished = await again.finished
  assertCode(finished, 0)
  assert.match(finished.stderr, /resuming job j at row 3/)
  assert.equal(text(), linesTo(5))
})

test('a shorter, altered or foreign file is refused, and --restart is the cure', async t => {
  const { stream, out, follow, run, text } = await place(t)
  const first = follow()
  await stream.rows(0, 5)
  await until('five rows', () => text() === linesTo(5))
  first.child.kill('SIGTERM')
  assertCode(await first.finished, 143)
  const other = await run('collect', out, '--job', 'other', '--follow')
  assertCode(other, 2)
  assert.match(other.stderr, /holds an unfinished job, j of pipeline .*--restart/)
  const whole = await run('collect', out, '--job', 'j', '--force')
  assertCode(whole, 2)
  assert.match(whole.stderr, /--follow/)
  truncateSync(out, 10)
  const shorter = await follow().finished
  assertCode(shorter, 2)
  assert.match(shorter.stderr, /has 10 bytes, fewer than the \d+ of the last checkpoint.*--restart/)
  writeFileSync(out, linesTo(5).replace('row 3', 'row x'))
  const altered = await follow().finished
  assertCode(altered, 2)
  assert.match(altered.stderr, /is not what was written.*--restart/)
  assert.match(text(), /row x/, 'it is left as it is')
  await stream.end(5)
  assertCode(await follow('--restart').finished, 0)
  assert.equal(text(), linesTo(5))
})

test('a file that rowmill did not write is refused without --force', async t => {
  const { stream, out, follow, text } = await place(t)
  writeFileSync(out, 'precious')
  const refused = await follow().finished
  assertCode(refused, 2)
  assert.match(refused.stderr, /\[OUTPUT_EXISTS\]/)
  assert.equal(text(), 'precious')
  await stream.rows(0, 2)
  await stream.end(2)
  assertCode(await follow('--force').finished, 0)
  assert.equal(text(), linesTo(2))
})

test('columns other than those of the existing file end the collector, but not the job', async t => {
  const { stream, follow, text } = await place(t)
  await stream.rows(0, 2, { classifier: new Uint8Array(8).fill(1), kinds: ['float', 'text'] })
  await stream.rows(2, 3)
  await stream.row(3, { columns: ['ID', 'OTHER'] })
  const finished = await follow().finished
  assertCode(finished, 1)
  assert.match(
    finished.stderr,
    /columns are "ID", "OTHER" from row 3 on, but "ID", "TEXT" in the output.*\[KIND_DRIFT\]/,
  )
  assert.equal(text(), linesTo(3))
  assert.equal((await stream.jobs.latest('j'))!.state, 'open')
})

test('unsequenced rows are written as they arrive; without --follow their end cannot be awaited', async t => {
  const { stream, out, follow, run, text } = await place(t, { sequenced: false })
  const refused = await run('collect', out, '--job', 'j')
  assertCode(refused, 2)
  assert.match(refused.stderr, /job j never ends: give --follow.*\[USAGE\]/)
  assert.equal(existsSync(stateOf(out)), false)
  const first = follow()
  await stream.arrive(0, cellsOf(0))
  await until('a row', () => text() === linesTo(1))
  await stream.arrive(0, cellsOf(9), 0) // a copy
  await stream.arrive(1, cellsOf(1))
  await until('two rows', () => text() === linesTo(2))
  first.child.kill('SIGTERM')
  assertCode(await first.finished, 143)
  const again = follow()
  await stream.arrive(1, cellsOf(2))
  await until('three rows', () => text() === linesTo(3))
  again.child.kill('SIGTERM')
  assertCode(await again.finished, 143)
})

for (const [what, job, message] of [
  ['a job that ends by itself', { bounded: true }, /job j ends by itself: leave out --follow.*\[USAGE\]/],
  [
    'a job with mode a',
    { options: [{ name: 'toCsv', value: '{"mode":"a"}' }] },
    /rowmill does not append to another file.*\[USAGE\]/,
  ],
] as const) {
  test(`${what} cannot be followed, and --force takes nothing from OUT then`, async t => {
    const { stream, out, follow, text } = await place(t, job)
    assertRefused(await follow().finished)
    assert.equal(existsSync(out), false)
    writeFileSync(out, 'precious')
    await stream.rows(0, 1)
    assertRefused(await follow('--force').finished)
    assertRefused(await follow('--force', '--restart').finished)
    assert.equal(text(), 'precious')
    assert.equal(existsSync(stateOf(out)), false)

    function assertRefused(finished: Finished): void {
      assertCode(finished, 2)
      assert.match(finished.stderr, message)
    }
  })
}

test('a flag that does not fit the job leaves an unfinished collection as it was', async t => {
  const { stream, out, run, start, text } = await place(t, {
    bounded: true,
    options: [{ name: 'toCsv', value: '{"mode":"a"}' }],
  })
  writeFileSync(out, 'before\n')
  const first = start('collect', out, '--job', 'j')
  let rows = 0
  await until('a checkpoint', async () => {
    await stream.rows(rows, ++rows)
    return existsSync(join(stateOf(out), 'checkpoint'))
  })
  first.child.kill('SIGTERM')
  assertCode(await first.finished, 143)
  const forced = await run('collect', out, '--job', 'j', '--force')
  assertCode(forced, 2)
  assert.match(forced.stderr, /--force replaces it.*\[USAGE\]/)
  await stream.end(rows)
  const again = await run('collect', out, '--job', 'j')
  assertCode(again, 0)
  assert.match(again.stderr, /resuming job j at row [1-9]/)
  assert.equal(text(), `before\n${linesTo(rows)}`)
})

test('--follow --force of a job that is not there takes nothing from OUT', async t => {
  const { out, run, text } = await place(t)
  writeFileSync(out, 'precious')
  const { code, stderr } = await run('collect', out, '--job', 'other', '--follow', '--force', '--timeout', '3')
  assert.equal(code, 124, stderr)
  assert.equal(text(), 'precious')
})

test('collect - --follow works, and so does collect without it after the job ended', async t => {
  const { stream, out, start, run, text } = await place(t)
  const piped = start('collect', '-', '--job', 'j', '--follow')
  const whole = start('collect', out, '--job', 'j')
  await stream.rows(0, 3)
  await new Promise<void>(resolve => piped.child.stdout.once('data', () => resolve()))
  assert.equal(text(), '')
  await stream.end(3)
  assert.deepEqual([(await piped.finished).stdout, (await piped.finished).code], [linesTo(3), 0])
  assertCode(await whole.finished, 0)
  assert.equal(text(), linesTo(3))
  assertCode(await run('collect', '-', '--job', 'j'), 0)
})

test('tail prints rows as they come, as CSV with the header, and rejects on standard error', async t => {
  const options = [{ name: 'toCsv', value: '{"header": true, "sep": ";"}' }]
  const { stream, start } = await place(t, { options })
  const tailing = start('tail', '--job', 'j')
  await stream.row(0)
  await new Promise<void>(resolve => tailing.child.stdout.once('data', () => resolve()))
  await stream.reject(1)
  await stream.row(2)
  await stream.end(3)
  const { code, stdout, stderr } = await tailing.finished
  assert.deepEqual([code, stdout], [0, 'ID;TEXT\n0;row 0\n2;row 2\n'], stderr)
  assert.match(stderr, /^rowmill: row 1 was rejected: CLASSIFIER no such word: \["1","row 1"\]$/m)
})

test('tail prints JSON lines with every name, and every reject in its place', async t => {
  const { stream, run } = await place(t)
  await stream.row(0, { columns: ['__proto__', '1'] })
  await stream.reject(1)
  await stream.end(2)
  const { code, stdout, stderr } = await run('tail', '--job', 'j', '--format', 'json')
  assert.equal(code, 0, stderr)
  const rejected = { reason: 'CLASSIFIER', detail: 'no such word', values: ['1', 'row 1'] }
  assert.equal(stdout, `{"seq":0,"values":{"__proto__":"0","1":"row 0"}}\n${JSON.stringify({ seq: 1, rejected })}\n`)
})

test('tail ends without a message when its reader closes the pipe', async t => {
  const { stream, start } = await place(t)
  const tailing = start('tail', '--job', 'j')
  await stream.row(0)
  await new Promise<void>(resolve => tailing.child.stdout.once('data', () => resolve()))
  tailing.finished.catch(() => {}) // it reads a closed pipe here
  tailing.child.stdout.destroy()
  await stream.rows(1, 3)
  const code = await new Promise(resolve => tailing.child.once('exit', resolve))
  assert.equal(code, 0)
})

test('tail also follows a job with a CSV before it', async t => {
  const { stream, run } = await place(t, { bounded: true })
  await stream.rows(0, 4)
  await stream.end(4)
  const { code, stdout, stderr } = await run('tail', '--job', 'j')
  assert.deepEqual([code, stdout], [0, linesTo(4)], stderr)
  const odd = await run('tail', '--job', 'j', '--format', 'xml')
  assertCode(odd, 2)
  assert.match(odd.stderr, /--format "xml": must be csv or json/)
})
