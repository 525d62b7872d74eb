/** `publish tcp://HOST:PORT` and `collect tcp://HOST:PORT`, with plain programs at the other ends. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { rowmill, startProgram, startRowmill, testFolder } from '../helpers/cli.ts'
import { python } from '../helpers/python.ts'
import { serialJob } from '../helpers/serial.ts'

const FIXTURES = join(import.meta.dirname, '../fixtures')
const CLASSIFIER = join(FIXTURES, 'classifiers.py:a_float')
/** 250 rows in blocks of 100. */
const LINES = ['ID,A', ...Array.from({ length: 250 }, (_, row) => `${row},"value, ${row}"`)]

/** `rowmill publish` on a free port, and the port. */
async function publishing(t: TestContext, env: Record<string, string>, ...options: string[]) {
  const { child, finished } = startRowmill(['publish', 'tcp://127.0.0.1:0', '--job', 'j', ...options], { env })
  t.after(() => child.kill('SIGKILL'))
  for await (const line of createInterface({ input: child.stderr })) {
    const port = /listening on tcp:\/\/127\.0\.0\.1:(\d+) for one sender/.exec(line)?.[1]
    if (port !== undefined) return { child, finished, port }
  }
  return assert.fail('publish never listened')
}

function send(port: string, lines: readonly string[], ...how: string[]) {
  return startProgram(python, [join(FIXTURES, 'tcp_sender.py'), '127.0.0.1', port, ...how], { input: lines.join('\n') })
}

/** A result has rows of one block, so a frame never spans two blocks. */
function assertResults(frames: readonly string[]): void {
  let rows = 0
  const ends = frames.map(frame => {
    rows += frame.split('\n').length
    return rows
  })
  for (const end of [100, 200, 250]) assert.ok(ends.includes(end), ends.join())
  assert.equal(rows, 250)
}

async function place(t: TestContext) {
  const { pipeline } = await testPipeline(t)
  return { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline, ROWMILL_PARTITIONS: '3' }
}

test('a sender and a receiver get the bytes of the original job, each result as one frame', async t => {
  const env = await place(t)
  const file = join(testFolder(t), 'in.csv')
  writeFileSync(file, `${LINES.join('\n')}\n`)
  const { finished, port } = await publishing(t, env, '--index-kind', 'range')
  const sent = await send(port, LINES).finished
  assert.equal(sent.stdout, 'closed\n', sent.stderr)
  assert.deepEqual((await finished).code, 0)

  const { child, finished: received } = startProgram(python, [join(FIXTURES, 'tcp_receiver.py')])
  t.after(() => child.kill())
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const { value: to } = await lines.next()
  const work = rowmill(['work', '--classifier', CLASSIFIER, '--workers', '1', '--until-done', 'j'], { env })
  const collected = await rowmill(['collect', `tcp://127.0.0.1:${to}`, '--job', 'j'], { env })
  assert.equal(collected.code, 0, collected.stderr)
  assert.match(collected.stderr, /250 rows of job j in tcp:\/\/127\.0\.0\.1:\d+$/m)
  const frames: string[] = []
  for await (const line of lines) {
    if (line !== 'end') frames.push(JSON.parse(line))
  }
  assertResults(frames)
  assert.equal(`${frames.join('\n')}\n`, await serialJob(file, CLASSIFIER))
  assert.equal((await received).code, 0)
  assert.equal((await work).code, 0)
})

test('a sender that dies fails its job for everybody; a stopped publisher cancels it', async t => {
  const env = await place(t)
  const first = await publishing(t, env)
  await send(first.port, LINES, '--mid-frame').finished
  const broken = await first.finished
  assert.equal(broken.code, 1, broken.stderr)
  assert.match(broken.stderr, /middle of frame 251.*\[INPUT_UNREADABLE\]$/m)
  const collected = await rowmill(['collect', join(testFolder(t), 'out.csv'), '--job', 'j'], { env })
  assert.match(collected.stderr, /middle of frame 251/)

  const second = await publishing(t, env, '--job', 'k')
  const sender = send(second.port, LINES, '--delay', '0.05')
  t.after(() => sender.child.kill())
  while (!/"published"|\bk\b/.test((await rowmill(['jobs', 'list', '--job', 'k'], { env })).stdout));
  second.child.kill('SIGTERM')
  const stopped = await second.finished
  assert.equal(stopped.code, 143, stopped.stderr)
  const cancelled = await rowmill(['collect', join(testFolder(t), 'out.csv'), '--job', 'k'], { env })
  assert.match(cancelled.stderr, /cancelled.*input can be read only once/)
})

test('a sender whose job failed after the byte 04 sees a reset, and the sender of a published job an end', async t => {
  const env = await place(t)
  const outcome = async (lines: readonly string[], ...options: string[]) => {
    const { finished, port } = await publishing(t, env, ...options)
    const [sent, { stderr }] = await Promise.all([send(port, lines).finished, finished])
    return [sent.stdout, /\[([A-Z_]+)\]$/m.exec(stderr)?.[1]]
  }
  assert.deepEqual(await outcome(LINES), ['closed\n', undefined])
  assert.deepEqual(await outcome(LINES), ['reset\n', 'JOB_EXISTS'])
  assert.deepEqual(await outcome([...LINES, '1,x,y'], '--job', 'k'), ['reset\n', 'INPUT_FIELDS'])
  const nowhere = ['--job', 'l', '--brokers', '127.0.0.1:1']
  assert.deepEqual(await outcome(LINES, ...nowhere), ['reset\n', 'BROKER_UNREACHABLE'])
})

test('a receiver that disconnects is reported, and so is what it gets when it returns', async t => {
  const env = await place(t)
  const { finished, port } = await publishing(t, env, '--to-csv', '{"header": true}')
  await send(port, LINES).finished
  await finished
  const work = rowmill(['work', '--classifier', CLASSIFIER, '--workers', '1', '--until-done', 'j'], { env })
  const { child } = startProgram(python, [join(FIXTURES, 'tcp_receiver.py'), '--leave-after', '1'])
  t.after(() => child.kill())
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const out = `tcp://127.0.0.1:${(await lines.next()).value}`
  assert.equal((await work).code, 0)
  const broken = await rowmill(['collect', out, '--job', 'j'], { env })
  assert.equal(broken.code, 1, broken.stderr)
  assert.match(broken.stderr, /sends all rows again, from the first$/m)
  assert.match(broken.stderr, /connection to tcp:\S+ broke after \d frames: .*\[OUTPUT_FAILED\]$/m)
  const again = await rowmill(['collect', out, '--job', 'j'], { env })
  assert.equal(again.code, 0, again.stderr)
  const received: string[] = []
  for await (const line of lines) received.push(line)
  assert.equal(received[1], 'left')
  assert.equal(received.at(-1), 'end')
  assert.equal(received[2], received[0]) // the first frame came twice
  assertResults(received.slice(3, -1).map(frame => JSON.parse(frame)))
})

test('an address without a port is refused before anything starts', async () => {
  for (const args of [
    ['publish', 'tcp://localhost'],
    ['collect', 'tcp://localhost', '--job', 'j'],
  ]) {
    const { code, stderr } = await rowmill(args)
    assert.equal(code, 2)
    assert.match(stderr, /give tcp:\/\/HOST:PORT/)
  }
})
