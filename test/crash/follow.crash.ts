/** `kill -9` of collect --follow while rows come and publishers take the job over, then the same command again. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { CrashPoint } from '../../src/support/crash-point.ts'
import { brokerAddress } from '../helpers/broker.ts'
import { startRowmill, testFolder } from '../helpers/cli.ts'
import { cellsOf, linesTo, WrittenStream } from '../helpers/written-stream.ts'

const ROWS = 1500
/** How often a command may be restarted before the test gives up. */
const TRIES = 60

interface Follower {
  readonly stream: WrittenStream
  readonly out: string
  follow(fate?: { at: CrashPoint; time: number }): ReturnType<typeof startRowmill>
  /** Ends the watch over OUT; throws what it found. */
  stopWatching(): Promise<void>
}

/** `expected` must begin with the content of OUT, at any moment up to its checkpoint. */
async function open(t: TestContext, { sequenced = true, expected = linesTo(ROWS) } = {}): Promise<Follower> {
  const stream = await WrittenStream.open(t, { sequenced, epoch: sequenced ? 1 : 0 })
  const folder = testFolder(t)
  const out = join(folder, 'out.csv')
  const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: stream.pipeline }
  const watching = new AbortController()
  const watched = watchPrefix(out, expected, watching.signal)
  watched.catch(() => {}) // the caller of stop gets the error
  t.after(() => watching.abort())
  return {
    ...{ stream, out },
    follow(fate) {
      const crash = fate ? { ROWMILL_CRASH: `${fate.at}:${fate.time} ${join(folder, 'crashed')}` } : {}
      const command = startRowmill(['collect', out, '--job', 'j', '--follow'], { env: { ...env, ...crash } })
      t.after(() => command.child.kill('SIGKILL'))
      return command
    },
    stopWatching() {
      watching.abort()
      return watched
    },
  }
}

async function watchPrefix(out: string, expected: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const checkpoint = read(join(`${out}.rowmill`, 'checkpoint'))
    const text = checkpoint && read(out)
    if (checkpoint && text) {
      const { bytes } = JSON.parse(checkpoint)
      assert.equal(text.slice(0, bytes), expected.slice(0, bytes), 'prefix')
    }
    await sleep(5, undefined, { signal }).catch(() => {}) // a file sends no event when it changes
  }
}

function read(path: string): string | null {
  return existsSync(path) ? readFileSync(path, 'utf8') : null
}

/**
 * Rows a few at a time, with copies; every 400 rows another publisher takes over, and the previous one continues
 * unheard.
 */
async function write(stream: WrittenStream): Promise<void> {
  let epoch = 1
  let from = 0
  for (let seq = 0; seq < ROWS; seq += 10) {
    if (seq > 0 && seq % 400 === 0) {
      const zombie = { epoch, from, rows: [['?', 'of a zombie']] }
      // Its messages to one partition arrive; those to the other come too late, so row `seq` is not found.
      for (const odd of [1, 3, 5]) await stream.row(seq + odd, zombie)
      epoch++
      from = seq
      await stream.announce({ epoch })
      await stream.barriers(epoch)
      for (const late of [0, 2, 7]) await stream.row(seq + late, zombie)
    }
    await stream.rows(seq, seq + 10, { epoch, from })
    if (seq % 70 === 0) await stream.rows(seq, seq + 6, { epoch, from, rows: [['?', 'a copy']] })
    await sleep(15)
  }
  await stream.end(ROWS, epoch, from)
}

async function untilDone(follower: Follower, give: () => ReturnType<Follower['follow']>): Promise<number> {
  for (let killed = 0; killed < TRIES; killed++) {
    const { code, signal, stderr } = await give().finished
    if (signal === 'SIGKILL') continue
    assert.equal(code, 0, stderr)
    await follower.stopWatching()
    assert.equal(read(follower.out), linesTo(ROWS), 'output')
    assert.equal(existsSync(`${follower.out}.rowmill`), false, 'nothing left')
    return killed
  }
  assert.fail(`killed ${TRIES} times`)
}

for (const [at, time] of [
  ['rows-written', 1],
  ['rows-written', 700],
  ['rows-flushed', 1],
  ['rows-flushed', 2],
  ['rows-flushed', 60],
  ['checkpointed', 1],
  ['checkpointed', 2],
] as const) {
  test(`collect --follow killed at ${at}, on visit ${time}, and started again`, async t => {
    const follower = await open(t)
    const written = write(follower.stream)
    assert.equal(await untilDone(follower, () => follower.follow({ at, time })), 1)
    await written
  })
}

test('collect --follow killed after its last row completes when started again', async t => {
  const follower = await open(t)
  const written = write(follower.stream)
  const killed = await follower.follow({ at: 'output-named', time: 1 }).finished
  assert.equal(killed.signal, 'SIGKILL', killed.stderr)
  const again = await follower.follow().finished
  assert.equal(again.code, 0, again.stderr)
  assert.match(again.stderr, /out\.csv is complete already/)
  assert.equal(existsSync(`${follower.out}.rowmill`), false)
  await written
})

test('collect --follow killed at any moment, again and again', async t => {
  const follower = await open(t)
  const written = write(follower.stream)
  let left = 8
  const give = () => {
    const command = follower.follow()
    if (left-- > 0) setTimeout(() => command.child.kill('SIGKILL'), 250 + Math.random() * 1500)
    return command
  }
  assert.ok((await untilDone(follower, give)) > 0)
  await written
})

test('each unsequenced row is in OUT once, whatever was killed in between', async t => {
  const follower = await open(t, { sequenced: false, expected: '' })
  await follower.stopWatching().catch(() => {}) // no order is required of OUT
  const { stream, out } = follower
  let done = false
  const written = (async () => {
    for (let row = 0; row < 600; row++) {
      const first = await stream.arrive(row % 2, cellsOf(row))
      if (row % 9 === 0) await stream.arrive(row % 2, cellsOf(row), first)
      if (row % 5 === 0) await sleep(20)
    }
    done = true
  })()
  while (!done) {
    const command = follower.follow()
    await sleep(400 + Math.random() * 1200)
    command.child.kill('SIGKILL')
    await command.finished
  }
  await written
  const last = follower.follow()
  await new Promise<void>(resolve => last.child.stderr.once('data', () => resolve())) // it logs that it resumes
  const rows = () => (read(out) ?? '').split('\n').slice(0, -1)
  while (rows().length < 600) await sleep(20)
  last.child.kill('SIGTERM')
  assert.equal((await last.finished).code, 143)
  const expected = linesTo(600).split('\n').slice(0, -1)
  assert.deepEqual(rows().sort(), expected.sort())
})
